"""The progress line: figures are whole at any width, and it names what is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon import Scenario, iterations, rate, run, users
from chaperon.cli.terminal.ascii_signs import SPELLED
from chaperon.cli.terminal.live_line import live_lines
from chaperon.execution.environment import Environment
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.limits.limit_parser import parse
from chaperon.report.monitor import RunMonitor
from chaperon.report.totals import LimitState, Pulse

CALM = Pulse(elapsed=83, users=100, requests_rate=960, visits_rate=480, p50=0.041, p95=0.12)
PLAN = "100 users for 5m, ramped up within 30s + 20/s with think times"
BAD = replace(CALM, errors=1_042, error_share=0.08, error="http 500", error_series="GET /cart", error_count=1_000)
BROKEN = LimitState("p95(GET /) < 300ms", "412ms", "broken")


def test_at_80_columns_it_has_time_left_error_and_limit():
    assert live_lines(replace(BAD, limit=BROKEN), PLAN, length=300, width=80) == [
        "1:23, 3:37 left · 100 busy · 480 visits/s · 960 req/s · 1,042 errors (8%)",
        "p50 41.0ms · p95 120ms · of 100 users for 5m, ramped u…s + 20/s with think times",
        "1,000 × http 500 in GET /cart · limit p95(GET /) < 300ms broke: 412ms",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_where_signs_cannot_be_encoded_it_is_as_wide_as_what_stands_for_them(width):
    pulse = replace(BAD, limit=BROKEN, p95=None, p95_at_least=2.0, error="hällo")

    lines = live_lines(pulse, f"{PLAN} für Ämter", length=300, width=width, encoding="ascii")

    printed = "\n".join(lines).encode("ascii", SPELLED).decode()
    assert max(map(len, printed.split("\n"))) <= width
    assert "8%) | p50 41.0ms" in printed or "8%)\np50 41.0ms" in printed
    assert "p95 >=2.00s" in printed
    assert "1,000 x h\\xe4llo" in printed


def test_what_fits_has_its_long_words():
    assert live_lines(CALM, "50/s", length=None, width=120) == [
        "1:23 · 100 busy, 480 visits/s of 50/s · 960 requests/s · 0 errors · p50 41.0ms · p95 120ms"
    ]


def test_a_pipe_gets_all_of_it_on_one_line():
    (line,) = live_lines(replace(BAD, limit=replace(BROKEN, standing="near", shown="290ms")), PLAN, length=300)

    assert PLAN in line
    assert line.endswith("1,000 × http 500 in GET /cart · limit p95(GET /) < 300ms is close: 290ms")


@given(
    width=st.integers(30, 200),
    plan=st.text(st.characters(codec="ascii", categories=["L", "P"]), max_size=200),
    series=st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=200),
    count=st.integers(1, 10**9),
)
def test_no_figure_is_ever_shortened(width, plan, series, count):
    pulse = replace(BAD, error_series=series, error_count=count, errors=count, limit=BROKEN)

    lines = live_lines(pulse, plan, length=7_200, width=width)

    shown = "\n".join(lines)
    for figure in (f"{count:,} error", f"{count:,} × ", "p50 41.0ms", "p95 120ms", ": 412ms", "1:23, 118:37 left"):
        assert figure in shown
    assert max(map(len, lines)) <= max(width, len(f"{count:,} errors (8%)"))


def test_names_from_a_target_stay_on_their_line():
    (line,) = live_lines(replace(BAD, error_series="GET /\n\x1b[2J"), "a\nb", length=None)

    assert line.isprintable()


def monitor(*limits):
    return RunMonitor(Collector(["w"]), [parse(limit) for limit in limits], brake=None)


def fill(watch, seconds, *, took=0.125, bad=(), error="http 500"):
    recorder = Recorder("w", began=0.0)
    for second in range(seconds):
        for n in range(100):
            failure = Failure(error if second in bad else "", "x") if n < 10 and second in bad else None
            recorder.record(Sample(Key("shop", "GET /"), second, second + took, failure))
        recorder.count_visit("shop", second, "planned")
        recorder.count_visit("shop", second, "done")
        watch.add(recorder.cut(due={"shop": 1.0}))
    return watch.pulse()


@pytest.mark.parametrize(
    ("limit", "state"),
    [
        ("p95(GET /) < 50ms", ("125ms", "broken")),
        ("p95 < 130ms", ("125ms", "near")),
        ("p95 < 300ms", ("125ms", "held")),
        ("mean(GET /) > 200ms", ("125ms", "broken")),
        ("errors < 1%", ("5.00%", "broken")),
        ("errors < 5.2%", ("5.00%", "near")),
        ("errors < 10%", ("5.00%", "held")),
        ("errors(GET / : http 500) < 10", ("40", "broken")),
        ("p95(GET /) < 50ms over 3s", ("125ms", "broken")),
        ("rate > 200", ("100/s", "broken")),
        ("count > 1000000", ("800", "open")),
        ("p95(GET /nothing) < 1s", ("no data yet", "open")),
        ("p95(GET /) < 50ms during peak", ("judged at the end", "open")),
        ("count > 700", ("800", "held")),
    ],
)
def test_every_limit_has_a_state_and_one_that_is_broken_or_about_to_be_is_named(limit, state):
    pulse = fill(monitor(limit), 8, bad=(1, 3, 5, 7))

    assert pulse.limits == (LimitState(parse(limit).text, *state),)
    assert pulse.limit == (pulse.limits[0] if state[1] in ("broken", "near") else None)


@pytest.mark.parametrize("limit", ["p95(GET /x) < 1s", "errors(check a) < 1% over 3s", "rate(GET / in stop) > 3"])
def test_a_limit_on_a_name_that_never_comes_is_named_after_fifty_visits(limit):
    calm, pulse = fill(monitor(limit), 49), fill(monitor(limit), 60)

    assert (calm.limit, calm.limits[0].standing) == (None, "open")
    assert pulse.limit == LimitState(limit, "no data after 60 visits", "missing", pulse.limit.note)
    assert "GET /" in pulse.limit.note
    (line,) = [text for text in live_lines(pulse, "3 users", length=None) if "no data" in text]
    assert f"limit {limit} has no data after 60 visits: {pulse.limit.note}" in line


@pytest.mark.parametrize(
    "limit", ["p95(GET /) < 1s", "errors(GET /: http 503) < 1", "bad p95(GET /x) < 1s", "p95(a) < 1s during b"]
)
def test_a_limit_that_has_its_series_or_may_still_get_it_is_not(limit):
    pulse = fill(monitor(limit), 60)

    assert pulse.limits[0].standing != "missing"


def test_a_broken_limit_goes_before_one_that_is_near():
    pulse = fill(monitor("p95 < 130ms", "mean < 50ms"), 40)

    assert pulse.limit == LimitState("mean < 50ms", "125ms", "broken")


def test_the_state_is_that_of_the_whole_run():
    watch = monitor("errors < 1%")

    assert fill(watch, 100, bad=(0, 1)).limit is None
    assert watch.pulse().errors == 20


def test_an_exception_of_the_author_is_named_with_its_line():
    watch = monitor()
    recorder = Recorder("w", began=0.0)
    failure = Failure("KeyError", "KeyError: 'missing' (shop.py:2 in helper)", where="shop.py:2 in helper")
    recorder.record(Sample(Key("shop", "step browse", "step"), 0.0, 0.1, failure))
    watch.add(recorder.cut())

    (line,) = live_lines(watch.pulse(), "1 user", length=None)

    assert line.endswith("1 × KeyError: 'missing' (shop.py:2 in helper) in step browse")


def test_the_last_minute_is_given_second_by_second_and_the_sums_are_of_the_whole_run():
    watch = monitor()

    pulse = fill(watch, 100, bad=(0, 1))

    assert [(row.at, row.requests, row.p99) for row in pulse.seconds] == [(at, 100, 0.125) for at in range(40, 100)]
    assert (pulse.requests, pulse.errors, pulse.p99) == (10_000, 20, 0.125)


def test_what_makes_a_run_invalid_is_known_while_it_goes_on():
    watch = monitor()
    recorder = Recorder("w", began=0.0)
    seen = []
    for _ in range(12):
        watch.add(recorder.cut(health={"lag_max": 2.0, "late_p99": 2.0, "hub_cpu": 0.2}))
        seen.append(bool(watch.pulse().invalid))
    watch.add_fault("the journal is full")

    assert seen == [False] * 4 + [True] * 8
    assert [why for why in watch.pulse().invalid if "stalled for 2.00s" in why]
    assert "the journal is full" in watch.pulse().invalid


def test_the_newest_error_class_is_the_one_that_came_up_last():
    watch = monitor()
    recorder = Recorder("w", began=0.0)
    for second, errors in enumerate([["old"], ["old", "new"], ["old", "new"]]):
        for error in errors:
            recorder.record(Sample(Key("shop", f"GET /{error}"), second, second + 0.1, Failure(error, "x")))
        watch.add(recorder.cut())

    pulse = watch.pulse()

    assert (pulse.error, pulse.error_series, pulse.error_count) == ("new", "GET /new", 2)


@pytest.mark.parametrize(
    ("loads", "length"),
    [
        ([users(3, hold=60)], 60.0),
        ([users(3, hold=60), rate(5, hold="2m")], 120.0),
        ([users(3)], None),
        ([users(3, hold=60), iterations(9)], None),
    ],
)
def test_the_length_of_a_plan_is_known_where_its_loads_end_by_time(loads, length):
    scenarios = [run(Scenario(lambda s: None, name=f"s{n}"), load) for n, load in enumerate(loads)]

    assert Environment(scenarios=scenarios).plan().length == length
