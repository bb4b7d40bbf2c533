"""Any class of exception that a scenario raises, anywhere, fails that visit; the run goes on."""

from collections import Counter
from functools import partial

import pytest
from raised import ODD, classes, listed, made
from thorough import some

from chaperon import Environment, Scenario, Verdict, iterations, measured, metric, run, step, users
from chaperon.execution.running import Running
from chaperon.measure.exception_text import class_name, text_of
from chaperon.measure.plain_text import encodable
from chaperon.testing import VirtualClock

# an HTTPError without a file cannot be deleted without a warning
pytestmark = [
    pytest.mark.long,
    pytest.mark.compiled,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BATCH = 150
"""Classes in one run: of errors with different names a report lists 200."""


class Faults:
    """Raises one exception after the other; *made* counts them by what each must be listed under."""

    def __init__(self, makers):
        self._left = list(makers)
        self.made = Counter()

    def __call__(self, *_, **__):
        maker, name = self._left.pop()
        self.made[name] += 1
        raise maker()

    def __len__(self):
        return len(self._left)


def every_class():
    """Return makers of an exception of every class, in batches, then those of odd classes."""
    kinds = [(partial(made, kind), listed(type(made(kind)))) for kind in classes()]
    assert len(kinds) > 200
    kinds = some(kinds, 3)
    return [kinds[i : i + BATCH] for i in range(0, len(kinds), BATCH)] + [list(ODD.values())]


@pytest.fixture(scope="module")
def batches():
    return every_class()


def in_step(fault):
    return Scenario(step(name="x")(fault.__call__))


def named(fault):
    def x(session):
        fault()

    return x


def in_call(fault):
    return Scenario(lambda session: measured(named(fault))(session))


def in_task(fault):
    def joins(session):
        session.spawn(named(fault))
        session.join("x")

    return Scenario(joins)


def in_group(fault):
    def joins(session):
        with session.group() as group:
            group.spawn(named(fault))

    return Scenario(joins)


def in_inner_task(fault):
    def outer(session):
        session.spawn(named(fault))
        session.join("x")

    def joins(session):
        session.spawn(outer)
        session.join_all()

    return Scenario(joins)


def in_spread(fault):
    def spreads(session):
        session.join(session.spread(named(fault), rate=1))

    return Scenario(spreads)


def beside_a_block(fault):
    def beats(session):
        with session.tagged(a="b"), session.timeout(9):
            fault()

    return Scenario(step(name="x")(beats))


def in_wait_signal(fault):
    def waits(session):
        session.signal(1)
        session.wait_signal(fault, timeout=1)

    return Scenario(step(name="x")(waits))


def in_retry_predicate(fault):
    return Scenario(step(name="x")(lambda session: session.retry(lambda s: 1, on=fault)))


def in_retry(fault):
    return Scenario(step(name="x")(lambda session: session.retry(named(fault), attempts=1, on=BaseException)))


def in_repeat(fault):
    return Scenario(step(name="x")(lambda session: session.repeat(named(fault), 2)))


def in_update_assign(fault):
    def updates(session):
        session.assign(n=1)
        session.update_assign(n=fault)

    return Scenario(step(name="x")(updates))


def in_check(fault):
    condition = type("Condition", (), {"__bool__": fault.__call__})
    return Scenario(step(name="x")(lambda session: session.check("held", condition())))


def in_inner_scenario(fault):
    inner = Scenario(step(name="x")(fault.__call__), name="inner")
    return Scenario(lambda session: session.run(inner))


def in_inner_init(fault):
    inner = Scenario(lambda s: None, init=named(fault), name="inner")
    return Scenario(lambda session: session.run(inner))


def in_choice(fault):
    return Scenario.choose({Scenario(step(name="x")(fault.__call__), name="inner"): 1})


def in_init(fault):
    return Scenario(lambda session: None, init=named(fault))


def in_limited_visit(fault):
    return Scenario(step(name="x")(fault.__call__), timeout="1h")


FAILING = [each for name, each in sorted(globals().items()) if name.startswith(("in_", "beside_"))]


def performed(scenario, load, **options):
    """Run a scenario that sends nothing, in simulated time; return the report."""
    clock = VirtualClock()
    environment = Environment(scenarios=[run(scenario, load, name="shop")], **options)
    running = Running(environment.plan(), clock=clock).start()
    clock.run(lambda: running.ended)
    return running.report()


def listed_in(report, wanted):
    """Return how often each of the *wanted* errors is listed."""
    return Counter({name: n for name in wanted if (n := sum(e.count for e in report.errors if e.error == name))})


@pytest.mark.parametrize("place", FAILING)
def test_whatever_is_raised_fails_its_visit_alone(place, batches):
    for batch in batches:
        fault = Faults(batch)

        report = performed(place(fault), iterations(len(batch)))

        counts = report.ledger["shop"]
        assert (counts.planned, counts.failed) == (len(batch), len(batch))
        assert listed_in(report, fault.made) == fault.made
        assert (report.verdict, report.reasons) == (Verdict.FAIL, ("no visit was done",))


def at_the_end(fault):
    return Scenario(lambda session: None, cleanup=named(fault))


def in_inner_cleanup(fault):
    inner = Scenario(lambda session: None, cleanup=named(fault), name="inner")
    return Scenario(lambda session: session.run(inner))


def in_a_task_never_joined(fault):
    return Scenario(lambda session: session.spawn(named(fault)) and None)


def every_second(fault):
    def beats(session):
        with session.every("1s", named(fault)):
            session.sleep("1.5s")

    return Scenario(beats)


def with_leave_to_continue(fault):
    return Scenario(step(on_error="continue")(named(fault)))


def tried_again(fault):
    return Scenario(step(retries=1)(once_only(fault)))


def retried(fault):
    work = once_only(fault)
    return Scenario(lambda session: session.retry(measured(work), on=BaseException))


def once_only(fault):
    seen = []

    def x(session):
        if session.visit.number not in seen:
            seen.append(session.visit.number)
            fault()

    return x


HARMLESS = [
    at_the_end,
    in_inner_cleanup,
    in_a_task_never_joined,
    every_second,
    with_leave_to_continue,
    tried_again,
    retried,
]


@pytest.mark.parametrize("place", HARMLESS)
def test_whatever_is_raised_where_a_visit_goes_on_is_listed(place, batches):
    for batch in batches:
        fault = Faults(batch)

        report = performed(place(fault), iterations(len(batch), users=len(batch)))

        assert report.ledger["shop"].done == len(batch)
        assert listed_in(report, fault.made) == fault.made
        assert report.verdict is Verdict.PASS


@pytest.mark.parametrize("policy", ["stop-session", "stop-run"])
def test_a_policy_holds_for_every_class(policy, batches):
    *usual, odd = batches
    for maker, name in [*some((maker for batch in usual for maker in batch), 3), *odd]:

        def x(session):
            raise maker()  # noqa: B023 - the run is over when the loop goes on

        report = performed(Scenario(step(on_error=policy)(x)), users(1, hold="3s", think="1s"))

        assert (report.ledger["shop"].planned, report.ledger["shop"].failed) == (1, 1)
        assert [e.error for e in report.errors] == [name]
        said = "step x called sys.exit: that ends no run; session.stop_run(reason) does"
        reason = said if name == "SystemExit" else text_of(maker())
        assert report.aborted == (encodable(f"a step failed: {reason}", 1_000) if policy == "stop-run" else None)


@pytest.mark.parametrize("rule", ["name", "value"])
def test_a_rule_of_metrics_that_raises_is_noted(rule, batches):
    for maker, _ in some((maker for batch in batches for maker in batch), 4):

        def raises(*_):
            raise maker()  # noqa: B023 - as above

        rules = raises if rule == "name" else metric("x", raises, of="visit")

        report = performed(Scenario(lambda session: None), users(1), metrics=rules)

        assert report.verdict is Verdict.PASS
        assert any(f": {class_name(maker())}: " in note and "test_raised.py:" in note for note in report.notes), (
            report.notes
        )
