"""Samples of neighbouring seconds resemble each other: the variance of a percentile allows for it."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon.measure.precision.confidence import ranks, samples_needed
from chaperon.measure.precision.distributions import beta_cdf, beta_quantile, t_cdf, t_quantile
from chaperon.measure.precision.long_run import dependence, deviations, freedom_of, long_run_variance

pytestmark = [pytest.mark.long, pytest.mark.compiled]


@pytest.mark.parametrize(
    ("p", "freedom", "value"),
    [
        (0.975, 1, 12.7062047362),
        (0.975, 4, 2.7764451052),
        (0.975, 9, 2.2621571628),
        (0.975, 30, 2.0422724563),
        (0.8, 9, 0.8834038596),
        (0.975, 2, 4.3026527297),
        (0.975, 1e7, 1.9599642),
    ],
)
def test_the_quantiles_of_t_are_those_of_the_tables(p, freedom, value):
    assert t_quantile(p, freedom) == pytest.approx(value, rel=1e-6)
    assert t_quantile(1 - p, freedom) == pytest.approx(-value, rel=1e-6)


@given(st.floats(0.001, 0.999), st.floats(0.5, 500))
def test_the_quantile_of_t_is_the_inverse_of_its_distribution(p, freedom):
    assert t_cdf(t_quantile(p, freedom), freedom) == pytest.approx(p, abs=1e-9)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.01, 0.99))
def test_the_beta_distribution_of_whole_parameters_is_a_binomial_sum(a, b, x):
    n = a + b - 1
    binomial = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))

    assert beta_cdf(x, a, b) == pytest.approx(binomial, abs=1e-10)


@given(st.floats(0.001, 0.999), st.floats(0.5, 2_000), st.floats(0.5, 2_000))
def test_the_quantile_of_beta_is_the_inverse_of_its_distribution(p, a, b):
    assert beta_cdf(beta_quantile(p, a, b), a, b) == pytest.approx(p, abs=1e-7)


@pytest.mark.parametrize(("seconds", "cosines"), [(20, 4), (60, 4), (100, 5), (300, 9), (900, 15), (3_600, 30)])
def test_a_longer_run_is_estimated_by_more_cosines(seconds, cosines):
    assert freedom_of(seconds) == cosines


def mean_variance(correlation, length=600):
    """The mean of the estimate for a first-order autoregression whose innovations have variance 1."""
    chance, found = random.Random(1), []
    for _ in range(200):
        value, values = 0.0, []
        for _ in range(length):
            value = correlation * value + chance.gauss(0, 1)
            values.append(value)
        mean = math.fsum(values) / length
        found.append(long_run_variance([v - mean for v in values], freedom_of(length)))
    return sum(found) / len(found)


@pytest.mark.parametrize(("correlation", "tolerance"), [(0.0, 0.08), (0.5, 0.1), (0.8, 0.15)])
def test_the_estimate_is_the_long_run_variance_of_an_autoregression(correlation, tolerance):
    assert mean_variance(correlation) == pytest.approx(1 / (1 - correlation) ** 2, rel=tolerance)


Q = st.sampled_from([0.5, 0.9, 0.95, 0.99])
SECONDS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=20, max_size=60).map(
    lambda pairs: {at: (min(above, n), n) for at, (above, n) in enumerate(pairs)}
)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 1_000)), min_size=1))
def test_deviations_sum_to_nothing_and_a_change_of_the_load_is_none(pairs):
    share = [n * part for part, n in pairs]
    counts = [n for _, n in pairs]

    assert sum(deviations(share, counts)) == pytest.approx(0, abs=1e-6)
    assert deviations([0.25 * n for n in counts], counts) == pytest.approx([0.0] * len(counts), abs=1e-9)


@given(SECONDS, Q)
def test_the_design_effect_is_finite_and_no_less_than_one(seconds, q):
    found = dependence(seconds, q)

    assert found is None or 1.0 <= found.design_effect < math.inf
    assert (found is None) == (sum(n > 0 for _, n in seconds.values()) < 20)


@given(SECONDS, Q, st.integers(2, 7))
def test_each_sample_repeated_is_worth_no_more(seconds, q, times):
    more = {at: (times * above, times * n) for at, (above, n) in seconds.items()}

    once, often = dependence(seconds, q), dependence(more, q)

    if once is not None and once.design_effect > 1.0:
        n = sum(n for _, n in seconds.values())
        assert often.effective(times * n) == pytest.approx(once.effective(n))


@given(SECONDS, Q, st.integers(-500, 500))
def test_it_does_not_depend_on_when_the_run_began_nor_on_its_direction(seconds, q, shift):
    shifted = {at + shift: pair for at, pair in seconds.items()}
    backwards = {-at: pair for at, pair in seconds.items()}

    found = dependence(seconds, q)

    assert dependence(shifted, q) == found
    if found is not None:
        assert dependence(backwards, q).design_effect == pytest.approx(found.design_effect, rel=1e-6)


def autoregressive(chance, length, correlation):
    """Exceedances of p50, by second of 50 samples, whose probability drifts."""
    level, seconds = 0.0, {}
    for at in range(length):
        level = correlation * level + chance.gauss(0, math.sqrt(1 - correlation**2))
        p = 1 / (1 + math.exp(-level))
        seconds[at] = (sum(chance.random() < p for _ in range(50)), 50)
    return seconds


def test_dependent_seconds_have_a_design_effect_and_independent_ones_have_little():
    chance = random.Random(5)

    drifting = [dependence(autoregressive(chance, 300, 0.9), 0.5).design_effect for _ in range(20)]
    independent = [
        dependence({t: (sum(chance.random() < 0.05 for _ in range(50)), 50) for t in range(300)}, 0.95).design_effect
        for _ in range(20)
    ]

    assert sorted(drifting)[10] > 50
    assert sorted(independent)[10] < 1.2


def test_a_long_run_in_steps_is_estimated_as_in_seconds():
    seconds = autoregressive(random.Random(3), 3_600, 0.97)
    steps = {}
    for at, (above, n) in seconds.items():
        known = steps.get(at // 10 * 10, (0, 0))
        steps[at // 10 * 10] = known[0] + above, known[1] + n

    fine, coarse = dependence(seconds, 0.5), dependence(steps, 0.5, 10)

    assert coarse.freedom == fine.freedom == 30
    assert coarse.design_effect == pytest.approx(fine.design_effect, rel=0.05)


def test_samples_in_fewer_than_twenty_seconds_say_nothing_of_it():
    few = dict.fromkeys(range(0, 190, 10), (5, 50))

    assert dependence(few, 0.9) is None
    assert dependence({**few, 190: (5, 50)}, 0.9) is not None


def coverage(draws, seconds, rate, q, seed):
    """How many of *draws* intervals of a quantile hold the true one, and their median width in ranks."""
    chance, held, widths = random.Random(seed), 0, []
    for _ in range(draws):
        values = [sorted(chance.random() for _ in range(rate)) for _ in range(seconds)]
        ordered = sorted(value for part in values for value in part)
        count = len(ordered)
        at = ordered[int(q * count)]
        found = dependence({t: (sum(v > at for v in part), rate) for t, part in enumerate(values)}, q)
        n = int(found.effective(count))
        low, high = ((rank - 0.5) / n for rank in ranks(n, q))
        held += ordered[int(low * count)] <= q <= ordered[min(int(high * count), count - 1)]
        widths.append(high - low)
    return held, sorted(widths)[draws // 2]


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_on_independent_samples_the_interval_is_at_most_a_quarter_wider(q):
    count = 300 * 20
    low, high = ranks(count, q)

    held, width = coverage(50, 300, 20, q, seed=11)

    assert width <= 1.25 * (high - low) / count
    assert held >= 46
    assert count > samples_needed(q)
