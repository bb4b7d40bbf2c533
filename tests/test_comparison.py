"""Runs are compared by intervals: false alarms are rare, a slowdown is found, what cannot be seen is said."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from benchmarks.intervals import World, compared, population
from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.history import History
from chaperon.measure.precision.second_counts import SeriesSecond
from chaperon.measure.sketch import TOTAL, Sketch
from chaperon.report.comparison.decision import ChangeKind, decide_ratio, decide_share, holm, time_margin
from chaperon.report.comparison.difference import between_runs, difference, log_ratio, log_ratio_of_groups
from chaperon.report.comparison.estimate import Estimate, error_estimate, quantile_estimate, rate_estimate
from chaperon.report.comparison.words import error_sentence, time_sentence
from chaperon.report.percentiles import Population

NOTHING = Centroids(())


def estimate(value=0.05, below=0.1, above=0.1, seconds=300, freedom=9):
    """An estimate whose interval is a share *below* and *above* its value wide."""
    return Estimate(value, value * (1 - below), value * (1 + above), freedom, seconds)


ESTIMATES = st.builds(
    estimate, st.floats(0.001, 10.0), st.floats(0.001, 0.5), st.floats(0.001, 1.0), freedom=st.integers(4, 40)
)


@given(ESTIMATES, ESTIMATES, st.floats(0.001, 0.5))
def test_exchanging_the_runs_mirrors_the_comparison(first, second, margin):
    there, back = log_ratio(first, second), log_ratio(second, first)

    assert there[:3] == pytest.approx((-back.value, -back.high, -back.low))
    assert there.detectable == pytest.approx(back.detectable)
    margins = [time_margin(margin, a.value, b.value) for a, b in ((first, second), (second, first))]
    assert margins[0] == margins[1]
    decisions = decide_ratio(there, margins[0]), decide_ratio(back, margins[0])
    assert decisions[0].change is decisions[1].change.mirrored


@given(ESTIMATES, ESTIMATES, st.floats(0.001, 1_000.0))
def test_the_unit_of_time_is_no_matter(first, second, factor):
    scaled = [e._replace(value=factor * e.value, low=factor * e.low, high=factor * e.high) for e in (first, second)]

    assert log_ratio(*scaled)[:3] == pytest.approx(log_ratio(first, second)[:3], abs=1e-6)


@given(ESTIMATES, ESTIMATES)
def test_the_interval_holds_the_difference_and_is_wider_than_that_of_either_run(first, second):
    found = log_ratio(first, second)

    assert found.low <= found.value <= found.high
    for each in (first, second):
        assert found.high - found.low >= math.log(each.high / each.low) - 1e-9


def test_a_symmetric_difference_is_that_of_pythagoras():
    first, second = Estimate(10.0, 7.0, 13.0, 9, 300), Estimate(15.0, 11.0, 19.0, 12, 120)

    assert difference(first, second) == (5.0, 0.0, 10.0, 9, 120)


@pytest.mark.parametrize(
    ("value", "half", "margin", "change"),
    [
        (0.20, 0.05, 0.1, ChangeKind.SLOWER),
        (-0.20, 0.05, 0.1, ChangeKind.FASTER),
        (0.02, 0.05, 0.1, ChangeKind.SAME),
        (0.05, 0.03, 0.1, ChangeKind.SAME),  # slower for certain, but within the margin
        (0.05, 0.06, 0.1, ChangeKind.UNKNOWN),
        (0.15, 0.09, 0.1, ChangeKind.UNKNOWN),
    ],
)
def test_a_change_is_decided_by_where_its_interval_lies(value, half, margin, change):
    found = difference(Estimate(0.0, 0.0, 0.0, 9, 300), Estimate(value, value - half, value + half, 9, 300))

    assert decide_ratio(found, margin).change is change
    assert decide_share(found, margin).change is change


def test_runs_of_under_a_minute_are_not_compared():
    short, long = (log_ratio(estimate(0.05, 0.01, 0.01, s), estimate(0.5, 0.01, 0.01, s)) for s in (59, 60))

    assert decide_ratio(short, 0.1).change is ChangeKind.UNKNOWN
    assert decide_ratio(long, 0.1).change is ChangeKind.SLOWER


def test_a_margin_is_at_least_a_millisecond_and_twice_the_deviation_between_runs():
    assert time_margin(0.05, 0.1, 0.2) == 0.05
    assert time_margin(0.05, 0.004, 0.005) == 0.25
    assert time_margin(0.05, 0.1, 0.2, between=0.04) == 0.08


def test_the_length_that_would_see_the_margin_grows_with_the_square():
    found = log_ratio(estimate(), estimate())

    decision = decide_ratio(found, 0.1)

    assert decision.needed == pytest.approx(300 * (math.log1p(decision.detectable) / math.log(1.1)) ** 2)
    narrow = found._replace(low=found.low / 2, high=found.high / 2)
    assert decide_ratio(narrow, 0.1).needed == pytest.approx(decision.needed / 4)
    assert decide_ratio(found, 0.0).needed == math.inf


@settings(deadline=None)
@given(st.floats(-0.3, 0.3), st.floats(0.01, 0.3), st.floats(0.01, 0.3), st.floats(0.0, 0.2), st.integers(4, 30))
def test_a_p_value_is_below_the_level_where_the_interval_lies_beyond_the_bound(value, below, above, bound, freedom):
    zero = Estimate(0.0, 0.0, 0.0, freedom, 300)
    found = difference(zero, Estimate(value, value - below, value + above, freedom, 300))

    if abs(found.low - bound) > 1e-6:
        assert (found.p_above(bound) < 0.025) == (found.low > bound)
    if abs(found.high + bound) > 1e-6:
        assert (found.p_below(-bound) < 0.025) == (found.high < -bound)


def test_several_hypotheses_are_rejected_step_by_step():
    assert holm([]) == []
    assert holm([0.02]) == [True]
    assert holm([0.02, 0.02]) == [False, False]
    assert holm([0.01, 0.02]) == [True, True]
    assert holm([0.02, 0.3, 0.001], 0.05) == [True, False, True]
    assert holm([0.03, 0.001, 0.2]) == [False, True, False]


@given(st.lists(st.floats(0.0, 1.0), max_size=8), st.randoms())
def test_the_order_of_hypotheses_is_no_matter(values, chance):
    order = list(range(len(values)))
    chance.shuffle(order)

    rejected = holm([values[place] for place in order])

    assert [rejected[order.index(place)] for place in range(len(values))] == holm(values)


# Shares of errors


def failing(seconds, share):
    """A history in which *share* of a second is how many of 100 samples end in an error."""
    return History(
        [
            lambda: [
                SeriesSecond(t, Centroids([0.1] * (100 - share(t))), 0, NOTHING, 0, share(t)) for t in range(seconds)
            ]
        ]
    )


def test_errors_in_bursts_have_a_wider_interval_than_errors_spread_evenly():
    even = error_estimate(600, 12_000, failing(120, lambda t: 5))
    bursts = error_estimate(600, 12_000, failing(120, lambda t: 60 if 40 <= t < 50 else 0))

    assert even.value == bursts.value == 0.05
    assert bursts.high - bursts.low > 3 * (even.high - even.low)
    assert even.low < 0.05 < even.high < 0.06


def test_no_error_at_all_has_an_interval_from_zero():
    found = error_estimate(0, 12_000, failing(120, lambda t: 0))

    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.0 < found.high < 0.001


def test_the_share_of_errors_is_unknown_in_a_short_run_and_without_seconds():
    assert error_estimate(95, 1_900, failing(19, lambda t: 5)) is None
    assert error_estimate(5, 100, None) is None
    assert error_estimate(0, 0, failing(120, lambda t: 0)) is None


def test_more_errors_are_found_within_a_margin_of_half_a_point():
    calm, worse = (error_estimate(120 * n, 12_000, failing(120, lambda t, n=n: n)) for n in (1, 3))

    assert decide_share(difference(calm, worse), 0.005).change is ChangeKind.SLOWER
    assert decide_share(difference(worse, calm), 0.005).change is ChangeKind.FASTER
    assert decide_share(difference(calm, calm), 0.005).change is ChangeKind.SAME


# Rates


def counted(counts, step=1):
    kept = [SeriesSecond(step * t, Centroids([0.1] * n), 0, NOTHING, 0, 0, step) for t, n in enumerate(counts)]
    return History([lambda: kept])


def test_the_rate_of_a_run_is_its_mean_with_the_error_of_its_variation():
    chance = random.Random(6)
    held = 0
    for _ in range(100):
        level, counts = 0.0, []
        for _ in range(120):
            level = 0.7 * level + chance.gauss(0, 3)
            counts.append(round(50 + level))
        found = rate_estimate(counted(counts))
        held += found.low <= 50 <= found.high

    assert held >= 90
    assert found.seconds == 120


def test_a_rate_that_does_not_vary_is_known_exactly_whatever_the_step():
    for step, number in ((1, 60), (10, 40)):
        found = rate_estimate(counted([30 * step] * number, step))
        assert (found.value, found.low, found.high) == pytest.approx((30.0, 30.0, 30.0))


def test_a_short_run_has_no_rate_to_compare():
    assert rate_estimate(counted([30] * 19)) is None
    assert rate_estimate(None) is None


# Percentiles


def test_a_percentile_that_is_unknown_has_no_estimate():
    values = [[0.01 * n for n in range(1, 11)]] * 60

    times = population(values)

    assert quantile_estimate(times, 0.5) is not None
    assert quantile_estimate(times, 0.99) is None  # too few samples
    assert quantile_estimate(population(values[:19]), 0.5) is None  # too few seconds
    assert quantile_estimate(population([[0.0] * 10] * 60), 0.5) is None  # a ratio to 0 is none


def hanging(share, seconds=120):
    """A target whose requests take 10 to 50 ms, *share* of 40 a second time out after 1 s."""
    cut = round(40 * share)
    good = [0.01 + 0.04 * n / 39 for n in range(40)][: 40 - cut]
    kept = [SeriesSecond(t, Centroids(good), cut, NOTHING, 0) for t in range(seconds)]
    whole, censored = Sketch(TOTAL), Sketch()
    whole.add(good * seconds)
    censored.add([1.0] * (cut * seconds))
    return Population(whole, censored, History([lambda: kept]))


def test_a_percentile_counts_censored_samples_as_slower_and_is_unknown_among_them():
    sound, hangs = hanging(0.0), hanging(0.1)

    medians = [quantile_estimate(times, 0.5).value for times in (sound, hangs)]

    assert medians[1] == pytest.approx(medians[0], rel=0.03)  # timeouts take the place of the slowest
    assert quantile_estimate(sound, 0.95) is not None
    assert quantile_estimate(hangs, 0.95) is None


@pytest.mark.long
def test_the_same_target_twice_is_called_different_in_few_pairs():
    world = replace(World("correlation 0.9"), rate=20)

    pairs = examples(400)
    found = compared(world, pairs)

    for name in ("p50", "p95"):
        assert found[name].unknown == 0
        assert found[name].seen <= 0.08 * pairs
        assert found[name].slower <= 0.01 * pairs


@pytest.mark.long
def test_a_target_that_became_slower_is_found_by_the_median():
    world = World("correlation 0.7", seconds=120, correlation=0.7, wander=0.03, rate=40)

    slower = compared(world, 40, slower=0.15, margin=0.05)["p50"]
    same = compared(world, 40, margin=0.05)["p50"]

    assert slower.slower >= 36
    assert same.slower == 0


@pytest.mark.long
def test_the_change_that_is_said_to_be_detectable_is_detected():
    world = World("correlation 0.7", seconds=120, correlation=0.7, wander=0.05, rate=20)
    detectable = sorted(compared(world, 10, margin=0.0)["p50"].detectable)[5]

    seen = compared(world, 60, slower=detectable, margin=0.0, seed=2)["p50"].seen

    assert 0.65 <= seen / 60 <= 0.98


# Groups of runs


def test_groups_of_runs_are_compared_by_welch():
    first, second, wide = ([math.exp(x) for x in logs] for logs in ((0, 1, 2), (1, 2, 3), (0, 2, 4)))

    equal, unequal = log_ratio_of_groups(first, second, 120), log_ratio_of_groups(first, wide, 120)

    half = 2.776445 * math.sqrt(2 / 3)  # Student's t with 4 degrees of freedom
    assert equal == (pytest.approx(1.0), pytest.approx(1 - half), pytest.approx(1 + half), pytest.approx(4.0), 120)
    assert unequal.freedom == pytest.approx((5 / 3) ** 2 / (1 / 18 + 16 / 18))
    mirrored = log_ratio_of_groups(wide, first, 120)
    assert unequal[:3] == pytest.approx((-mirrored.value, -mirrored.high, -mirrored.low))


def test_runs_that_do_not_differ_are_the_same():
    found = log_ratio_of_groups([0.1] * 3, [0.1] * 3, 120)

    assert found[:3] == (0.0, 0.0, 0.0)
    assert decide_ratio(found, 0.05).change is ChangeKind.SAME
    assert found.p_above(0.05) == 1.0


@pytest.mark.parametrize(("first", "second"), [([0.1, 0.1], [0.1] * 5), ([0.1] * 3, [0.1]), ([], [])])
def test_fewer_than_three_runs_are_no_group(first, second):
    with pytest.raises(ValueError, match="at least 3 runs"):
        log_ratio_of_groups(first, second, 120)


def test_the_deviation_between_runs_is_pooled_over_groups():
    chance = random.Random(4)
    groups = [[math.exp(chance.gauss(level, 0.05)) for _ in range(40)] for level in (-3.0, -1.0)]

    assert between_runs(*groups) == pytest.approx(0.05, rel=0.2)
    assert between_runs([1.0, math.e], [0.5]) == pytest.approx(math.sqrt(0.5))
    with pytest.raises(ValueError, match="at least two runs"):
        between_runs([0.1], [0.2])


def test_runs_of_one_build_that_differ_alarm_in_few_groups():
    """Differences between runs of one build, invisible in a run, are allowed for from three runs a side."""
    chance, alarms = random.Random(9), 0
    for _ in range(200):
        first, second = ([math.exp(chance.gauss(-3, 0.05)) for _ in range(5)] for _ in range(2))
        found = log_ratio_of_groups(first, second, 120)
        alarms += found.low > 0 or found.high < 0

    assert 0.01 * 200 <= alarms <= 0.08 * 200


# Words


def sentence(first, second, half, margin=0.1, seconds=300):
    pair = [Estimate(each, each * (1 - half), each * (1 + half), 9, seconds) for each in (first, second)]
    found = log_ratio(*pair)
    return time_sentence("p95(GET /)", first, second, found, decide_ratio(found, margin))


@pytest.mark.parametrize(
    ("first", "second", "half", "words"),
    [
        (0.040, 0.050, 0.02, "p95(GET /) is 22–29 % slower (40.0ms → 50.0ms): more than the 10 % allowed; "),
        (0.050, 0.040, 0.02, "p95(GET /) is 18–22 % faster (50.0ms → 40.0ms): by more than the margin of 10 %; "),
        (0.050, 0.052, 0.02, "p95(GET /) is 1–7 % slower (50.0ms → 52.0ms): within the 10 % allowed; "),
        (0.050, 0.050, 0.02, "p95(GET /) changed by -3 to +3 % (50.0ms → 50.0ms): within the 10 % allowed; "),
        (0.050, 0.050, 0.001, "p95(GET /) changed by -0.1 to +0.1 % (50.0ms → 50.0ms): within the 10 % allowed; "),
        (0.050, 0.0502, 0.001, "p95(GET /) is 0.3–0.5 % slower (50.0ms → 50.2ms): within the 10 % allowed; "),
        (
            0.050,
            0.051,
            0.2,
            "p95(GET /) changed by -24 to +36 % (50.0ms → 51.0ms): whether by more than 10 % is unknown",
        ),
    ],
)
def test_a_change_is_said_in_a_sentence(first, second, half, words):
    assert sentence(first, second, half).startswith(words)


def test_what_could_not_have_been_seen_is_always_said():
    vague, precise = sentence(0.05, 0.051, 0.2), sentence(0.05, 0.05, 0.02)

    assert vague.endswith("; a slowdown of 50 % or more would have been seen; for 10 % run 89 min")
    assert precise.endswith("; a slowdown of 5 % or more would have been seen")


def test_errors_are_said_in_points():
    calm, worse = (error_estimate(120 * n, 12_000, failing(120, lambda t, n=n: n)) for n in (1, 3))
    found = difference(calm, worse)

    said = error_sentence("errors(GET /)", calm.value, worse.value, found, decide_share(found, 0.005))

    assert "(1.00% → 3.00%): more than the 0.5 points allowed; a change of" in said
    assert said.startswith("errors(GET /) changed by +1.")
