"""Who is there when a run begins, and what becomes of one who comes or goes just then; on simulated time."""

import pytest
from test_fleet import Ground, events

from chaperon import iterations, rate, users
from chaperon.cluster.worker.assignment import SUSPENDED
from chaperon.cluster.worker.engine_codes import GIVEN_UP, OVER, UNABLE
from chaperon.errors import LoadError, WorkersMissing
from chaperon.measure.window import VisitCounts
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long


@pytest.mark.parametrize("load", [rate(20, hold=6), users(9, hold=6)], ids=["rate", "users"])
def test_shares_recalled_before_their_holder_has_begun_go_to_who_came_last(load):
    stage = Ground(load)
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    holders = {b"w0/1", b"w1/1"}
    stage.net.mute |= holders  # the word that the run begins comes late
    stage.worker("w2")
    stage.clock.after(0.8, lambda: stage.net.mute.difference_update(holders))
    stage.clock.after(60.0, stage.master.kill)
    report = stage.play()

    assert report.duration < 10.0
    assert report.verdict is Verdict.PASS
    assert {worker.name for worker in report.workers if worker.visits} == {"w0", "w1", "w2"}
    assert report.ledger["shop"].planned == report.ledger["shop"].done == len(stage.made)


@pytest.mark.parametrize("closed", [False, True], ids=["cut off", "closed"])
def test_a_run_does_not_begin_with_a_worker_that_is_gone(closed):
    stage = Ground(rate(20, hold=5))
    stage.worker("gone")
    if closed:
        stage.clock.after(2.0, lambda: stage.net.close(b"gone/1"))
    else:
        stage.clock.after(2.0, lambda: stage.net.cut.add(b"gone/1"))
    stage.clock.after(2.5 if closed else 6.0, lambda: stage.worker("w1"))
    stage.clock.after(20.0, lambda: stage.worker("w2"))
    stage.fleet(2)
    stage.clock.after(60.0, stage.master.kill)
    report = stage.play()

    assert [(worker.name, worker.visits) for worker in report.workers] == [("w1", 50), ("w2", 50)]
    assert stage.told[:5] == [f"{n} of 2 workers are ready" for n in (0, 1, 0, 1, 2)]
    assert report.verdict is Verdict.PASS


def test_a_worker_that_comes_back_after_it_was_given_up_learns_that_the_run_goes_on_without_it():
    stage = Ground(rate(20, hold=40))
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    stage.after(5.0, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(18.0, lambda: stage.net.cut.discard(b"w1/1"))
    stage.after(25.0, lambda: stage.worker("w1", life=2))
    report = stage.play()

    assert stage.codes == {"w0/1": OVER, "w1/1": GIVEN_UP, "w1/2": OVER}
    assert stage.said.count("worker w1: the run is over") == 1
    assert [kind for _, kind in events(report)] == ["suspended", "lost", "joined"]


def test_a_worker_given_up_before_the_run_began_is_told_to_join_again():
    stage = Ground(rate(20, hold=5))
    stage.worker("w0")
    stage.clock.after(1.0, lambda: stage.net.cut.add(b"w0/1"))
    stage.clock.after(13.0, lambda: stage.net.cut.discard(b"w0/1"))
    stage.clock.after(20.0, lambda: stage.worker("w0", life=2))
    stage.clock.after(20.0, lambda: stage.worker("w1"))
    stage.fleet(2)
    report = stage.play()

    assert stage.codes == {"w0/1": GIVEN_UP, "w0/2": OVER, "w1/1": OVER}
    assert report.verdict is Verdict.PASS


def broken(welcome, data):
    raise LoadError("shop.py, line 3: no module named numpy")


def test_a_worker_that_comes_late_and_cannot_load_the_scenario_is_an_event_and_says_so():
    stage = Ground(rate(20, hold=20))
    stage.worker("w0")
    stage.fleet(1)
    stage.after(5.0, lambda: stage.worker("w1", load_environment=broken))
    report = stage.play()

    (lost,) = [event for _, event in report.happenings]
    assert lost.kind == "lost"
    assert lost.at == pytest.approx(5.5, abs=1.0)
    assert lost.text.startswith("w1 on ")
    assert lost.text.endswith(" cannot run the scenario: shop.py, line 3: no module named numpy")
    assert lost.text in stage.told
    assert "worker w1 cannot run the scenario: shop.py, line 3: no module named numpy" in stage.said
    assert stage.codes == {"w0/1": OVER, "w1/1": UNABLE}
    assert report.ledger["shop"].done == 400


def test_a_worker_whose_master_gives_up_before_the_beginning_says_so():
    stage = Ground(rate(20, hold=20))
    stage.worker("w0")
    with pytest.raises(WorkersMissing):
        stage.fleet(2, gather=5.0)
    stage.clock.run(lambda: "w0/1" in stage.codes)

    assert stage.said[-1] == "worker w0: the master has ended before its run began"


def test_the_end_of_a_run_is_said_once_though_the_word_of_it_comes_twice():
    stage = Ground(rate(20, hold=3), duplication=1.0)
    stage.worker("w0")
    stage.fleet(1)
    stage.play()

    assert stage.said.count("worker w0: the run is over") == 1


@pytest.mark.parametrize("second", ["x", "y"])
def test_a_name_that_looks_like_a_second_life_of_another_worker_is_one_of_its_own(second):
    stage = Ground(rate(20, hold=30))
    for name in ("x", "x#2" if second == "x" else "y"):
        stage.worker(name)
    stage.fleet(2)
    stage.after(5.0, lambda: stage.kill("x"))
    stage.after(18.0, lambda: stage.worker("x", life=2))
    stage.after(22.0, lambda: stage.worker("x#2", life=3) if second == "y" else None)
    report = stage.play()

    titles = [worker.title for worker in stage.master.state.workers]
    assert len(titles) == len(set(titles)) == len(report.workers)
    assert {worker.name for worker in report.workers} == set(titles)
    ledger = report.ledger["shop"]
    assert sum(worker.visits for worker in report.workers) == ledger.done
    assert ledger.planned == 600
    assert ledger.balanced
    assert not [reason for reason in report.reasons if "windows" in reason]


LOADS = [(rate(20, hold=10), 200), (users(4, hold=10), 400), (iterations(100, users=4), 100), (users(4), 4)]


@pytest.mark.parametrize("moment", [0.2, 0.95, 1.0, 1.05])
@pytest.mark.parametrize(("load", "visits"), LOADS, ids=lambda value: str(value))
@pytest.mark.parametrize("act", ["one leaves", "one comes"])
def test_a_worker_that_leaves_or_comes_in_the_second_before_the_first_visit_changes_nothing(act, load, visits, moment):
    stage = Ground(load)
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    leave = stage.crew["w1"].leave
    stage.clock.after(moment, leave if act == "one leaves" else lambda: stage.worker("w2"))
    report = stage.play()

    ledger = report.ledger["shop"]
    assert report.verdict is Verdict.PASS
    assert ledger.planned == ledger.done == len(stage.made)
    assert ledger.done == pytest.approx(visits, abs=2 if visits == 400 else 0)


@pytest.mark.parametrize("load", [rate(20, hold=30), users(4, hold=30)], ids=["rate", "users"])
@pytest.mark.parametrize("closed_at", [-0.5, 10.0])
def test_a_worker_that_starts_no_visit_for_lack_of_its_master_is_an_event_with_its_length(load, closed_at):
    stage = Ground(load)
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2, worker_timeout=40.0)
    stage.after(closed_at, lambda: stage.net.close(b"w1/1"))
    stage.after(closed_at + 5.0, lambda: stage.net.open(b"w1/1"))
    report = stage.play()

    (event,) = [event for worker, event in report.happenings if worker == "w1" and event.text == SUSPENDED]
    assert event.kind == "suspended"
    assert event.at == pytest.approx(max(closed_at, 0.0), abs=0.1)
    assert event.took == pytest.approx(5.0 + min(closed_at, 0.0), abs=1.0)


@pytest.mark.parametrize("muted", [False, True], ids=["in time", "the beginning is not known"])
def test_a_worker_that_leaves_before_it_knows_of_the_beginning_returns_its_shares(muted):
    stage = Ground(rate(20, hold=10))
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    if muted:
        stage.net.mute.add(b"w1/1")
        stage.clock.after(0.8, lambda: stage.net.mute.discard(b"w1/1"))
    stage.clock.after(0.7 if muted else 0.01, stage.crew["w1"].leave)
    report = stage.play()

    assert report.ledger["shop"].lost == 0
    assert report.ledger["shop"].done == 200
    assert not [worker.name for worker in report.workers if worker.lost]


def test_a_share_that_a_worker_was_leased_as_it_left_goes_to_others():
    stage = Ground(rate(20, hold=10))
    for name in ("w0", "w1"):
        stage.worker(name)
    master = stage.fleet(2)
    claim = master.state.leases.claim
    known = master.state.leases.all_leases(("w1", 1))[0]

    def leave_just_then():
        stage.crew["w1"].leave()
        master.state.leases.accept_return(("w1", 1), known)
        (again,) = master.state.leases.offers(stage.clock.now())
        assert claim(("w1", 1), again)

    stage.clock.after(0.01, leave_just_then)
    stage.clock.after(60.0, master.kill)
    report = stage.play()

    assert report.duration < 15.0
    assert report.ledger["shop"].done == 200


@pytest.mark.parametrize(
    ("load", "dropped"), [(rate(20, hold=6), 0), (users(9, hold=6), 0), (iterations(50, users=5), 50)], ids=str
)
def test_a_run_that_is_stopped_before_its_first_visit_has_lost_none(load, dropped):
    stage = Ground(load)
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    stage.master.stop("enough")
    report = stage.play()

    assert report.verdict is Verdict.ABORTED
    assert "enough" in report.reasons
    assert report.ledger["shop"] == VisitCounts(planned=dropped, dropped=dropped) if dropped else not stage.made
