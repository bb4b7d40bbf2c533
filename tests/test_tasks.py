"""Tasks run beside their session, are joined, and never outlive it."""

from itertools import count
from weakref import WeakSet

import gevent
import pytest
from scenes import errors_of, once, simulated

from chaperon import JoinTimeout, PlanError, Scenario, TaskEnded, iterations, users
from chaperon.errors import TaskMissing


def test_a_method_of_the_session_is_called_on_the_child(target):
    seen = []

    def spawns(session):
        session.spawn(session.assign, only="here", task="assigns")
        session.spawn(session.put, "/baz", json={"a": 1}, task="baz")
        session.spawn(session.http.get, "/through", task="http")
        session.join_all()
        seen.append(dict(session.assigned))

    report = once(target, spawns)

    assert seen == [{}]
    assert sorted(target.asked) == ["GET /through", "PUT /baz"]
    assert report["task baz"].count == report["task http"].count == 1


def test_a_child_has_its_own_id_knows_its_parent_and_copies_what_is_assigned():
    seen = {}

    def grandchild(session):
        seen["grandchild"] = (session.id, session.parent.parent.id)

    def child(session):
        seen["child"] = (session.id, session.parent.id)
        session.assign(shared="mine")
        session.assign("space", shared="mine")
        session.join(session.spawn(grandchild))

    def parent(session):
        session.assign(shared="yours")
        session.assign("space", shared="yours")
        session.config.update(size=3)
        session.join(session.spawn(child))
        seen["after"] = (session.assigned.shared, session.assigned.space.shared)

    simulated(parent)

    assert seen == {
        "child": ("shop-0.1", "shop-0"),
        "grandchild": ("shop-0.1.1", "shop-0"),
        "after": ("yours", "yours"),
    }


def test_a_child_sees_config_and_cookies(target):
    seen = []

    def child(session):
        session.get("/mine")
        seen.append(session.config["size"])
        session.config.update(size=9)

    def parent(session):
        session.post("/login")
        session.config.update(size=3)
        session.join(session.spawn(child))
        seen.append(session.config["size"])

    once(target, parent)

    assert target.cookies == [None, "who=admin"]
    assert seen == [3, 3]


def test_a_root_session_says_that_it_has_no_parent():
    def orphan(session):
        session.parent.signal("x")

    report = simulated(orphan)

    (error,) = report.errors
    assert error.error == "UsageError"
    assert "has no parent" in error.sample


def test_joining_gives_values_in_the_order_asked_for_however_long_they_take():
    def takes(child, span):
        child.sleep(span)
        return span

    def joins(session):
        slow, fast = session.spawn(takes, 2, task="slow"), session.spawn(takes, 1, task="fast")
        session.spawn(takes, 3, task="many")
        session.spawn(takes, 1, task="many")
        assert session.join("slow", "fast") == [2, 1]
        assert session.join("many") == [3, 1]
        assert (slow.ended, fast.value) == (True, 1)
        session.spawn(takes, 1)
        session.spawn(takes, 2)
        assert session.join_all() == [1, 2]
        assert session.join_all() == []
        with pytest.raises(TaskMissing):
            session.join("many")

    report = simulated(joins)

    assert report["task takes"].count == 2
    assert report["task many"].max == pytest.approx(3)


def test_a_failed_task_is_raised_when_all_that_are_joined_have_ended():
    def fails(child):
        raise ValueError("soon")

    def joins(session):
        session.spawn(fails)
        slow = session.spawn(lambda child: child.sleep(5), task="slow")
        with pytest.raises(ValueError, match="soon"):
            session.join("fails", "slow")
        assert slow.ended

    report = simulated(joins)

    assert errors_of(report) == {("task fails", "ValueError"): 1}
    assert report.visits.done == 1


def test_a_timeout_of_a_join_is_one_for_all_of_them_together():
    def joins(session):
        for name in ("one", "two"):
            session.spawn(lambda child: child.sleep(3), task=name)
        start = session.clock.now()
        with pytest.raises(JoinTimeout, match="«one»"):
            session.join("one", "two", timeout="1s")
        assert session.clock.now() - start == pytest.approx(1)

    assert simulated(joins).visits.done == 1


def test_a_group_joins_what_was_spawned_in_it_and_nothing_else():
    def takes(child, span):
        child.sleep(span)
        return span

    def groups(session):
        session.spawn(takes, 60, task="beside")
        with session.group() as group:
            group.spawn(takes, 2)
            group.spawn(takes, 1)
        assert group.values == [2, 1]
        assert [task.name for task in session.tasks.open] == ["beside"]

    assert simulated(groups).duration == pytest.approx(60)


@pytest.mark.parametrize("ends", ["fault", "time"])
def test_a_group_that_is_left_early_ends_its_tasks(ends):
    told = []

    def talks(child):
        child.sleep(10)
        told.append("late")

    def groups(session):
        with pytest.raises((ZeroDivisionError, JoinTimeout)), session.group(timeout=5) as group:
            group.spawn(talks)
            if ends == "fault":
                1 / 0  # noqa: B018 - to be raised

    assert simulated(groups).duration <= 5.01
    assert told == []


def test_what_is_not_joined_is_joined_at_the_end_of_the_visit_grandchildren_too():
    told = []

    def grandchild(session):
        session.sleep(3)
        told.append("grandchild")

    def child(session):
        session.spawn(grandchild)

    report = simulated(lambda session: session.spawn(child), load=iterations(2))

    assert told == ["grandchild"] * 2
    assert report["task grandchild"].count == 2
    assert report["visit"].min == pytest.approx(3)


def test_an_abort_in_a_grandchild_ends_the_whole_tree_at_once():
    told = []

    def leaves(session):
        session.sleep(1)
        session.abort("enough")

    def lingers(session):
        session.sleep(60)
        told.append("late")

    def parent(session):
        session.spawn(lambda child: child.spawn(leaves), task="child")
        session.spawn(lingers)
        session.sleep("1h")
        told.append("late")

    scenario = Scenario(parent, cleanup=lambda session: told.append("cleaned"), name="shop")
    report = simulated(scenario=scenario)

    assert told == ["cleaned"]
    assert report.visits.interrupted == 1
    assert report.duration == pytest.approx(1)


def test_an_abort_that_comes_when_its_visit_is_over_hits_nobody_else():
    def leaves(session):
        session.abort("enough")

    def parent(session):
        task = session.spawn(leaves)
        gevent.sleep(0)
        return task

    report = simulated(parent, load=users(3))

    assert report.visits.interrupted == 3
    assert report.visits.balanced


def test_a_task_that_is_ended_says_so_when_it_is_joined():
    def ends(session):
        task = session.spawn(lambda child: child.sleep(60), task="slow")
        session.sleep(1)
        task.end()
        assert repr(task) == "<Task slow failed>"
        with pytest.raises(TaskEnded, match="«slow» was ended"):
            session.join(task)

    assert simulated(ends).duration == pytest.approx(1)


def test_ending_a_task_ends_what_it_spawned():
    told = []

    def child(session):
        session.spawn(lambda grandchild: [told.append(1) for _ in grandchild.loop(pace=1)], task="beat")
        session.sleep(60)

    def ends(session):
        task = session.spawn(child)
        session.sleep(2.5)
        task.end()
        session.sleep(10)

    simulated(ends)

    assert len(told) == 3


def test_a_spread_starts_calls_evenly_without_blocking_or_drifting():
    starts, after = [], []

    def call(session, word):
        starts.append(round(session.clock.now() - 1000.0, 9))
        session.sleep(0.7)
        return f"{word}{len(starts)}"

    def spreads(session):
        session.spread(call, "n", rate=5, per="100ms", name="noise")
        after.append(session.clock.now() - 1000.0)
        values = session.join("noise")
        assert values == ["n5"] * 5

    report = simulated(spreads)

    assert starts == [0.0, 0.02, 0.04, 0.06, 0.08]
    assert after == [0.0]
    assert report["task noise"].count == 5
    assert "task call" not in report


@pytest.mark.parametrize(("rate", "per", "calls"), [(25.6, 1, 26), (0.5, 4, 1), (3000, 0.5, 3000), (3, 1, 3)])
def test_a_spread_makes_its_calls_and_no_burst(rate, per, calls):
    starts = []

    simulated(lambda s: s.spread(lambda c: starts.append(c.clock.now()), rate=rate, per=per, name="n"))

    assert len(starts) == calls
    assert len(set(starts)) == calls
    assert max(starts) < 1000.0 + per


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1}, {"rate": 1, "per": 0}])
def test_a_spread_of_nothing_is_refused(wrong):
    def spreads(session):
        with pytest.raises(PlanError, match="above 0"):
            session.spread(print, name="n", **wrong).result()

    assert simulated(spreads).visits.done == 1


def test_one_call_of_a_spread_that_fails_is_raised_by_the_join_alone():
    def odd(session, turns):
        if next(turns) % 2:
            raise ValueError("odd")

    def spreads(session):
        session.spread(odd, count(), rate=4)
        session.spread(odd, count(), rate=4, name="joined")
        with pytest.raises(ValueError, match="odd"):
            session.join("joined")

    report = simulated(spreads)

    assert report["task odd"].errors == report["task joined"].errors == 2
    assert report.visits.done == 1


def test_a_spread_is_waited_for_like_any_other_task():
    report = simulated(lambda s: s.spread(lambda c: c.sleep(1), rate=10, per="5s", name="n"))

    assert report["task n"].count == 10
    assert report.duration == pytest.approx(5.5)


def test_an_interrupted_visit_takes_its_spread_with_it():
    starts = []

    def spreads(session):
        session.spread(lambda c: starts.append(1), rate=100, per="100s", name="n")

    report = simulated(spreads, load=users(1, hold=2), grace=1)

    assert len(starts) in (3, 4)
    assert report.visits.interrupted == 1


def test_many_tasks_are_joined_and_ended_in_a_moment():
    def many(session):
        for _ in range(5000):
            session.spawn(lambda child: 1, task="quick")
        assert sum(session.join("quick")) == 5000
        for _ in range(5000):
            session.spawn(lambda child: child.sleep(60), task="slow")
        session.tasks.end()

    report = simulated(many)

    assert report["task quick"].count == 5000
    assert report.duration == 0


def test_a_long_spread_keeps_only_the_values_of_calls_that_have_ended():
    alive = WeakSet()

    def call(child):
        alive.add(child)
        most.append(len(alive))
        return len(most)

    most = []

    def spreads(session):
        assert session.join(session.spread(call, rate=2000, per=20)) == list(range(1, 2001))

    simulated(spreads)

    assert max(most) < 100
