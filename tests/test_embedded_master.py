"""A master in a program of one's own, with real workers on loopback."""

import sys
from importlib import import_module

import gevent
import pytest
from test_outputs import Kept
from unjudged import UNJUDGED

import chaperon
from chaperon import Environment, Scenario, Verdict, iterations, run
from chaperon.cluster.master.cluster_run import ClusterRun
from chaperon.errors import LoadError, OutputError, UsageError, WorkersMissing
from chaperon.execution.running import Running

LOADTEST = f"""
from chaperon import Environment, Scenario, feed, iterations, run, step

people = feed("people.csv")


@step
def look(session):
    session.get("/look", headers={{"X-Number": str(session.visit.number), "X-Name": session.take(people)["name"]}})


production = Environment(
    "http://127.0.0.1:9", scenarios=[run(Scenario(look, name="shop"), iterations(40, users=4))], trust={UNJUDGED!r}
)
"""


@pytest.fixture
def loadtest(shells, monkeypatch):
    """Import a module of the program's with an environment in it."""
    (shells.folder / "loadtest.py").write_text(LOADTEST)
    (shells.folder / "people.csv").write_text("name\n" + "".join(f"person {n}\n" for n in range(200)))
    monkeypatch.chdir(shells.folder)
    monkeypatch.syspath_prepend(str(shells.folder))
    yield import_module("loadtest")
    sys.modules.pop("loadtest", None)


def with_workers(shells, start, n=2):
    """Call *start* with `notify=` in a greenlet, join it with *n* workers, return what it returns."""
    told = []
    starting = gevent.spawn(start, told.append)
    shells.until(lambda: told or starting.ready())
    if told:
        address = told[0].removeprefix("the master is at ")
        for number in range(n):
            shells.worker(address, "--once", "--name", f"w{number}")
    return starting.get(timeout=50)


@pytest.mark.faults
def test_a_program_runs_a_fleet_as_it_runs_one_process(shells, target, loadtest):
    kept, served = Kept(), []
    serving = gevent.spawn(lambda: [served.append(1) or gevent.sleep(0.01) for _ in range(10_000)])

    report = with_workers(
        shells,
        lambda notify: chaperon.master(
            loadtest.production,
            bind="tcp://127.0.0.1:*",
            workers=2,
            url=target.url,
            outputs=[kept],
            notify=notify,
        ),
    )

    serving.kill()
    assert report.verdict is Verdict.PASS, report.reasons
    assert report.ledger["shop"].done == report["GET /look"].count == len(target.asked) == 40
    assert {worker.name for worker in report.workers} == {"w0", "w1"}
    assert all(headers["HTTP_X_NAME"].startswith("person ") for headers in target.headers)
    assert kept.report is report
    assert sum(second.requests.count for second in kept.seconds) == 40
    assert len(served) > 20
    assert sys.modules["loadtest"] is loadtest


@pytest.mark.faults
def test_a_fleet_that_was_started_has_the_verbs_of_a_run(shells, target, loadtest):
    endless = LOADTEST.replace("iterations(40, users=4)", 'users(4, hold="60s")').replace("iterations,", "users,")
    (shells.folder / "loadtest.py").write_text(endless.replace('session.take(people)["name"]', '"nobody"'))
    sys.modules.pop("loadtest")
    fresh = import_module("loadtest")

    running = with_workers(
        shells,
        lambda notify: chaperon.start_master(
            fresh.production, bind="tcp://127.0.0.1:*", workers=1, url=target.url, notify=notify
        ),
        n=1,
    )
    with running:
        assert isinstance(running, ClusterRun)
        shells.until(lambda: running.pulse().requests > 0)
        running.note("deployed 1.2")
        running.pause()
        running.resume()
        running.stop("seen enough")
        assert running.wait(30)

    report = running.report()
    assert report.aborted == "seen enough"
    assert report.notes["deployed 1.2"] == 1
    assert report.ledger["shop"].balanced


def test_a_fleet_has_every_public_verb_of_a_run_in_one_process():
    verbs = {name for name in dir(Running) if not name.startswith("_")}

    assert verbs <= set(dir(ClusterRun))


def test_workers_that_do_not_come_are_missed_and_the_port_is_free_again(shells, loadtest):
    given = {"workers": 1, "gather": "200ms", "bind": "tcp://127.0.0.1:*"}
    told = []
    with pytest.raises(WorkersMissing, match="0 of 1 workers were ready"):
        chaperon.master(loadtest.production, **given, notify=told.append)
    address = told[0].removeprefix("the master is at ")

    with pytest.raises(WorkersMissing):
        chaperon.master(loadtest.production, **{**given, "bind": address})


def test_an_output_that_cannot_be_written_frees_the_port_too(shells, loadtest):
    class Refusing(Kept):
        def start(self, plan):
            raise OutputError("no folder")

    told = []
    with pytest.raises(OutputError, match="no folder"):
        chaperon.master(
            loadtest.production, workers=1, bind="tcp://127.0.0.1:*", outputs=[Refusing()], notify=told.append
        )
    address = told[0].removeprefix("the master is at ")

    with pytest.raises(WorkersMissing):
        chaperon.master(loadtest.production, workers=1, bind=address, gather=0.1)


def test_an_environment_of_no_file_says_what_to_do():
    nowhere = Environment(scenarios=[run(Scenario(lambda session: None), iterations(1))])

    with pytest.raises(UsageError, match=r"assign it to a global variable of a module, or give file='shop.py:NAME'"):
        chaperon.master(nowhere, workers=1, bind="tcp://127.0.0.1:*")


def test_an_environment_that_differs_from_its_file_is_refused(loadtest):
    other = loadtest.production.adapt(load=iterations(7))

    with pytest.raises(UsageError, match=r"shop: 40 iterations.*the one given has shop: 7 iterations"):
        chaperon.master(other, workers=1, bind="tcp://127.0.0.1:*", file="loadtest:production")


def test_limits_and_trust_of_the_program_need_not_be_in_the_file(loadtest):
    judged = loadtest.production.adapt(limits=["p95 < 1s"], trust={"late": "1s"})

    with pytest.raises(WorkersMissing):
        chaperon.master(judged, workers=1, bind="tcp://127.0.0.1:*", file="loadtest:production", gather=0.1)


def test_a_file_that_starts_a_master_when_it_is_imported_is_told_where_to_put_the_call(shells, monkeypatch):
    file = shells.folder / "careless.py"
    call = 'import chaperon\nchaperon.master(production, workers=1, bind="tcp://127.0.0.1:*")\n'
    (shells.folder / "people.csv").write_text("name\nann\n")
    file.write_text(LOADTEST + call)
    monkeypatch.chdir(shells.folder)
    monkeypatch.syspath_prepend(str(shells.folder))

    with pytest.raises(LoadError, match=r'put the call below `if __name__ == "__main__":`'):
        import_module("careless")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workers": 0}, "workers= takes a number from 1"),
        ({"workers": 1, "bind": "udp://x"}, "not an address"),
        ({"workers": 1, "bind": "tcp://0.0.0.0"}, "key"),
        ({"workers": 1, "max_lost": 2.0}, "max_lost= takes a share"),
        ({"workers": 1, "silence": "soon"}, "not a time span"),
        ({"workers": 1, "silence": 0}, r"after a silence of 0 s: 0\.5 s is the least"),
        (
            {"workers": 1, "dead_man": 1},
            "a dead-man time of 1 s is too short for .* 10 s.*: 2 s is the least",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(loadtest, given, words):
    with pytest.raises(UsageError, match=words):
        chaperon.master(loadtest.production, **given)
