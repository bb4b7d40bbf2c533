"""A session repeats, waits, gives up as its author says, and not a moment longer."""

from itertools import pairwise
from random import Random

import gevent
import pytest
from scenes import errors_of, once, simulated

from chaperon import BlockTimeout, PlanError, Scenario, Verdict, between, iterations, measured, rate, step, users
from chaperon.errors import JoinTimeout


def moments(*turns):
    return [round(turn, 6) for turn in turns]


def test_repeat_calls_so_many_times_and_returns_what_came_of_it():
    seen = []

    @measured
    def ping(session, word, *, loud):
        return f"{word}{loud}"

    def repeats(session):
        seen.append(session.repeat(ping, 3, "hi", loud="!"))
        seen.append(session.repeat(ping, 0, "hi", loud="!"))
        with pytest.raises(PlanError, match="-1"):
            session.repeat(ping, -1)

    report = simulated(repeats)

    assert seen == [["hi!"] * 3, []]
    assert report["call ping"].count == 3


def test_a_loop_begins_no_turn_after_its_time_and_none_at_all_for_no_time():
    turns = []

    def loops(session):
        start = session.clock.now()
        for turn in session.loop("100ms"):
            turns.append((turn, round(session.clock.now() - start, 6)))
            session.sleep(0.031)
        assert list(session.loop(0)) == []

    simulated(loops)

    assert turns == [(0, 0.0), (1, 0.031), (2, 0.062), (3, 0.093)]


def test_a_paced_loop_keeps_its_beat_and_does_not_catch_up_with_a_slow_turn():
    starts = []

    def loops(session):
        start = session.clock.now()
        for turn in session.loop(10, pace=2):
            starts.append(session.clock.now() - start)
            session.sleep(5 if turn == 1 else 0.5)
        starts.append(session.clock.now() - start)

    simulated(loops)

    assert moments(*starts) == [0, 2, 7, 9, 10]


def test_an_abort_ends_a_loop_at_once():
    turns = []

    def loops(session):
        for turn in session.loop("1h"):
            turns.append(turn)
            if turn == 3:
                session.abort("enough")

    report = simulated(loops)

    assert turns == [0, 1, 2, 3]
    assert report.visits.interrupted == 1
    assert report.duration < 1


def test_pace_spaces_visits_whatever_they_take():
    starts = []

    @step
    def work(session):
        session.sleep(between(0.1, 0.9))

    @step
    def wait(session):
        session.pace("2s")
        starts.append(session.clock.now())

    simulated(work, wait, load=users(1, hold=10))

    assert moments(*(b - a for a, b in pairwise(starts))) == [2.0] * 4


def test_a_random_delay_is_at_most_what_it_says_and_comes_from_the_seed():
    def delays(seed):
        waited = []

        def waits(session):
            start = session.clock.now()
            session.random_delay("3s")
            waited.append(session.clock.now() - start)

        simulated(waits, load=iterations(50), seed=seed)
        return waited

    first, again, other = delays(1), delays(1), delays(2)

    assert first == again != other
    assert 0 <= min(first) < 1 < 2 < max(first) <= 3


def test_retry_makes_as_many_attempts_as_it_says_and_counts_the_further_ones():
    calls = []

    def flaky(session, word):
        calls.append((word, session.clock.now()))
        if len(calls) < 3:
            raise ConnectionError("not yet")
        return "there"

    def retries(session):
        assert session.retry(flaky, "x", attempts=3, delay="1s") == "there"

    report = simulated(retries)

    assert [word for word, _ in calls] == ["x"] * 3
    assert moments(*(b[1] - a[1] for a, b in pairwise(calls))) == [1, 1]
    assert report["retries flaky"].total == 2
    assert report.visits.done == 1


@pytest.mark.parametrize(("attempts", "on", "calls"), [(1, Exception, 1), (4, Exception, 4), (4, KeyError, 1)])
def test_retry_raises_what_the_last_attempt_raised_and_what_it_is_not_for(attempts, on, calls):
    made = []

    def broken(session):
        made.append(1)
        raise ValueError("for good")

    def retries(session):
        with pytest.raises(ValueError, match="for good"):
            session.retry(broken, attempts=attempts, on=on)

    simulated(retries)

    assert len(made) == calls


def test_retry_counts_a_bad_status_as_failed_if_asked(target):
    def retries(session):
        response = session.retry(session.get, "/status/503", attempts=3, on=lambda r: r.status_code == 503)
        assert response.status_code == 503

    report = once(target, retries)

    assert target.asked == ["GET /status/503"] * 3
    assert report["GET /status/503"].errors == 3


def test_retry_does_not_try_again_after_an_abort():
    calls = []

    def leaves(session):
        calls.append(1)
        session.abort("enough")

    simulated(lambda session: session.retry(leaves, attempts=5))

    assert calls == [1]


def test_a_jitter_is_drawn_anew_before_each_attempt():
    starts = []

    def broken(session):
        starts.append(session.clock.now())
        raise ValueError

    simulated(lambda session: session.retry(broken, attempts=20, delay=1, jitter=1))

    gaps = [b - a for a, b in pairwise(starts)]
    assert min(gaps) >= 1
    assert max(gaps) <= 2
    assert len(set(gaps)) == 19


def test_a_timeout_stops_the_work_and_the_tasks_begun_in_it():
    told = []

    def talks(session, name):
        while True:
            session.sleep(1)
            told.append(name)

    def bounded(session):
        session.spawn(talks, "before", task="before")
        with pytest.raises(BlockTimeout, match=r"2\.5 s"), session.timeout("2.5s"):
            session.spawn(talks, "within", task="within")
            session.sleep("1h")
        session.sleep(2.6)
        session.tasks.end()

    report = simulated(bounded)

    assert (told.count("within"), told.count("before")) == (2, 5)
    assert report.visits.done == 1


def test_no_except_clause_of_the_work_can_keep_a_timeout_from_stopping_it(target):
    turns = []

    def stubborn(session):
        with session.timeout(0.1):
            for turn in range(1000):
                turns.append(turn)
                try:
                    session.get("/slow")
                except Exception:
                    continue

    report = once(target, stubborn)

    assert turns == [0]
    assert errors_of(report) == {("GET /slow", "BlockTimeout"): 1}
    assert report["step stubborn"].errors == 1


def test_of_two_timeouts_the_one_that_is_over_first_ends_its_own_block():
    order = []

    def nested(session):
        with pytest.raises(BlockTimeout, match="its 3 s"), session.timeout(3):
            with pytest.raises(BlockTimeout, match="its 1 s"), session.timeout(1):
                session.sleep(60)
            order.append("inner")
            with session.timeout(10):
                session.sleep(60)
        order.append("outer")

    assert simulated(nested).visits.done == 1
    assert order == ["inner", "outer"]


def test_a_visit_that_takes_too_long_is_stopped_and_the_user_goes_on():
    told = []

    def slow(session):
        session.spawn(lambda child: (child.sleep(2), told.append("late")), task="slow")
        session.sleep(60)

    scenario = Scenario(slow, timeout="1s", name="shop", cleanup=lambda session: told.append("cleaned"))
    report = simulated(scenario=scenario, load=iterations(3))

    assert (report.visits.interrupted, report.visits.balanced) == (3, True)
    assert told == ["cleaned"]
    assert report.duration < 4


def test_a_join_that_times_out_can_be_caught_and_tried_again():
    def joins(session):
        task = session.spawn(lambda child: child.sleep(3) or "done", task="slow")
        with pytest.raises(JoinTimeout):
            session.join(task, timeout=1)
        assert session.join("slow") == "done"

    assert simulated(joins).verdict is Verdict.PASS


def test_no_visit_outlives_its_run():
    alive = []

    def forever(session):
        session.spawn(lambda child: [alive.append(child.clock.now()) for _ in child.loop(pace=0.1)], task="beat")
        session.sleep("1h")

    report = simulated(forever, load=rate(1, hold=3), grace=1)

    assert report.visits.interrupted == 3
    assert report.duration == pytest.approx(4)
    count = len(alive)
    gevent.sleep(0)
    assert len(alive) == count


@pytest.mark.parametrize("sleep", [lambda session: session.sleep(1.0), lambda session: session.sleep("1s")])
def test_a_span_that_is_not_random_makes_no_random_source(sleep, monkeypatch):
    made = []
    monkeypatch.setattr("chaperon.session.context.seeded_random", lambda *parts: made.append(parts) or Random(0))

    def visit(session):
        sleep(session)

    def drawn(session):
        session.sleep(between("1s", "2s"))

    simulated(visit)
    assert made == []
    simulated(step(think="1s")(visit), visit)
    assert made == []
    simulated(drawn)
    assert len(made) == 1
