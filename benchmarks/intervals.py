"""Whether intervals of percentiles hold the truth as often as they say: simulated targets, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from statistics import median

from benchmarks.queue_target import Service
from chaperon.measure.precision.history import History, SeriesSecond
from chaperon.measure.sketch import Sketch
from chaperon.report.percentiles import Population

SERVICE, LOAD = 0.005, 0.7
"""The queue: constant service time in seconds, share of the server's time that is used."""
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Seconds = Sequence[Sequence[float]]
"""The latencies, in seconds, of each second of a run."""


def population(run: Seconds) -> Population:
    """Return the percentiles of a run as a report has them: a sketch a second."""
    nothing = Sketch()
    kept = []
    for at, values in enumerate(run):
        sketch = Sketch()
        sketch.add(values)
        kept.append(SeriesSecond(at, sketch, 0, nothing, 0))
    return Population(Sketch.merge_all([each.good for each in kept]), nothing, History([lambda: kept]))


def queue(seed: int, seconds: int) -> list[list[float]]:
    """Return the response times of an M/D/1 queue, by the second in which they ended."""
    chance, at, due = Random(seed), 0.0, []
    while (at := at + chance.expovariate(LOAD / SERVICE)) < seconds:
        due.append(at)
    run: list[list[float]] = [[] for _ in range(seconds)]
    for begin, took in zip(due, Service(SERVICE, one=True).ideal(due), strict=True):
        if begin + took < seconds:
            run[int(begin + took)].append(took)
    return run


def queue_quantile(q: float) -> float:
    """Return the quantile *q* of the response time of the queue in equilibrium, in seconds.

    From the distribution of the wait by Erlang (1909); see Tijms, "A First Course in Stochastic
    Models" (2003), 9.3.2.
    """
    low, high = 0.0, 40.0  # in service times
    for _ in range(60):
        middle = (low + high) / 2
        if _wait_below(middle) < q:
            low = middle
        else:
            high = middle
    return SERVICE * (1 + high)


def _wait_below(x: float) -> float:
    terms = []
    for k in range(math.floor(x) + 1):
        y = LOAD * (k - x)
        terms.append(y**k / math.factorial(k) * math.exp(-y))
    return (1 - LOAD) * math.fsum(terms)


def covered(seeds: Iterable[int], q: float, *, seconds: int = 300) -> tuple[int, int]:
    """Return in how many seeds the interval of the queue's quantile *q* held the truth, and the binomial one did."""
    truth, held, binomial = queue_quantile(q), 0, 0
    for seed in seeds:
        run = population(queue(seed, seconds))
        interval, simple = run.interval(q), run.good.interval(q)
        held += interval is not None and interval.low <= truth <= interval.high
        binomial += simple is not None and simple.low <= truth <= simple.high
    return held, binomial


def independent(seed: int, seconds: int, rate: int) -> list[list[float]]:
    """Return independent lognormal latencies, *rate* of them each second."""
    chance = Random(seed)
    return [[chance.lognormvariate(-3, 0.5) for _ in range(rate)] for _ in range(seconds)]


def widened(seeds: Iterable[int], q: float, *, seconds: int = 300, rate: int = 50) -> float:
    """Return the median, over *seeds*, of how much wider than the binomial interval ours is on independent samples."""
    ratios = []
    for seed in seeds:
        run = population(independent(seed, seconds, rate))
        interval, simple = run.interval(q), run.good.interval(q)
        assert interval is not None
        assert simple is not None
        ratios.append((interval.high - interval.low) / (simple.high - simple.low))
    return median(ratios)


def intervals(seeds: int = 100) -> str:
    """Return tables of coverage and of width, over as many *seeds*. Blocks for some minutes."""
    return "\n".join(_tables(seeds))


def _tables(seeds: int) -> Iterator[str]:
    yield f"M/D/1 queue at {LOAD:.0%}, 300 s: seeds of {seeds} in which the 95 % interval holds the true percentile"
    yield "| percentile | true, ms | this interval | binomial interval |"
    yield "|---|---|---|---|"
    for name, q in PERCENTILES.items():
        held, binomial = covered(range(1, seeds + 1), q)
        yield f"| {name} | {1000 * queue_quantile(q):.2f} | {held} | {binomial} |"
    yield ""
    yield "independent lognormal samples, 300 s of 50/s: median width beside the binomial interval, 50 seeds"
    for name, q in PERCENTILES.items():
        yield f"- {name}: {widened(range(1, 51), q):.3f}"
