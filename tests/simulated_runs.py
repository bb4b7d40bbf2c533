"""Run files of seeded runs in simulated time, for tests that read, compare and show them."""

from made_once import folder_of_session, made_once
from requests import ReadTimeout

from chaperon import Environment, Scenario, rate, run, stages, step, users
from chaperon.execution.running import Running
from chaperon.report.run_file.writer import RunFileWriter
from chaperon.testing import VirtualClock

HOSTILE = "</script><b>&\u202e\"'" + "x" * 300
"""The name of the requests of the runs called hostile."""
RUNS = {
    "a": {},
    "a2": {"seed": 2},
    "a3": {"seed": 3},
    "b": {"factor": 1.3, "seed": 4},
    "b2": {"factor": 1.3, "seed": 5},
    "b3": {"factor": 1.3, "seed": 6},
    "failing": {"errors": 0.03, "seed": 7},
    "failing_slower": {"errors": 0.2, "factor": 1.5, "seed": 8},
    "failing_often": {"errors": 0.2, "seed": 9},
    "timing_out": {"cut": 0.1, "seed": 10},
    "faster_load": {"load": rate(30, hold="70s")},
    "ramped": {"load": rate(20, ramp="20s", hold="70s")},
    "warmed": {"load": rate(20, hold="80s", warmup="20s")},
    "stairs": {"load": stages(("1s", 10), ("60s", 10), ("1s", 20), ("60s", 20))},
    "other_stairs": {"load": stages(("1s", 10), ("30s", 10), ("1s", 20), ("90s", 20))},
    "calls": {"kind": "call", "name": "look up"},
    "short": {"factor": 1.5, "load": rate(20, hold="50s")},
    "brief": {"load": rate(20, hold="2s")},
    "brief_slower": {"factor": 1.5, "load": rate(20, hold="2s")},
    "longer": {"seed": 7, "load": rate(4, hold="610s")},
    "few_users": {"load": users(4, hold="70s")},
    "few_users_slower": {"factor": 1.4, "load": users(4, hold="70s")},
    "more_users": {"load": users(5, hold="70s")},
    "hostile": {"name": HOSTILE, "seed": 8},
    "hostile2": {"name": HOSTILE, "seed": 9},
}
"""The options of `perform` for each run that several tests read, by its name."""


def perform(path, factor=1.0, seed=1, errors=0.0, load=None, name="GET /", kind="http", cut=0.0):
    """Write the run file of a seeded run in simulated time; its median is 41 ms times *factor*.

    A share *cut* of its requests times out after two seconds.
    """

    @step
    def browse(session):
        with session.measure(name, kind=kind):
            session.sleep(factor * session.random.lognormvariate(-3.2, 0.4))
            if cut and session.random.random() < cut:
                session.sleep(2.0)
                raise ReadTimeout("nothing came")
            if session.random.random() < errors:
                raise ValueError("refused")

    clock = VirtualClock()
    load = load or rate(20, hold="90s")
    environment = Environment(scenarios=[run(Scenario(browse, name="shop"), load)], seed=seed)
    writer = RunFileWriter(path)
    running = Running(environment.plan(), clock=clock).start(run_file=writer)
    clock.run(lambda: running.ended)
    running.finish()
    writer.close()


class RunFiles:
    """A folder of the run files of RUNS, in which each is made when its path is asked for: `folder / "a.chap"`."""

    def __init__(self, folder):
        self._folder = folder

    def __truediv__(self, file):
        """Return the path of the run file; another name is that of a file that is not there."""
        options = RUNS.get(file.removesuffix(".chap"))
        if options is None:
            return self._folder / file
        return made_once(self._folder, file, lambda path: perform(path, **options))


def run_files(tmp_path_factory):
    """Return the run files, which all processes of the tests share."""
    folder = folder_of_session(tmp_path_factory) / "simulated-runs"
    folder.mkdir(exist_ok=True)
    return RunFiles(folder)
