"""The seconds of a run as columns that pandas and polars take as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import Window
from chaperon.report.percentiles import Population

Column = list[float | int | None]
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class SecondColumns:
    """One series, or several as one, second by second."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._seconds: dict[int, list[Series]] = {}

    def __repr__(self) -> str:
        return f"<SecondColumns of {self.name}, {len(self._seconds)} seconds>"

    def add(self, second: int, parts: Sequence[Series]) -> None:
        """Add the samples of one second."""
        self._seconds.setdefault(second, []).extend(parts)

    def add_all(self, other: SecondColumns) -> None:
        """Add the samples of another series, second by second."""
        for second, parts in other._seconds.items():
            self.add(second, parts)

    def per_second(self) -> dict[str, Column]:
        """Return one list for each column, with an entry for every second that has a sample.

        - *at*: the second, counted from the start of the run.
        - *count*, *errors*, *censored*: numbers of samples. *bytes*: bytes received.
        - *min*, *mean*, *max*: of good samples, in seconds, None without any.
        - *p50*, *p95*, *p99*: of good and censored samples, in seconds; None where there are too
          few samples to know them, or where they fall among censored ones.
        """
        columns: dict[str, Column] = {name: [] for name in ("at", "count", "errors", "censored", "bytes")}
        columns |= {name: [] for name in ("min", "mean", "max", *SHARES)}
        for second in sorted(self._seconds):
            series = Series.merge_all(self._seconds[second])
            good = series.good
            times = Population.service(series)
            row = {
                "at": second,
                "count": series.count,
                "errors": series.errors,
                "censored": series.censored.count,
                "bytes": series.bytes,
                "min": good.low if good else None,
                "mean": good.mean,
                "max": good.high if good else None,
                **{name: times.known(share) for name, share in SHARES.items()},
            }
            for name, value in row.items():
                columns[name].append(value)
        return columns


class Columns:
    """Every series of a run, second by second. `add_second` is a listener of a collector."""

    def __init__(self) -> None:
        self.all_requests = SecondColumns("all requests")
        self._found: dict[tuple[str, str], SecondColumns] = {}

    def __repr__(self) -> str:
        return f"<Columns of {len(self._found)} series>"

    def add_second(self, second: int, series: Mapping[Key, Sequence[Series]], windows: Sequence[Window]) -> None:
        """Add one closed second."""
        for key, parts in series.items():
            named = key.scenario, key.name
            found = self._found.get(named)
            if found is None:
                found = self._found[named] = SecondColumns(key.name)
            found.add(second, parts)
            if key.is_request:
                self.all_requests.add(second, parts)

    def series(self, name: str, scenario: str | None = None) -> SecondColumns:
        """Return a series by name, of one scenario or of all. Raises KeyError, with the names that are near."""
        wanted = [found for (label, known), found in self._found.items() if known == name and scenario in (None, label)]
        if not wanted:
            near = get_close_matches(name, sorted({known for _, known in self._found}), 3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "no series has a similar name"
            raise KeyError(f"no series {name!r}{f' in {scenario!r}' if scenario else ''}: {hint}")
        if len(wanted) == 1:
            return wanted[0]
        whole = SecondColumns(name)
        for part in wanted:
            whole.add_all(part)
        return whole
