"""Every load shape is a pure function of (load, seed), and its shares add up to the whole."""

import math
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon import LoadError, Scenario, run
from chaperon.errors import PlanError
from chaperon.load import shapes
from chaperon.load.arrivals import offsets, user_intervals
from chaperon.load.curve import Curve, Piece
from chaperon.load.expression import read_load
from chaperon.load.kinds.load import Beside, InTurn
from chaperon.load.kinds.rate import Rate
from chaperon.load.kinds.users import Users
from chaperon.load.phases import phases
from chaperon.load.shapes import iterations, pause, rate, spike, stages, stairs, users
from chaperon.load.share import deal


def dues(load, **kwargs):
    return [round(at, 6) for _, at in offsets(load, **kwargs)]


def presence(load, until, step=0.5):
    """How many users are there, every *step* seconds."""
    found = user_intervals(load.curve)
    moments = [i * step + 1e-6 for i in range(int(until / step))]
    return [sum(s.on <= at and (s.off is None or at < s.off) for s in found) for at in moments]


# shapes


def test_a_rate_is_due_at_even_distances_from_the_start():
    assert dues(rate(4, hold=2)) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]


def test_a_rate_a_minute_is_the_same_as_its_sixtieth_a_second():
    assert dues(rate(120, per="m", hold=2)) == dues(rate(2, hold=2))


def test_a_ramp_of_a_rate_grows_linearly():
    found = dues(rate(10, ramp=10, hold=1e-6))

    assert found == [round(math.sqrt(2 * i), 6) for i in range(50)] + [10.0]


def test_stages_go_straight_from_level_to_level():
    load = stages(("10s", 10), ("10s", 10), ("10s", 0))

    assert len(dues(load)) == 50 + 100 + 50
    assert [load.curve.level(at) for at in (0, 5, 15, 25, 30)] == [0, 5, 10, 5, 0]


def test_stairs_stay_on_every_level_up_and_down():
    assert [s.high for s in stairs(10, 30, by=10, each=5).curve.segments] == [10, 20, 30]
    assert [s.high for s in stairs(30, 10, by=10, each=5).curve.segments] == [30, 20, 10]


@pytest.mark.parametrize(("start", "to", "by"), [(0.3, 0, 0.1), (0, 0.3, 0.1), (0.7, 0.1, 0.1), (1, 10, 0.9)])
def test_stairs_do_not_leave_their_bounds_by_rounding(start, to, by):
    levels = [s.high for s in stairs(start, to, by=by, each=5).curve.segments]

    assert levels[-1] == pytest.approx(to)
    assert (min(levels), max(levels)) == (pytest.approx(min(start, to)), pytest.approx(max(start, to)))
    assert min(start, to) <= min(levels)
    assert max(levels) <= max(start, to)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, 10_000_001.0])
@pytest.mark.parametrize("where", ["start", "end"])
def test_a_computed_level_that_is_out_of_range_is_refused(wrong, where):
    piece = Piece(1.0, wrong, 1.0) if where == "end" else Piece(1.0, 1.0, wrong)

    with pytest.raises(PlanError, match="a level must be from 0 to 10,000,000, got"):
        shapes._along([Piece(1.0, 5.0), piece], rate, {})


@pytest.mark.parametrize(
    "make",
    [
        lambda count: stairs(1, count, by=1, each=1),
        lambda count: stages(*[(1, 5)] * count),
        lambda count: shapes._along([Piece(1.0, 5.0)] * count, rate, {}),
    ],
    ids=["stairs", "stages", "computed"],
)
def test_every_shape_has_ten_thousand_pieces_at_most(make):
    assert len(make(10_000).curve.segments) == 10_000
    with pytest.raises(PlanError, match=r"10,001 (stairs|pieces) are more than 10,000: "):
        make(10_001)


def test_a_spike_rises_holds_and_comes_back():
    load = spike(50, base=10, ramp=2, hold=3)

    assert [(s.low, s.high, s.span) for s in load.curve.segments] == [(10, 50, 2), (50, 50, 3), (50, 10, 2)]


def test_users_come_and_go_with_the_level():
    load = stages((4, 4), (2, 4), (4, 0), of=users)

    assert presence(load, 10, 1.0) == [1, 2, 3, 4, 4, 4, 4, 3, 2, 1]


def test_a_delay_comes_before_everything():
    assert dues(rate(2, hold=1, delay=10)) == [10.0, 10.5]
    assert [s.on for s in user_intervals(users(2, hold=5, delay=3).curve)] == [3.0, 3.0]


# in turn, side by side


def test_rates_in_turn_are_one_curve_and_a_pause_is_silent():
    load = rate(2, hold=1) >> pause(5) >> rate(4, hold=1)

    assert isinstance(load, Rate)
    assert dues(load) == [0.0, 0.5, 6.0, 6.25, 6.5, 6.75]


def test_a_ramp_in_turn_goes_on_from_the_level_before():
    load = rate(100, hold=1) >> rate(200, ramp=10, hold=1)

    assert [(s.low, s.high) for s in load.curve.segments] == [(100, 100), (100, 200), (200, 200)]


def test_users_in_turn_stay_from_one_to_the_next():
    load = users(2, hold=5) >> users(3, hold=5)

    assert isinstance(load, Users)
    assert [(s.user, s.on, s.off) for s in user_intervals(load.curve)] == [(0, 0, 10), (1, 0, 10), (2, 5, 10)]


def test_loads_of_different_kinds_in_turn_keep_their_places():
    load = users(2, hold=5) >> pause(3) >> rate(10, hold=4) >> iterations(7)

    assert isinstance(load, InTurn)
    assert [leg.at for leg in load.legs] == [0.0, 8.0, 12.0]
    assert load.until is None


def test_loads_side_by_side_begin_together():
    load = rate(10, hold=4) | users(2, hold=9) | rate(1, hold=2)

    assert isinstance(load, Beside)
    assert [leg.at for leg in load.legs] == [0.0, 0.0, 0.0]
    assert load.until == 9.0


def test_what_has_no_known_end_cannot_come_before_something_else():
    with pytest.raises(PlanError, match="give it hold="):
        users(5) >> rate(1, hold=1)


def test_legs_of_one_entry_never_share_a_user_or_a_number():
    shares = deal([("shop", users(3, hold=5) | rate(10, hold=5))], 2)

    assert len({share.name for share in shares}) == 4
    first, second = ({s.unique(n) for s in legs for n in range(50)} for legs in (shares[:2], shares[2:]))
    assert first.isdisjoint(second)


def test_hold_changes_a_simple_load_and_cuts_off_one_of_stages():
    assert users(5, ramp=2, hold=60).with_spans(3).until == 5.0
    assert stages((10, 5), (10, 50)).with_spans(15).curve.peak == 27.5
    assert users(5).with_spans(3).visits is None
    with pytest.raises(PlanError, match="stages already"):
        stages((10, 5), (10, 50)).with_spans(None, 3)


# laws

levels = st.integers(0, 60)
spans = st.floats(0.1, 20)
rates = st.builds(
    lambda steps, poisson: stages(*steps, of=rate, poisson=poisson),
    st.lists(st.tuples(spans, levels), min_size=1, max_size=6).filter(lambda s: any(level for _, level in s)),
    st.booleans(),
)


@settings(max_examples=examples(60))
@given(rates, st.integers(1, 7), st.integers(0, 5))
def test_shares_of_a_rate_interleave_to_exactly_the_whole(load, n, seed):
    whole = list(offsets(load, seed=seed))

    parts = [list(offsets(load, k, n, seed=seed)) for k in range(n)]

    assert sorted(pair for part in parts for pair in part) == whole
    assert whole == list(offsets(load, seed=seed))
    assert [at for _, at in whole] == sorted(at for _, at in whole)


@settings(max_examples=examples(40))
@given(rates, st.integers(1, 4), st.integers(0, 50))
def test_a_share_taken_over_goes_on_where_the_other_was(load, n, skip):
    assert list(offsets(load, 0, n, skip=skip)) == list(offsets(load, 0, n))[skip:]


@settings(max_examples=examples(60))
@given(rates)
def test_as_many_arrivals_are_due_as_there_is_area(load):
    if not load.poisson:
        assert abs(load.planned() - load.curve.area) <= 1.0
    assert load.planned() == sum(1 for _ in offsets(load))


@settings(max_examples=examples(60))
@given(rates, st.floats(0, 30), st.floats(0.1, 5))
@example(stages((1.0, 1)), 1e-05, 1.0)
def test_scaling_moves_nothing_that_was_due_before(load, at, factor):
    bent = load.following(load.curve.scaled([(at, factor)]))

    # an arrival due within an area of 1e-9 before a boundary is due at the boundary, at low rates some 0.1 ms later
    before, after = ([t for _, t in offsets(each) if t < at - 1e-3] for each in (load, bent))

    assert before == pytest.approx(after)
    assert bent.curve.until == pytest.approx(load.curve.until)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(spans, st.integers(0, 9)), min_size=1, max_size=6).filter(lambda s: any(n for _, n in s)))
def test_as_many_users_are_there_as_the_level_says(steps):
    load = stages(*steps, of=users)

    for i, there in enumerate(presence(load, load.until)):
        assert abs(there - load.curve.level(i * 0.5 + 1e-6)) <= 1.0


@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 7), st.booleans())
def test_shares_of_iterations_are_the_whole(n, crowd, of, each):
    load = iterations(n, users=crowd, each=each)

    parts = [list(load.numbers(k, of)) for k in range(min(of, crowd))]

    assert sorted(i for part in parts for i in part) == list(range(load.total))
    assert [len(part) for part in parts] == [load.quota(k, of) for k in range(min(of, crowd))]


def test_a_poisson_process_has_exponential_distances_and_depends_on_the_seed_alone():
    load = rate(1000, hold=20, poisson=True)

    found = dues(load, seed=7)

    gaps = sorted(b - a for a, b in pairwise(found))
    assert found == dues(load, seed=7)
    assert found != dues(load, seed=8)
    assert len(found) == pytest.approx(20_000, rel=0.03)
    for q in (0.1, 0.5, 0.9, 0.99):  # Kolmogorov would reject at about 1 %
        assert gaps[int(q * len(gaps))] == pytest.approx(-math.log(1 - q) / 1000, rel=0.1)


@pytest.mark.long
def test_an_arrival_of_an_hour_later_does_not_drift():
    found = list(offsets(rate(777, hold="1h")))

    assert len(found) == 777 * 3600
    assert max(abs(at - i / 777) for i, at in found) < 1e-6


def test_a_day_of_much_or_ten_thousand_stairs_take_no_time_to_plan():
    assert rate(100_000, hold="1d").planned() == 8_640_000_000
    assert rate(100_000, hold="1d", poisson=True).planned() is None
    assert len(user_intervals(stairs(1, 10_000, by=1, each=1, of=users).curve)) == 10_000


# phases


def names(load, warmup=0.0):
    return [stage.phase for leg in phases(load, warmup) for stage in leg.stages]


def test_a_load_tells_its_phases_apart():
    assert names(users(10, ramp=5, hold=10)) == ["ramp", "steady"]
    assert names(stages((5, 10), (10, 10), (5, 0))) == ["ramp", "steady", "ramp-down"]
    assert names(rate(10, hold=20, warmup=5)) == ["warm-up", "steady"]
    assert names(rate(10, ramp=5, hold=20), warmup=8) == ["warm-up", "warm-up", "steady"]
    assert names(stairs(10, 30, by=10, each=5)) == ["steady at 10/s", "steady at 20/s", "steady at 30/s"]
    assert names(rate(10, hold=5) >> spike(90, hold=5) >> rate(10, hold=5)) == [
        "steady at 10/s", "steady at 90/s", "steady at 10/s (2)",
    ]  # fmt: skip
    assert names(users(2, hold=5) >> rate(5, hold=5)) == ["steady at 2 users", "steady at 5/s"]


def test_a_phase_is_found_by_its_moment_and_its_length_is_known():
    (found,) = phases(users(10, ramp=5, hold=10), 2.0)

    assert [found.name_at(at) for at in (0, 1.9, 2, 4.9, 5, 14, 99)] == ["warm-up"] * 2 + ["ramp"] * 2 + ["steady"] * 3
    assert found.within(1.0, 7.0) == {"warm-up": 1.0, "ramp": 3.0, "steady": 2.0}


# as text


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ('rate(100, hold="1m")', rate(100, hold="1m")),
        ('rate(100, hold="1m") >> pause("10s") >> spike(500, base=50, hold=5)',
         rate(100, hold="1m") >> pause("10s") >> spike(500, base=50, hold=5)),
        ("users(5, hold=9) | iterations(7, users=2)", users(5, hold=9) | iterations(7, users=2)),
        ('stages(("30s", 100), ("5m", 100), of=users)', stages(("30s", 100), ("5m", 100), of=users)),
        ("stairs(1, 5, by=1, each=2, poisson=True)", stairs(1, 5, by=1, each=2, poisson=True)),
    ],
)  # fmt: skip
def test_text_is_read_as_python_would(text, load):
    assert read_load(text) == load


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "load: "),
        ("rate(100", "never closed"),
        ("rate(100)", "needs an end"),
        ("rate(0, hold=1)", "must be positive"),
        ("users(1.5)", "whole number"),
        ("5", "is no load"),
        ('__import__("os").system("x")', "only loads"),
        ('open("/etc/passwd")', "there is no load 'open'"),
        ("rate(x, hold=1)", "'x' means nothing here"),
        ("rate(1, hold=1, wrong=2)", "unexpected keyword"),
        ("rate(1, hold=1) + users(1)", "only loads"),
        ("users(1) >> rate(1, hold=1)", "no end that is known"),
        ("rate(1, hold=1) >> 5", "between loads"),
        ("pause(5) >> pause(1)", "sends nothing"),
        ("stages((1, 2, 3))", "a span with the level at its end"),
        ("stages(of=users)", "at least one step"),
        ("stairs(1, 5, by=0, each=1)", "greater than 0"),
        ("stages((1, 1.5), of=users)", "no 1.5 users"),
        ("rate(**{}, hold=1)", "** is not understood"),
        ("(" * 200 + "1" + ")" * 200, "load: "),
    ],
)
def test_what_is_no_load_is_refused_with_the_place(text, why):
    with pytest.raises(PlanError) as caught:
        read_load(text)

    assert why in str(caught.value)


@settings(max_examples=examples(200))
@given(st.text(alphabet="rateusrhold(),=|>1.'\"m_[]{}*- ", max_size=40))
def test_whatever_is_typed_is_read_or_refused(text):
    with suppress(PlanError):
        read_load(text)


def test_an_entry_of_nothing_but_a_pause_is_refused():
    with pytest.raises(LoadError, match="sends nothing"):
        run(Scenario(lambda session: None), pause(5))


def test_pieces_of_one_phase_are_one_phase_of_the_report():
    pieces = [Piece(1.0, 10 + n % 7, phase="wave") for n in range(100)] + [Piece(5.0, 3.0, 3.0)]
    load = replace(rate(1, hold="1s"), curve=Curve.of(pieces))

    (found,) = phases(load)
    assert {stage.phase for stage in found.stages} == {"wave", "steady"}
    assert found.within(0.0, 105.0) == {"wave": 100.0, "steady": 5.0}
    assert Curve.of(load.curve.pieces) == load.curve
