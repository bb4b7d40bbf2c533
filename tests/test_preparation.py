"""What an environment sets up once is there for every session, and is always torn down."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from gevent.event import Event

from chaperon import Environment, LoadError, Scenario, run, users
from chaperon.errors import TeardownError
from chaperon.execution.setup import Setup


def environment(target, *steps, **options):
    scenario = Scenario(*(steps or [lambda session: session.get("/")]), name="shop")
    return Environment(getattr(target, "url", target), scenarios=[run(scenario, users(3))], **options)


def test_setup_runs_once_and_what_it_returns_reaches_every_session(target):
    told, seen = [], []

    def setup():
        told.append("setup")
        return {"keys": {"api": "k"}}

    environment(
        target,
        lambda session: seen.append((session.config["keys.api"], session.config["keys.own"])),
        config={"keys": {"own": 1}},
        setup=setup,
        teardown=lambda: told.append("teardown"),
    ).execute()

    assert told == ["setup", "teardown"]
    assert seen == [("k", 1)] * 3


def test_setup_and_teardown_may_take_the_config(target):
    told = []

    environment(
        target,
        config={"a": 1},
        setup=lambda config: {"b": config["a"] + 1},
        teardown=lambda config: told.append((config["a"], config["b"])),
    ).execute()

    assert told == [(1, 2)]


def generator():
    TOLD.append("in")
    yield {"x": 1}
    TOLD.append("out")


class Manager:
    def __enter__(self):
        TOLD.append("in")
        return {"x": 1}

    def __exit__(self, *exc):
        TOLD.append("out")


TOLD = []


@pytest.mark.parametrize(
    "setup", [generator, contextmanager(generator), Manager(), Manager], ids=["generator", "made", "instance", "class"]
)
def test_a_context_manager_is_open_as_long_as_the_run(target, setup):
    TOLD.clear()

    environment(target, lambda session: TOLD.append(session.config["x"]), setup=setup).execute()

    assert TOLD == ["in", 1, 1, 1, "out"]


def test_the_url_that_setup_returns_is_where_requests_go_unless_one_was_ordered(target, dead_port):
    nowhere = f"http://127.0.0.1:{dead_port}"

    environment(nowhere, setup=lambda: {"url": target.url}).execute()
    environment(nowhere, setup=lambda: {"url": nowhere}).adapt(url=f"{target.url}/ordered").execute()

    assert target.asked == ["GET /"] * 3 + ["GET /ordered/"] * 3


def test_entries_win_over_setup(target):
    seen = []
    scenario = Scenario(lambda session: seen.append(session.config["who"]), name="s")

    Environment(target.url, scenarios=[run(scenario, who="entry")], setup=lambda: {"who": "setup"}).execute()

    assert seen == ["entry"]


def test_a_failing_setup_is_one_clear_error_and_nothing_is_sent(target):
    told = []

    def setup():
        raise OSError("no room")

    with pytest.raises(
        LoadError, match=r"the setup of 'environment' failed: OSError: no room \(test_preparation.py:\d+ in \w+\)"
    ):
        environment(target, setup=setup, teardown=lambda: told.append("teardown")).execute()

    assert (told, target.asked) == ([], [])


@pytest.mark.parametrize("given", [42, {"url": 7}, {"url": "nonsense"}])
def test_what_a_setup_cannot_return_is_refused_and_torn_down(target, given):
    told = []

    with pytest.raises(LoadError):
        environment(target, setup=lambda: given, teardown=lambda: told.append("teardown")).execute()

    assert (told, target.asked) == (["teardown"], [])


@pytest.mark.parametrize("ends", ["abort", "fault", "limit"])
def test_teardown_runs_however_the_run_ends(target, ends):
    told = []
    steps = {
        "abort": lambda session: session.stop_run("enough"),
        "fault": lambda session: 1 / 0,
        "limit": lambda session: session.get("/status/500"),
    }

    environment(target, steps[ends], limits=["errors < 1%"], teardown=lambda: told.append("teardown")).execute()

    assert told == ["teardown"]


def test_a_failing_teardown_loses_nothing_that_was_measured(target):
    with pytest.raises(TeardownError, match="the teardown of 'environment' failed: ZeroDivisionError") as caught:
        environment(target, teardown=lambda: 1 / 0).execute()

    assert caught.value.report["GET /"].count == 3


def test_a_teardown_that_hangs_is_given_up():
    preparation = Setup(None, Event().wait, {}, name="shop", patience=0.05)

    with pytest.raises(TeardownError, match=r"longer than 0\.05 s"), preparation:
        pass


def test_a_preparation_is_done_by_whoever_conducts_the_run(target):
    told = []
    prepared = environment(target, setup=lambda: {"n": 1}, teardown=lambda config: told.append(config["n"]))

    with prepared.plan().new_setup() as given:
        report = prepared.plan().with_setup_result(given)
    prepared_twice = prepared.plan().new_setup()
    prepared_twice.begin()
    prepared_twice.end()
    prepared_twice.end()

    assert report.config == {"n": 1}
    assert told == [1, 1]


def test_the_command_line_exits_with_three_and_still_reports(process, tmp_path, target):
    (tmp_path / "shop.py").write_text(
        "from chaperon import Environment, Scenario\n"
        f"def setup():\n    return {{'url': {target.url!r}}}\n"
        "def teardown():\n    raise ValueError('stuck')\n"
        "shop = Scenario(lambda s: s.get('/'), name='s')\n"
        "production = Environment(scenarios=[shop], setup=setup, teardown=teardown)\n"
    )

    done = process("local", "shop.py", "--json", "out.json")

    assert done.returncode == 3
    assert "chaperon: the teardown of 'production' failed: ValueError: stuck" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "PASS"


@pytest.mark.faults
@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_during_the_setup_undoes_what_it_has_done(tmp_path, number, name):
    (tmp_path / "shop.py").write_text(
        "import gevent\n"
        "from chaperon import Environment, Scenario\n"
        "def setup():\n"
        "    try:\n        print('up', flush=True)\n        gevent.sleep(60)\n        yield\n"
        "    finally:\n        print('down', flush=True)\n"
        "production = Environment(scenarios=[Scenario(print, name='s')], setup=setup)\n"
    )
    command = [sys.executable, "-m", "chaperon", "local", "shop.py"]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    assert child.stdout.readline() == "up\n"
    child.send_signal(number)
    out, err = child.communicate(timeout=20)

    assert (child.returncode, out, err) == (130, "down\n", f"chaperon: ended by {name}\n")
