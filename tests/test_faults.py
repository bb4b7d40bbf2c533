"""Under every fault the run ends by itself, the ledger balances, the report has what the target was asked."""

import os
import signal
import time

import pytest
from chaos import storm
from shells import engines
from thorough import some
from waits import lasting, until
from wires import Wire

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

QUICK = ("--silence", "2s", "--dead-man", "3s", "--json", "out.json", "--quiet", "--no-brake")


@pytest.fixture
def wire():
    opened = []

    def lay(address):
        opened.append(Wire(address))
        return opened[-1]

    yield lay
    for each in opened:
        each.close()


def reckoned(shells, target, *, in_flight=0):
    """Return the ledger, having seen that it balances and that the target was asked what is reported."""
    report = shells.report()
    (ledger,) = report["ledger"]
    ends = sum(ledger[fate] for fate in ("done", "failed", "interrupted", "no_row", "dropped", "lost"))
    count = sum(row["count"] for row in report["series"] if row["name"] == "GET /look")
    assert ledger["planned"] == ends, ledger
    for fate in ("planned", "done", "failed", "interrupted", "no_row", "dropped", "lost"):
        assert sum(second[fate] for second in report["seconds"]) == ledger[fate]
    assert target.count("GET /look") - in_flight <= count <= target.count("GET /look")
    return ledger


def running(shells, target, *args, workers=("alpha", "beta"), once=True, asked=1):
    """Start a master with its workers; return them once the target was asked so often."""
    master = shells.master("--url", target.url, *QUICK, *args, workers=len(workers))
    crew = [shells.worker(master.address, "--name", name, *(["--once"] if once else [])) for name in workers]
    until(lambda: len(target.asked) >= asked, within=40)
    return master, *crew


@pytest.mark.parametrize(
    ("load", "asked"),
    some([(("--rate", 60, "--hold", "6s"), 120), (("--users", 8, "--hold", "3s"), 500), (("--iterations", 300), 1)], 2),
    ids=str,
)
def test_an_engine_killed_on_its_way_loses_no_sample(shells, target, load, asked):
    local = shells.start(
        *("local", "shop.py", "--url", target.url, "--processes", 2, *load, *QUICK, "--max-lost", "20%"),
    )
    until(lambda: len(target.asked) >= asked, within=40)

    os.kill(engines(shells, named="local-1")[0], signal.SIGKILL)

    assert shells.ends(local) == 0, local.told
    ledger = reckoned(shells, target, in_flight=8)
    assert ledger["lost"] <= 60
    if load[0] == "--rate":
        assert ledger["planned"] == 360
    assert engines(shells) == []


def test_a_death_is_noticed_within_a_second_and_the_load_goes_on(shells, target):
    running(shells, target, "--rate", 60, "--hold", "6s", "--max-lost", "20%", asked=90)

    killed = time.monotonic()
    os.kill(engines(shells, named="alpha")[0], signal.SIGKILL)
    numbers = len(target.headers)
    until(lambda: _all_shares_asked(target, numbers), within=5)

    assert time.monotonic() - killed < 2.5  # the death within one second, its share of the next second within another
    assert shells.ends(shells.processes[0]) == 0
    ledger = reckoned(shells, target, in_flight=4)
    assert ledger["planned"] == 360
    assert ledger["lost"] < 60


def _all_shares_asked(target, since):
    """Whether arrivals of every one of the sixteen shares have come since then."""
    return len({int(h["HTTP_X_NUMBER"]) % 16 for h in target.headers[since + 30 :]}) == 16


def test_no_engine_outlives_its_supervisor_and_silence_gives_it_up(shells, target):
    master, alpha, _ = running(shells, target, "--rate", 60, "--hold", "8s", "--max-lost", "60%", asked=60)

    alpha.kill()

    until(lambda: not engines(shells, named="alpha"), within=1)
    assert shells.ends(master) == 0, master.told
    ledger = reckoned(shells, target, in_flight=90)  # alpha's work since its last window is unknown
    assert ledger["planned"] == pytest.approx(480, abs=70)
    assert 0 < ledger["lost"] < 200
    assert [w["name"] for w in shells.report()["workers"] if w["lost"]] == ["alpha"]


def test_losses_beyond_the_limit_make_the_run_invalid_and_name_it(shells, target):
    master, alpha, _ = running(shells, target, "--rate", 60, "--hold", "7s", asked=60)

    alpha.kill()

    assert shells.ends(master) == 5
    assert any("visits were lost with alpha: " in reason for reason in shells.report()["reasons"])


@pytest.mark.parametrize("stopped", some([5.0, 1.0], 2))
def test_a_stopped_engine_is_waited_for_or_given_up_and_fenced(shells, target, stopped):
    master, *_ = running(shells, target, "--rate", 60, "--hold", "9s", "--max-lost", "60%", asked=60)
    (engine,) = engines(shells, named="alpha")

    os.kill(engine, signal.SIGSTOP)
    lasting(stopped)
    os.kill(engine, signal.SIGCONT)

    assert shells.ends(master) == 0, master.told
    ledger = reckoned(shells, target)
    assert ledger["planned"] == 540
    assert (ledger["lost"] == 0) is (stopped < 2)


def test_a_worker_that_never_says_ready_is_not_waited_for_longer_than_asked(shells, target):
    (shells.folder / "stuck.py").write_text(
        "import os, time\nfrom chaperon import step\n"
        "if os.environ.get('STUCK'):\n    time.sleep(3600)\n\n@step\ndef look(session):\n    session.get('/look')\n"
    )
    master = shells.master("--url", target.url, *QUICK, "--gather", "4s", file="stuck.py", workers=1)
    shells.worker(master.address, "--once", env={**os.environ, "STUCK": "1"})

    assert shells.ends(master) == 6
    assert "0 of 1 workers were ready" in master.told[-1]
    assert not target.asked


def test_a_worker_that_cannot_import_the_scenario_says_why_before_the_start(shells, target):
    (shells.folder / "picky.py").write_text(
        "import os\nfrom chaperon import step\n"
        "if os.environ.get('LACKING'):\n    import no_such_module\n\n"
        "@step\ndef look(session):\n    session.get('/look')\n"
    )
    master = shells.master("--url", target.url, *QUICK, file="picky.py")
    shells.worker(master.address, "--once", "--name", "alpha")
    shells.worker(master.address, "--once", "--name", "beta", env={**os.environ, "LACKING": "1"})

    assert shells.ends(master) == 3
    assert "beta on " in master.told[-1]
    assert "No module named 'no_such_module'" in master.told[-1]
    assert not target.asked


@pytest.mark.parametrize("cut", some([4.0, 1.0], 2))
def test_a_link_cut_and_healed(shells, target, wire, cut):
    master = shells.master(
        *("--url", target.url, *QUICK, "--rate", 60, "--hold", "9s", "--max-lost", "60%", "--dead-man", "9s")
    )
    way = wire(master.address)
    shells.worker(master.address, "--once", "--name", "alpha")
    shells.worker(way.address, "--once", "--name", "beta")
    until(lambda: len(target.asked) >= 60, within=40)

    way.cut()
    lasting(cut)
    way.heal()

    assert shells.ends(master) == 0, master.told
    ledger = reckoned(shells, target)
    if cut < 2:
        assert ledger["planned"] == ledger["done"] == 540
    else:
        twice = shells.report()["notes"].get("visits that a worker given up has made, and its successor again", 0)
        assert ledger["planned"] == 540 + twice


def test_a_link_that_never_heals_stops_the_load_of_who_is_cut_off(shells, target, wire):
    master = shells.master("--url", target.url, *QUICK, "--rate", 20, "--hold", "60s", workers=1)
    way = wire(master.address)
    worker = shells.worker(way.address, "--once", "--name", "alpha")
    until(lambda: len(target.asked) >= 20, within=40)

    way.cut()

    assert shells.ends(worker, within=15) == 6
    assert any("no message from the master" in line for line in worker.told)
    asked = len(target.asked)
    lasting(1)
    assert len(target.asked) == asked
    assert shells.ends(master) == 5
    assert "no worker is left" in shells.report()["reasons"]


def test_without_its_master_a_worker_stops_then_joins_the_next(shells, target):
    master, worker = running(shells, target, "--rate", 20, "--hold", "60s", workers=("alpha",), once=False, asked=20)

    master.kill()
    shells.told(worker, "it pauses until the master answers")
    asked = len(target.asked)
    lasting(1)
    still = len(target.asked)
    again = shells.start(
        *("master", "shop.py", "--workers", 1, "--bind", master.address),
        *("--url", target.url, "--iterations", 10, *QUICK),
    )

    assert still == asked
    assert shells.ends(again) == 0, (again.told, worker.told)
    assert worker.poll() is None
    assert shells.report()["ledger"][0]["done"] == 10


def test_a_master_restarted_at_once_is_a_new_run(shells, target):
    master, worker = running(shells, target, "--rate", 20, "--hold", "60s", workers=("alpha",), once=False, asked=20)

    master.kill()
    master.wait()
    target.asked.clear()
    again = shells.start(
        *("master", "shop.py", "--workers", 1, "--bind", master.address),
        *("--url", target.url, "--iterations", 10, *QUICK),
    )

    assert shells.ends(again) == 0, (again.told, worker.told)
    assert shells.report()["ledger"][0]["planned"] == 10


def test_a_second_worker_of_the_same_name_is_refused(shells, target):
    master, *_ = running(shells, target, "--rate", 20, "--hold", "4s", workers=("alpha",))

    second = shells.worker(master.address, "--once", "--name", "alpha")

    assert shells.ends(second) == 6
    assert any("is here already" in line for line in second.told)
    assert shells.ends(master) == 0
    assert reckoned(shells, target)["done"] == 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_master_stops_all_in_order(shells, target, number):
    master, *crew = running(shells, target, "--rate", 40, "--hold", "60s", asked=40)

    master.send_signal(number)

    assert shells.ends(master, within=15) == 130
    assert [shells.ends(worker, within=15) for worker in crew] == [0, 0]
    ledger = reckoned(shells, target)
    assert ledger["planned"] == ledger["done"]
    assert shells.report()["verdict"] == "ABORTED"


def test_a_second_ctrl_c_ends_every_visit_now(shells, target):
    (shells.folder / "slow.py").write_text(
        "from chaperon import step\n\n@step\ndef look(session):\n    session.get('/slow')\n"
    )
    master = shells.master("--url", target.url, *QUICK, "--users", 6, "--hold", "60s", file="slow.py")
    crew = [shells.worker(master.address, "--once", "--name", name) for name in ("alpha", "beta")]
    until(lambda: len(target.asked) == 6, within=40)

    master.send_signal(signal.SIGINT)
    shells.told(master, "once more")
    master.send_signal(signal.SIGINT)

    assert shells.ends(master, within=10) == 130
    assert [shells.ends(worker, within=10) for worker in crew] == [0, 0]
    assert shells.report()["ledger"][0]["interrupted"] == 6
    assert "ended early by Ctrl-C" in shells.report()["reasons"]


def test_ctrl_c_on_a_worker_hands_its_shares_back(shells, target):
    master, alpha, _ = running(shells, target, "--rate", 60, "--hold", "6s", asked=120)

    alpha.send_signal(signal.SIGINT)

    assert shells.ends(alpha, within=10) == 130
    assert shells.ends(master) == 0, master.told
    ledger = reckoned(shells, target)
    assert ledger["planned"] == ledger["done"] == 360


def test_a_late_joiner_takes_shares_over(shells, target):
    master, *_ = running(shells, target, "--rate", 60, "--hold", "10s", workers=("alpha",), asked=60)

    shells.worker(master.address, "--once", "--name", "beta")

    assert shells.ends(master) == 0, master.told
    ledger = reckoned(shells, target)
    visits = {w["name"]: w["visits"] for w in shells.report()["workers"]}
    assert ledger["planned"] == ledger["done"] == 600
    assert visits["beta"] > 60


def test_when_no_worker_is_left_the_run_ends_with_what_is_known(shells, target):
    master, *crew = running(shells, target, "--rate", 40, "--hold", "60s", asked=40)

    for worker in crew:
        worker.kill()

    assert shells.ends(master, within=20) == 5
    assert reckoned(shells, target, in_flight=90)["planned"] == 2400
    assert "no worker is left" in shells.report()["reasons"]


def test_a_limit_that_aborts_acts_on_the_whole_within_two_seconds(shells, target):
    master, *_ = running(shells, target, "--rate", 40, "--hold", "60s", "--limit", "count < 80 abort")

    assert shells.ends(master, within=15) == 4
    assert target.count("GET /look") < 80 + 3 * 40
    assert reckoned(shells, target)["planned"] == target.count("GET /look")


def test_a_slow_worker_is_named_and_the_others_do_their_part(shells, target):
    (shells.folder / "slow.py").write_text(
        "import os\nfrom gevent.monkey import get_original\nfrom chaperon import step\n\n"
        "blocking = get_original('time', 'sleep')  # as bad as computing, but it leaves the other its core\n\n"
        "@step\ndef look(session):\n    session.get('/look')\n    blocking(0.2 if os.environ.get('HOG') else 0)\n"
    )
    patience = ("--silence", "10s", "--dead-man", "12s")  # a blocked worker is slow to answer, and is not lost for that
    load = ("--rate", 20, "--hold", "5s")
    master = shells.master("--url", target.url, *QUICK, *patience, *load, file="slow.py", workers=2)
    shells.worker(master.address, "--once", "--name", "fast")
    shells.worker(master.address, "--once", "--name", "hog", env={**os.environ, "HOG": "1"})

    code = shells.ends(master)

    ledger = reckoned(shells, target)
    late = {w["name"]: w["late_p99"] for w in shells.report()["workers"]}
    assert code in (0, 5)
    assert ledger["planned"] == 100
    assert ledger["lost"] == 0
    assert late["hog"] > 5 * late["fast"]


@pytest.mark.parametrize("seed", some([1, 2, 3], 3))
def test_chaos_ends_with_a_balanced_ledger(seed, shells, target):
    storm(seed, shells, target)
