"""Sessions tell each other things, wait for each other, keep connections alive meanwhile."""

import pytest
from scenes import errors_of, simulated

from chaperon import PlanError, RendezvousTimeout, SignalTimeout, users
from chaperon.errors import UsageError


def test_a_signal_reaches_the_task_it_is_for_sent_before_or_after_the_wait():
    got = []

    def waits(session, name):
        session.sleep(2 if name == "late" else 0)
        got.append((name, session.wait_signal()))

    def sends(session):
        tasks = [session.spawn(waits, name, task=name) for name in ("early", "late")]
        session.sleep(1)
        for task in tasks:
            task.signal(f"for {task.name}")

    simulated(sends)

    assert got == [("early", "for early"), ("late", "for late")]


def test_a_child_signals_its_parent():
    def subscribes(session):
        session.sleep(1)
        session.parent.signal(("subscribed", session.id))

    def parent(session):
        session.spawn(subscribes)
        assert session.wait_signal(lambda signal: signal[0] == "subscribed") == ("subscribed", "shop-0.1")
        assert session.clock.now() == pytest.approx(1001)

    assert simulated(parent).visits.done == 1


def test_what_was_not_waited_for_is_kept_in_order():
    def waits(session):
        for value in ("a", "b", "c", None):
            session.signal(value)
        assert session.wait_signal("c") == "c"
        assert session.wait_signal(None) is None
        assert session.wait_signal(lambda value: value > "a") == "b"
        assert session.wait_signal() == "a"
        with pytest.raises(SignalTimeout, match="a signal did not come within 0 s"):
            session.wait_signal(timeout=0)

    assert simulated(waits).visits.done == 1


def test_a_signal_that_does_not_come_can_be_done_without():
    def waits(session):
        start = session.clock.now()
        session.signal("another")
        with pytest.raises(SignalTimeout, match=r"the signal 'mine' did not come within 0\.5 s; 1 others did"):
            session.wait_signal("mine", timeout="500ms")
        assert session.clock.now() - start == pytest.approx(0.5)
        assert session.wait_signal("another") == "another"

    report = simulated(waits)

    assert (report.visits.done, errors_of(report)) == (1, {})


def test_a_wait_without_a_timeout_ends_with_its_run():
    report = simulated(lambda session: session.wait_signal(), load=users(1, hold=1), grace=1)

    assert report.visits.interrupted == 1
    assert report.duration == pytest.approx(2)


@pytest.mark.parametrize(
    ("signal_at", "timeout", "beats"), [(None, 0.19, 3), (0.125, 1, 2), (None, 0.075, 1), (None, 0.04, 0)]
)
def test_something_is_done_every_so_often_during_a_wait(signal_at, timeout, beats):
    beaten = []

    def waits(session):
        if signal_at is not None:
            session.spawn(lambda child: (child.sleep(signal_at), child.parent.signal("now")), task="sends")
        with session.every("50ms", beat):
            try:
                session.wait_signal("now", timeout=timeout)
            except SignalTimeout:
                assert signal_at is None
        session.sleep(1)

    def beat(session):
        session.assign(beats=len(beaten))
        beaten.append(session.id)

    report = simulated(waits)

    assert beaten == ["shop-0"] * beats
    assert (report["call beat"].count if beats else 0) == beats


def test_it_is_done_in_any_wait_for_tasks_too_and_no_sample_is_counted_twice():
    def waits(session):
        session.spawn(lambda child: child.sleep(10), task="slow")
        with session.every(1, lambda: session.count("beats")):
            session.join("slow", timeout=60)
            session.sleep(5.5)

    report = simulated(waits)

    assert report["beats"].total == 15
    assert report["task slow"].count == 1


def test_what_fails_every_so_often_is_counted_and_tried_again():
    def beat():
        raise ValueError("no answer")

    def waits(session):
        with session.every(1, beat):
            session.sleep(3.5)

    report = simulated(waits)

    assert errors_of(report) == {("call beat", "ValueError"): 3}
    assert report.visits.done == 1


def test_an_abort_in_what_is_done_every_so_often_ends_the_session():
    def waits(session):
        with session.every(1, lambda s: s.abort("enough")):
            session.sleep("1h")

    report = simulated(waits)

    assert report.visits.interrupted == 1
    assert report.duration == pytest.approx(1)


def test_every_no_time_is_refused():
    def waits(session):
        with pytest.raises(PlanError):
            session.every(0, print)

    assert simulated(waits).visits.done == 1


def test_sessions_meet_go_on_together_and_meet_again():
    left = []

    def meets(session):
        for turn in range(2):
            session.sleep(session.visit.user)
            place = session.rendezvous(f"start {turn}", 4)
            left.append((round(session.clock.now() - 1000), place))

    report = simulated(meets, load=users(8))

    assert sorted(left) == [(at, place) for at in (3, 6, 7, 14) for place in range(4)]
    assert report.visits.done == 8


def test_who_waits_in_vain_goes_on_alone():
    def meets(session):
        with pytest.raises(RendezvousTimeout, match="only 2 of 3 sessions came to the rendezvous 'start' within 5 s"):
            session.rendezvous("start", 3, timeout=5)

    report = simulated(meets, load=users(2))

    assert report.duration == pytest.approx(5)


def test_a_rendezvous_has_one_size():
    def meets(session):
        if session.visit.user:
            with pytest.raises(UsageError, match="waits for 2 sessions, not for 3"):
                session.rendezvous("start", 3)
            session.rendezvous("start", 2)
        else:
            session.rendezvous("start", 2)

    assert simulated(meets, load=users(2)).visits.done == 2


@pytest.mark.parametrize(("takes", "errors", "ends"), [(0.5, 0, 2.5), (60, 1, 3.2)])
def test_what_is_being_done_when_its_block_ends_may_end_within_a_second(takes, errors, ends):
    def beat(session):
        session.sleep(takes)

    def waits(session):
        with session.every(2, beat):
            session.sleep(2.2)

    report = simulated(waits)

    assert report["call beat"].errors == errors
    assert report.duration == pytest.approx(ends)
