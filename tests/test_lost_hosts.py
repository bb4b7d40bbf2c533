"""A whole host is lost: what it had begun is lost once, in its seconds, what it reported as begun not made again."""

import os
import re
import signal
from collections import Counter
from types import SimpleNamespace
from unittest import mock

import pytest
from shells import engines
from test_fleet import Ground
from thorough import some

from chaperon import iterations, rate, users, users_per_second
from chaperon.cluster.master.loss_limit import AGAIN, UNSEEN
from chaperon.cluster.master.state import DUPLICATED
from chaperon.cluster.master.unseen import RunCourse, unseen_visits
from chaperon.cluster.master.windows import LossCorrections, WindowSequencer
from chaperon.load.kinds.iterations import Iterations
from chaperon.load.kinds.rate import Rate
from chaperon.load.kinds.users import Users
from chaperon.load.share import deal
from chaperon.measure.window import VisitCounts, Window
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long


def lost_at(at, load, *, took=0.2, heal=None, **options):
    """Play a load on three workers, of whom one falls silent for good at a moment, or until it heals."""
    stage = Ground(load, took=took, **options)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    if heal is None:
        stage.after(at, lambda: stage.kill("w1"))
    else:
        stage.after(at, lambda: stage.net.cut.add(b"w1/1"))
        stage.after(heal, lambda: stage.net.cut.discard(b"w1/1"))
    return stage, stage.play()


def said(stage):
    """Return how many visits the lost worker had said to have begun."""
    (worker,) = [worker for worker in stage.master.state.workers if worker.title == "w1"]
    return sum(span.reached - span.start for span in worker.progress_log)


MOMENTS = some([10.0, 10.21, 10.49, 10.77, 10.98], 2)


@pytest.mark.parametrize("at", MOMENTS)
def test_iterations_a_lost_host_was_heard_to_begin_are_not_made_again(at):
    stage, report = lost_at(at, iterations(900, users=9))

    made = Counter(number for _, number, _ in stage.made)
    again = sum(times - 1 for times in made.values())
    ledger = report.ledger["shop"]
    assert ledger.planned == 900
    assert ledger.balanced
    assert set(made) == set(range(900))
    assert again <= 9  # three users, half a second between two words, five visits a second each
    assert len(stage.made) - again == ledger.done + ledger.lost
    assert report.notes[Iterations.lost_note] == 1


@pytest.mark.parametrize("at", MOMENTS)
def test_visits_of_users_on_a_lost_host_are_counted_as_far_as_it_was_heard(at):
    stage, report = lost_at(at, users(9, hold=30))

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert 0 <= len(stage.made) - ledger.planned <= 9
    assert report.notes[Users.lost_note] == 1
    seconds = {row.at: row.counts.lost for row in report.seconds if row.counts.lost}
    assert set(seconds) <= set(range(int(at) - 2, int(at) + 1))  # what was in flight at the last cut is among it
    assert sum(seconds.values()) == ledger.lost


@pytest.mark.parametrize("at", MOMENTS)
def test_one_visit_of_each_user_is_one_visit_though_a_host_is_lost(at):
    stage, report = lost_at(at, users(300, ramp=30))

    ledger = report.ledger["shop"]
    assert ledger.planned == 300
    assert ledger.balanced
    assert 300 <= len(stage.made) <= 305
    assert {user for *_, user in stage.made} == set(range(300))


@pytest.mark.parametrize("at", MOMENTS)
def test_arrivals_of_a_lost_host_are_lost_in_the_seconds_they_were_due(at):
    stage, report = lost_at(at, rate(30, hold=40))

    ledger = report.ledger["shop"]
    assert ledger.planned == 1200
    assert ledger.balanced
    assert {row.at: row.counts.planned for row in report.seconds if row.counts.planned} == dict.fromkeys(range(40), 30)
    assert max(Counter(number for _, number, _ in stage.made).values()) == 1
    assert report.notes[Rate.lost_note] == 1


@pytest.mark.parametrize("load", [iterations(900, users=9), users(9, hold=30)], ids=str)
def test_what_was_written_off_is_taken_back_when_the_host_comes_back(load):
    stage, report = lost_at(8.3, load, heal=25.0)

    ledger = report.ledger["shop"]
    assert ledger.balanced
    assert ledger.lost == 0
    assert ledger.done == ledger.planned == len(stage.made)
    assert not any(kind.lost_note in report.notes for kind in (Iterations, Rate, Users))


def test_a_host_lost_to_the_end_of_the_run_is_written_off_in_its_seconds():
    stage = Ground(iterations(200, users=6), took=0.2)
    stage.worker("w0")
    stage.worker("w1")
    stage.fleet(2)
    stage.after(4.3, lambda: stage.kill("w1"))
    stage.after(6.0, lambda: stage.master.stop("enough"))

    report = stage.play()

    ledger = report.ledger["shop"]
    assert ledger.planned == 200
    assert ledger.balanced
    assert said(stage) == 60
    known = len(stage.made) - ledger.done
    assert {row.at for row in report.seconds if row.counts.lost} <= {3, 4, 5, 6}
    assert ledger.lost >= known - 6
    assert report.notes[Iterations.lost_note] == 1


PACED = """
from chaperon import step


@step
def look(session):
    session.get("/look", headers={"X-Number": str(session.visit.number), "X-User": str(session.visit.user)})
    session.sleep(0.1)
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "load"),
    [
        (signal.SIGKILL, ("--iterations", 160, "--users", 8)),
        (signal.SIGSTOP, ("--users", 8, "--hold", "3s")),
    ],
    ids=str,
)
def test_the_target_was_asked_what_is_told_but_for_what_was_under_way(shells, target, number, load):
    (shells.folder / "paced.py").write_text(PACED)
    master = shells.master(
        *("--url", target.url, *load, "--silence", "1500ms", "--dead-man", "2s", "--max-lost", "60%"),
        *("--json", "out.json", "--quiet", "--no-brake"),
        file="paced.py",
    )
    host, _ = (shells.worker(master.address, "--name", name, "--once") for name in ("alpha", "beta"))
    shells.until(lambda: len(target.asked) > 50)

    for pid in (*engines(shells, named="alpha"), host.pid):  # the whole host, at one moment
        os.kill(pid, number)

    assert shells.ends(master) == 0, master.told
    report = shells.report()
    (ledger,) = report["ledger"]
    made = Counter((h["HTTP_X_NUMBER"], h["HTTP_X_USER"]) for h in target.headers)
    again = sum(times - 1 for times in made.values())
    assert ledger["planned"] == sum(
        ledger[fate] for fate in ("done", "failed", "interrupted", "no_row", "dropped", "lost")
    )
    assert 0 < ledger["lost"] < 60
    under_way = 4 * 3  # its users, with what each may have begun in the tenth of a second since its last word
    if load[0] == "--iterations":
        assert ledger["planned"] == len({n for n, _ in made}) == 160
        assert again <= under_way
    else:
        assert ledger["planned"] <= len(target.asked) <= ledger["planned"] + under_way
    assert ledger["done"] <= len(target.asked) - again <= ledger["done"] + ledger["lost"] + under_way
    assert any("after the last word" in note for note in report["notes"])


class Unheard(Ground):
    """A fleet of which one worker goes on for a while, unheard, and then loses its power."""

    def lose(self, name, *, at, off):
        self.after(at, lambda: self.net.cut.add(f"{name}/1".encode()))
        self.after(off, lambda: self.crew[name].assignment.load.engine.stop(0.0))


@pytest.mark.parametrize("off", [12.0, 17.0, 40.0])
def test_visits_of_users_behind_a_cut_link_that_never_heals_are_estimated_and_judged(off):
    stage = Unheard(users(9, hold=60), took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.lose("w1", at=10.0, off=off)
    report = stage.play()

    unseen = report.notes[UNSEEN]
    missing = len(stage.made) - report.ledger["shop"].planned
    assert missing - 3 <= unseen <= 150  # three users at five visits a second until its leases have expired
    assert (unseen == pytest.approx(missing, abs=15)) == (off > 19.0)
    assert report.verdict is Verdict.INVALID
    (reason,) = report.reasons
    assert re.fullmatch(
        r"about 1\d\d visits that w1 began and did not report are in no count, "
        r"beside \d+ that were lost: \d+\.\d%, more than 1%",
        reason,
    )


@pytest.mark.parametrize(
    ("came", "missing"), [(range(1, 11), 0), ((1, 2, 3, 8, 9, 10), 4), ((3, 10, 5), 7), ((10,), 9), ((), 0)], ids=str
)
def test_visits_of_seconds_whose_windows_are_missing_before_later_ones_are_estimated(came, missing):
    windows = WindowSequencer()
    windows.close()
    for seq in came:
        ledger = {("shop", 19 + seq): VisitCounts(planned=5, done=5)}
        windows.accept(Window("w0", seq, 19 + seq, ledger=ledger))
    worker = SimpleNamespace(
        windows=windows,
        all_windows_in=False,
        last_word_at=30.0,
        disconnected_at=30.0,
        windows_until=None,
        lost_shares={"0:0/1": 0},
    )
    (share,) = deal([("shop", users(1, hold=60))])
    course = RunCourse(0.0, 60.0, None, 10.0, (), {"shop": 300}, {share.name: share}, ())

    found = unseen_visits(worker, course)

    assert windows.missing == missing
    assert windows.first_second == (20 if came else 0)
    assert found == 5 * missing


@pytest.mark.parametrize("at", [0.0, 0.5])
def test_visits_of_users_on_a_worker_that_is_cut_off_before_any_is_known_are_estimated_by_those_of_all(at):
    stage = Unheard(users(9, hold=30), took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.lose("w1", at=at, off=40.0)
    report = stage.play()

    missing = len(stage.made) - report.ledger["shop"].planned
    assert missing > 60
    assert report.notes[UNSEEN] == pytest.approx(missing, rel=0.4)
    assert report.verdict is Verdict.INVALID


def test_what_a_worker_that_was_given_up_says_later_is_not_its_last_word():
    stage = Unheard(users(9, hold=20), took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(5.0, lambda: stage.net.cut.add(b"w1/1"))
    with mock.patch.object(stage.crew["w1"]._link, "send_window", return_value=True):  # none comes any more
        stage.after(16.0, lambda: stage.net.cut.discard(b"w1/1"))
        report = stage.play()

    missing = len(stage.made) - report.ledger["shop"].planned
    assert report.notes[UNSEEN] == pytest.approx(missing, rel=0.4)
    assert report.verdict is Verdict.INVALID


def test_a_worker_behind_a_cut_link_that_heals_has_no_visits_to_estimate():
    stage, report = lost_at(10.0, users(9, hold=40), heal=25.0)

    assert UNSEEN not in report.notes
    assert len(stage.made) == report.ledger["shop"].planned
    assert report.verdict is Verdict.PASS


def paused(stage):
    stage.after(9.0, stage.master.pause)
    stage.after(14.0, stage.master.resume)


CHANGES = {
    "nothing": lambda stage: None,
    "a stop": lambda stage: stage.after(9.0, lambda: stage.master.stop("enough")),
    "a pause": paused,
    "a cut to a quarter": lambda stage: stage.after(9.0, lambda: stage.master.scale(0.25)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "load", [users(9, hold=30), users(9, hold=10), rate(20, hold=30), users_per_second(5, visits=3, hold=30)], ids=str
)
def test_what_a_worker_sends_that_does_not_know_of_a_change_or_of_the_end_is_estimated(load, change):
    stage = Unheard(load, took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.lose("w1", at=8.0, off=60.0)
    CHANGES[change](stage)
    report = stage.play()

    missing = len(stage.made) - report.ledger["shop"].planned
    assert report.notes.get(UNSEEN, 0) == pytest.approx(max(missing, 0), abs=12)
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("load", [iterations(900, users=9), users(300, ramp=30)], ids=str)
def test_visits_of_a_fixed_number_that_a_cut_off_worker_made_unheard_are_noted_with_their_number(load):
    stage = Unheard(load, took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.lose("w1", at=6.0, off=60.0)
    report = stage.play()

    assert report.notes[AGAIN] == pytest.approx(len(stage.made) - report.ledger["shop"].planned, rel=0.2)
    assert UNSEEN not in report.notes


@pytest.mark.parametrize("load", [rate(40, hold=30), iterations(900, users=9)], ids=str)
def test_visits_of_a_plan_are_not_estimated(load):
    _, report = lost_at(10.0, load)

    assert UNSEEN not in report.notes


@pytest.mark.parametrize("never", [1, 2, 4])
@pytest.mark.parametrize("load", [iterations(300, users=9), users(60, ramp=12)], ids=str)
def test_a_window_that_never_comes_from_a_host_that_came_back_leaves_the_plan_as_it_was(load, never):
    stage = Ground(load, took=0.7)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    send = stage.crew["w1"]._link.send_window
    with mock.patch.object(stage.crew["w1"]._link, "send_window", lambda frame: frame.seq == never or send(frame)):
        stage.after(3.3, lambda: stage.net.cut.add(b"w1/1"))
        stage.after(14.0, lambda: stage.net.cut.discard(b"w1/1"))
        report = stage.play()

    ledger, again = report.ledger["shop"], report.notes.get(DUPLICATED, 0)
    plan = 300 if isinstance(load, Iterations) else 60
    assert ledger.balanced
    assert ledger.planned == plan + again
    assert not [reason for reason in report.reasons if "were planned" in reason]


def test_visits_written_off_whose_ends_came_without_their_beginning_are_counted_once():
    corrections, windows = LossCorrections(), WindowSequencer()
    windows.write_off(Counter({("shop", 0): 2}))
    windows.closed = True
    windows.accept(Window("w1", 2, 1, ledger={("shop", 0): VisitCounts(done=3)}))
    changed = corrections.update_in_flight({"w1": windows}, scheduled=("shop",))

    assert changed == {("shop", 0): VisitCounts(planned=1, lost=-2)}
    assert (corrections.duplicated, windows.lost, windows.unreported.total()) == (1, 0, 0)

    windows.accept(Window("w1", 1, 0, ledger={("shop", 0): VisitCounts(planned=3)}))
    changed = corrections.update_in_flight({"w1": windows}, scheduled=("shop",))

    assert changed == {("shop", 0): VisitCounts(planned=-1, lost=2)}
    assert corrections.duplicated == 0


def test_a_late_window_of_visits_that_none_has_missed_leaves_none_missed():
    corrections = LossCorrections()
    late = Window("w1", 3, 2, ledger={("shop", 1): VisitCounts(planned=4, done=4)})
    changed = corrections.record_window(late, given_up=True, scheduled=frozenset({"shop"}), found={})

    assert not changed
    assert not corrections.missed
    assert corrections.duplicated == 4


@pytest.mark.parametrize(("arriving", "expected"), [((), VisitCounts(planned=5)), (("shop",), VisitCounts(lost=-5))])
def test_visits_that_ended_in_a_window_and_began_in_one_that_never_came_were_planned(arriving, expected):
    corrections, windows = LossCorrections(), WindowSequencer()
    windows.closed = True
    windows.accept(Window("w1", 4, 3, ledger={("shop", 1): VisitCounts(done=5)}))

    assert corrections.update_in_flight({"w1": windows}, arriving=arriving) == {("shop", 1): expected}
    assert not corrections.update_in_flight({"w1": windows}, arriving=arriving)

    windows.accept(Window("w1", 3, 2, ledger={("shop", 1): VisitCounts(planned=7)}))
    (change,) = corrections.update_in_flight({"w1": windows}, arriving=arriving).values()
    assert (expected.planned + change.planned, expected.lost + change.lost) == (0, 2)
