"""Units: spans typed without one, limits without one, and limits on recorded values."""

import pytest
from click.testing import CliRunner
from test_limit_names import totals_of

from chaperon import Environment, Scenario, between, rate, run, step, users
from chaperon.cli.commands.local import local
from chaperon.clock import LASTING, WAIT, seconds
from chaperon.errors import LimitError, PlanError
from chaperon.load.expression import read_load
from chaperon.measure.sample import Key
from chaperon.report.limits.limit_parser import parse

# spans typed without a unit

WAITS = {
    "think": lambda span: users(1, think=span),
    "pacing": lambda span: users(1, pacing=span),
    "between, low": lambda span: between(span, "24h"),
    "between, high": lambda span: between(0, span),
    "step think": lambda span: step(think=span)(print_nothing),
    "step timeout": lambda span: step(timeout=span)(print_nothing),
    "scenario timeout": lambda span: Scenario(print_nothing, timeout=span),
    "timeout": lambda span: Environment(timeout=span),
    "deadline": lambda span: Environment(deadline=span),
    "grace": lambda span: Environment(grace=span),
    "brake": lambda span: Environment(brake=span),
    "late": lambda span: Environment(late=span),
    "trust late_for": lambda span: Environment(trust={"late_for": span}),
    "load expression": lambda span: read_load(f"users(1, think={span!r})"),
}
PARTS = {
    "hold": lambda span: users(1, hold=span),
    "ramp": lambda span: users(1, ramp=span),
    "delay": lambda span: users(1, delay=span, hold=1),
    "warmup": lambda span: rate(1, warmup=span, hold="9d"),
    "environment warmup": lambda span: Environment(warmup=span),
    "with_spans": lambda span: read_load(f"rate(1, hold={span!r})"),
    "over": lambda span: parse(f"p95 < 1s over {span}"),
    "after": lambda span: parse(f"p95 < 1s abort after {span}"),
}


def print_nothing(session):
    print("", end="")


@pytest.mark.parametrize(
    ("place", "most"),
    [*((place, WAIT) for place in WAITS.items()), *((place, LASTING) for place in PARTS.items())],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_implausible_span_without_a_unit_is_refused_with_both_readings(place, most):
    _, make = place
    wrong = int(most) + 1

    for span in (wrong, str(wrong)):
        with pytest.raises((PlanError, LimitError)) as caught:
            make(span)
        assert f"{wrong} without a unit would be" in str(caught.value)
        assert f"{wrong}ms" in str(caught.value)
        assert f"{wrong}s" in str(caught.value)
    make(int(most))
    make(str(int(most)))
    make(f"{wrong}s")
    make(f"{wrong}ms" if most == WAIT else f"{wrong * 60}ms")


def test_a_computed_span_is_never_refused_for_its_size():
    assert seconds(1e6, most=WAIT) == 1e6
    assert users(1, think=3600.0).think.low == 3600.0


@pytest.mark.parametrize(
    ("span", "would"),
    {601: "10m 1s", 3600: "1h", 5000: "1h 23m", 90_061: "1d 1h", 660: "11m"}.items(),
)
def test_the_message_says_how_long_the_number_would_be(span, would):
    with pytest.raises(PlanError) as caught:
        seconds(str(span), most=WAIT)
    assert str(caught.value) == f"{span} without a unit would be {would}: write {span}ms or {span}s"


@pytest.mark.parametrize(("option", "value"), [("--timeout", "5000"), ("--grace", "1000"), ("--hold", "300000")])
def test_an_option_refuses_an_implausible_number(option, value):
    found = CliRunner().invoke(local, ["no.py", option, value], standalone_mode=True)

    assert found.exit_code == 2
    assert f"write {value}ms or {value}s" in found.output


# limits without a unit

TIMED = [
    "p95 < 300",
    "p99.9 <= 10",
    "mean(GET /) < 250",
    "max(visit) < 1000",
    "min(step pay) > 50",
    "p95(call search in shop) < 20",
    "p95(ws recv /feed) < 500",
    "bad p95(POST /x) < 300",
    "service p95(requests) < 300",
    "p95(steps) < 300",
    "p95 {kind=search} < 300",
    "p95(visit shop) < 300 over 30s",
    'p95("GET /") < 300',
]
FINE = [
    "p95 < 9.9",
    "p95 < 0.3",
    "p95 < 300ms",
    "p95 < 30s",
    "mean(price) < 300",
    "p95(list users) < 300",
    "count(GET /) > 300",
    "rate > 300",
    "errors < 300",
    "last(depth) < 300",
    "errors(checks) < 10",
]


@pytest.mark.parametrize("text", TIMED)
def test_a_number_from_ten_on_needs_its_unit_where_a_limit_is_on_a_time(text):
    with pytest.raises(LimitError) as caught:
        parse(text)
    number = text.partition(" over")[0].rpartition(" ")[2]
    assert f"{number} without a unit would be {number} s: write {number}ms or {number}s" in str(caught.value)
    parse(text.replace(number, f"{number}ms", 1) if "over" in text else f"{text}ms")


@pytest.mark.parametrize("text", FINE)
def test_a_number_without_a_unit_that_can_be_meant_is_accepted(text):
    assert parse(text).text == text


def test_where_only_the_data_show_that_a_series_is_of_times_the_result_says_so():
    found = parse("p95(list users) < 300").evaluate(totals_of(Key("shop", "list users")), 10.0)

    assert found.held
    assert found.note == "300 without a unit would be 300 s: write 300ms or 300s"


# limits on recorded values

VALUE = Key("shop", "price (EUR)", "value")
VALUES = {
    # (limit, key, value of every sample): (held, value, shown, unit)
    ("mean(price) < 10", VALUE, 12.5): (False, 12.5, "12.5 EUR", "EUR"),
    ("p95(price) < 300", VALUE, 12.5): (True, 12.5, "12.5 EUR", "EUR"),
    ("max(price (EUR)) <= 12.5", VALUE, 12.5): (True, 12.5, "12.5 EUR", "EUR"),
    ("mean(basket) >= 3", Key("shop", "basket", "value"), 3.0): (True, 3.0, "3", ""),
    ("last(depth) < 5", Key("shop", "depth", "gauge"), 7.0): (False, 7.0, "7", ""),
    ("mean(depth) < 5", Key("shop", "depth", "gauge"), 4.0): (True, 4.0, "4", ""),
    ("p95(wait) < 300ms", Key("shop", "wait (ms)", "value"), 250.0): (True, 0.25, "250ms", "s"),
    ("p95(wait) < 300", Key("shop", "wait (ms)", "value"), 250.0): (True, 250.0, "250 ms", "ms"),
    ("p95(wait) < 300ms", Key("shop", "wait", "value"), 0.25): (True, 0.25, "250ms", "s"),
    ("p95(wait) < 1m", Key("shop", "wait (h)", "value"), 0.5): (False, 1800.0, "1,800s", "s"),
    ("p95(GET /) < 300ms", Key("shop", "GET /"), 0.25): (True, 0.25, "250ms", "s"),
    ("errors(GET /) < 1%", Key("shop", "GET /"), 0.25): (True, 0.0, "0.00%", ""),
    ("count(price) > 3", VALUE, 12.5): (True, 200.0, "200", ""),
}


@pytest.mark.parametrize(("given", "wanted"), VALUES.items(), ids=lambda value: str(value[0]))
def test_a_limit_is_judged_and_shown_in_the_unit_of_its_series(given, wanted):
    text, key, value = given
    found = parse(text).evaluate(totals_of(key, took=value), 10.0)

    assert (found.held, found.value, found.shown, found.unit) == wanted


def test_a_limit_in_a_unit_that_the_values_do_not_have_breaks_and_says_why():
    found = parse("mean(price) < 10ms").evaluate(totals_of(VALUE, took=12.5), 10.0)

    assert not found.held
    assert found.shown == "no data"
    assert found.note == "its values are in EUR, not in a time: write the number without ms"


def test_a_scenario_with_a_recorded_value_has_its_unit_in_the_report():
    from chaperon.testing import ScriptedNetwork, VirtualClock, simulate

    @step
    def buy(session):
        session.record("price", 12.5, unit="EUR")
        session.record("basket", 3)
        session.count("sold")
        with session.measure("my block", kind="db"):
            pass

    limits = ["mean(price) < 10", "p95(my block) < 300"]
    environment = Environment(scenarios=[run(Scenario(buy, name="shop"), users(2))], limits=limits)
    report = simulate(environment, ScriptedNetwork(VirtualClock(), lambda *_: b""))

    assert [limit.shown for limit in report.limits] == ["12.5 EUR", "max 0.00ms"]
    assert "limit p95(my block) < 300: 300 without a unit would be 300 s: write 300ms or 300s" in report.warnings
    units = {row["name"]: row["unit"] for row in report.to_dict()["series"]}
    assert units == {"step buy": "s", "my block": "s", "visit": "s", "price (EUR)": "EUR", "basket": "", "sold": ""}
    assert any("mean(price) < 10, but was 12.5 EUR" in reason for reason in report.reasons)
