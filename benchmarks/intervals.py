"""Whether intervals of percentiles hold the truth as often as they say: simulated targets, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from benchmarks.queue_target import Service
from chaperon.measure.precision.centroids import Centroids
from chaperon.measure.precision.history import History
from chaperon.measure.precision.second_counts import SeriesSecond
from chaperon.measure.sketch import TOTAL, Sketch
from chaperon.report.comparison.decision import ChangeKind, decide_ratio, time_margin
from chaperon.report.comparison.difference import log_ratio, log_ratio_of_groups
from chaperon.report.comparison.estimate import quantile_estimate
from chaperon.report.percentiles import Population

SERVICE, LOAD = 0.005, 0.7
"""The queue: constant service time in seconds, share of the server's time that is used."""
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Seconds = Sequence[Sequence[float]]
"""The latencies, in seconds, of each second of a run."""


def population(run: Seconds) -> Population:
    """Return the percentiles of a run of at most 200 samples a second, as a report has them."""
    kept = [SeriesSecond(at, Centroids(sorted(values)), 0, Centroids(()), 0) for at, values in enumerate(run)]
    whole = Sketch(TOTAL)
    whole.add([value for values in run for value in values])
    return Population(whole, Sketch(), History([lambda: kept]))


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


@dataclass(frozen=True)
class World:
    """A simulated target whose runs differ by chance alone.

    The logarithm of its latencies has a mean that wanders from second to second (first-order
    autoregression with *correlation* and standard deviation *wander*), and it *pauses*, if so, for 1
    to 3 s about every 30 s. Runs of one build differ by *between*, a standard deviation of the logarithm.
    """

    name: str
    seconds: int = 300
    correlation: float = 0.9
    wander: float = 0.2
    pauses: bool = False
    between: float = 0.0
    rate: int = 50

    def run(self, chance: Random, slower: float = 0.0) -> Population:
        """Return a run of the target, made *slower* by a share."""
        mean = math.log(0.05 * (1 + slower)) + chance.gauss(0, self.between)
        level, fresh = chance.gauss(0, self.wander), self.wander * math.sqrt(1 - self.correlation**2)
        busy, pause, run = 0, chance.expovariate(1 / 30), []
        for at in range(self.seconds):
            level = self.correlation * level + chance.gauss(0, fresh)
            if self.pauses and at >= pause:
                busy = at + chance.randint(1, 3)
                pause = busy + chance.expovariate(1 / 30)
            values = [chance.lognormvariate(mean + level, 0.5) for _ in range(self.rate)]
            run.append([value + chance.random() for value in values] if at < busy else values)
        return population(run)


WORLDS = (
    World("independent", wander=0.0),
    World("correlation 0.7", correlation=0.7),
    World("correlation 0.9"),
    World("correlation 0.9, pauses", pauses=True),
    World("correlation 0.9, pauses, 60 s", pauses=True, seconds=60),
)


@dataclass
class Alarms:
    """Of some pairs of runs: in how many a difference was *seen*, none could be *known*, or the second was *slower*."""

    pairs: int = 0
    seen: int = 0
    unknown: int = 0
    slower: int = 0
    detectable: list[float] = field(default_factory=list)


def compared(world: World, pairs: int, *, slower: float = 0.0, margin: float = 0.1, seed: int = 1) -> dict[str, Alarms]:
    """Compare *pairs* of runs of a target, the second of each made *slower* by a share, by percentile."""
    chance, found = Random(seed), {name: Alarms() for name in PERCENTILES}
    for _ in range(pairs):
        first, second = world.run(chance), world.run(chance, slower)
        for name, q in PERCENTILES.items():
            alarms, each = found[name], (quantile_estimate(first, q), quantile_estimate(second, q))
            alarms.pairs += 1
            if each[0] is None or each[1] is None:
                alarms.unknown += 1
                continue
            ratio = log_ratio(each[0], each[1])
            decision = decide_ratio(ratio, time_margin(margin, each[0].value, each[1].value))
            alarms.seen += ratio.low > 0 or ratio.high < 0
            alarms.slower += decision.change is ChangeKind.SLOWER
            alarms.detectable.append(decision.detectable)
    return found


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
    yield ""
    yield f"the same target twice, {seeds} pairs: per cent in which a difference is seen (unknown in per cent)"
    yield "| target | " + " | ".join(PERCENTILES) + " |"
    yield "|---" * (len(PERCENTILES) + 1) + "|"
    for world in WORLDS:
        yield f"| {world.name} | " + " | ".join(_alarm_cell(each) for each in compared(world, seeds).values()) + " |"
    yield ""
    yield from _power_table(seeds)
    yield ""
    yield from _noise_table(seeds)


def _noise_table(pairs: int) -> Iterator[str]:
    """Yield what differences between runs of one build do, which no single run shows."""
    yield f"runs of one build that differ, correlation 0.7, 300 s: per cent of {pairs} pairs or groups with an alarm"
    yield "| deviation between runs | one each | slower by margin 5 % | slower by margin 10 % | five each, Welch |"
    yield "|---|---|---|---|---|"
    for between in (0.0, 0.02, 0.05):
        chance, alarms = Random(1), [0, 0, 0, 0]
        world = World("correlation 0.7", correlation=0.7, between=between, rate=20)
        for _ in range(pairs):
            groups = [[quantile_estimate(world.run(chance), 0.5) for _ in range(5)] for _ in range(2)]
            first, second = ([each for each in group if each is not None] for group in groups)
            ratio = log_ratio(first[0], second[0])
            welch = log_ratio_of_groups([each.value for each in first], [each.value for each in second], world.seconds)
            alarms[0] += ratio.low > 0 or ratio.high < 0
            alarms[1] += decide_ratio(ratio, 0.05).change is ChangeKind.SLOWER
            alarms[2] += decide_ratio(ratio, 0.1).change is ChangeKind.SLOWER
            alarms[3] += welch.low > 0 or welch.high < 0
        yield f"| {between:.0%} | {' | '.join(f'{100 * each / pairs:.0f}' for each in alarms)} |"


def _power_table(pairs: int) -> Iterator[str]:
    world = World("correlation 0.7, pauses", correlation=0.7, wander=0.1, pauses=True)
    yield f"{world.name}, deviation 0.1, 300 s: per cent of {pairs} pairs found slower than a margin (median of the"
    yield "smallest change that is said to be detectable)"
    yield "| truly slower by | margin | " + " | ".join(PERCENTILES) + " |"
    yield "|---" * (len(PERCENTILES) + 2) + "|"
    for slower, margin in ((0.0, 0.05), (0.1, 0.05), (0.2, 0.05), (0.2, 0.1)):
        found = compared(world, pairs, slower=slower, margin=margin).values()
        cells = [f"{100 * each.slower / each.pairs:.0f} ({_middle(each.detectable)})" for each in found]
        yield f"| {slower:.0%} | {margin:.0%} | {' | '.join(cells)} |"


def _alarm_cell(alarms: Alarms) -> str:
    known = alarms.pairs - alarms.unknown
    share = f" ({100 * alarms.unknown / alarms.pairs:.0f})" if alarms.unknown else ""
    return f"{100 * alarms.seen / known:.0f}{share}" if known >= alarms.pairs / 10 else f"–{share}"


def _middle(values: Sequence[float]) -> str:
    return f"{median(values):.0%}" if values else "–"
