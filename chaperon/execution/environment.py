"""An environment: what its author typed, changed by the command line; runs it and searches for its capacity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaperon.client.service import Service
from chaperon.clock import seconds
from chaperon.errors import UsageError
from chaperon.execution.environment_values import EnvironmentValues, parse_timeout
from chaperon.execution.plan import RunPlan
from chaperon.execution.running import Running
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.kinds.load import Load
from chaperon.load.kinds.rate import Rate
from chaperon.load.shapes import rate
from chaperon.scenario.entry import Entry, names_of
from chaperon.session.config import merge
from chaperon.session.context import DEFAULT

if TYPE_CHECKING:
    from chaperon.measure.sample import Sample
    from chaperon.report.capacity import Capacity, Probe
    from chaperon.report.outputs.output import Output
    from chaperon.report.report import Report
    from chaperon.report.run_file.writer import RunFileWriter


@lazy_dataclass(frozen=True, repr=False)
class Environment(EnvironmentValues):
    """Services, entries, limits: all that a run needs to know.

    *url*, *headers*, *auth*, *verify*, *cert* describe the default service, *services* the others; one named
    "default" takes its place. *timeout* (seconds, or a pair for connecting and reading), *deadline*, *max_body*,
    *transport*, *local_addresses*, *timings*, *trust_origins* (see `Service`) are theirs unless they have their own.
    *grace* is how long visits in flight may go on at the end, *brake* after how long of nothing but failing requests
    the run stops (None: never). With *strict* the verdict is FAIL where there are errors that no limit covers.
    What is due in the first *warmup* counts to no headline, no limit. An arrival that would begin more than *late*
    after it was due is dropped (None: it begins late). *trust* changes the rules by which a run is INVALID, such as
    {"late": "100ms", "cpu": None}. *metrics* renames, leaves out or derives series. *on_sample* is called with a
    `SampleRecord` for every sample, within the visit and in the process that sends it; it must not block. Raises
    LoadError, LimitError, PlanError.

    *setup* runs once per run before it, *teardown* after it in any case; each may take
    the config as its argument. *setup* may be a generator function or a context manager,
    too. The mapping it returns (plain values: they travel to the workers of a cluster) is
    merged into the config that every session sees, above the environment's own and below
    that of an entry; its "url" becomes the base URL, unless the command line gave one.
    """

    def adapt(
        self,
        *,
        url: str | None = None,
        load: Load | None = None,
        only: str | None = None,
        hold: float | str | None = None,
        ramp: float | str | None = None,
        config: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str | None = None,
        insecure: bool = False,
        limits: Sequence[str] = (),
        seed: int | None = None,
        grace: float | str | None = None,
        warmup: float | str | None = None,
        trust: Mapping[str, Any] | None = None,
        brake: bool = True,
        strict: bool = False,
    ) -> Environment:
        """Return this environment as the command line changes it.

        *load* replaces the load of the only entry, or of *only*; *hold* and *ramp* alone cut
        every entry's. *brake* False turns it off. Raises UsageError.
        """
        entries = self._chosen(only)
        if load is not None and len(entries) > 1:
            raise UsageError(f"several entries: say whose load it is with --only {names_of(entries)}")
        if load is not None:
            entries = [replace(entries[0], load=load)]
        if hold is not None or ramp is not None:
            spans = [None if span is None else seconds(span) for span in (hold, ramp)]
            entries = [replace(e, load=e.load.with_spans(*spans)) for e in entries]
        if config:
            entries = [replace(e, config=merge(e.config, config)) for e in entries]
        return replace(
            self,
            scenarios=entries,
            url=self.url if url is None else url,
            url_ordered=self.url_ordered or url is not None,
            settings=merge(self.settings, config or {}),
            headers={**self.headers, **(headers or {})},
            timeout=self.timeout if timeout is None else timeout,
            verify=False if insecure else self.verify,
            services=self._served(url, headers or {}, timeout, insecure),
            limits=(*self.limits, *limits),
            seed=self.seed if seed is None else seed,
            grace=self.grace if grace is None else grace,
            warmup=self.warmup if warmup is None else warmup,
            trust={**self.trust, **(trust or {})},
            brake=self.brake if brake else None,
            strict=self.strict or strict,
        )

    def _chosen(self, only: str | None) -> list[Entry]:
        entries = list(self.entries)
        if only is None:
            return entries
        chosen = [e for e in entries if e.label == only]
        if not chosen:
            raise UsageError(f"no entry {only!r} in {self.name!r}; there are {names_of(entries)}")
        return chosen

    def _served(
        self, url: str | None, headers: Mapping[str, str], timeout: float | str | None, insecure: bool
    ) -> dict[str, Service | str]:
        """Return the services as changed: *url*, *headers*, *timeout* are for the default one, if it is among them."""
        served = dict(self.services)
        own = served.get(DEFAULT)
        if isinstance(own, Service):
            changed = {"url": url, "timeout": parse_timeout(timeout), "headers": {**own.headers, **headers}}
            served[DEFAULT] = replace(own, **{name: value for name, value in changed.items() if value is not None})
        if insecure:
            served = {n: s if isinstance(s, str) else replace(s, verify=False) for n, s in served.items()}
        return served

    def start(
        self,
        tap: Callable[[Sample], None] | None = None,
        *,
        outputs: Sequence[Output] = (),
        run_file: RunFileWriter | str | Path | None = None,
    ) -> Running:
        """Set up, start the run and return at once.

        *tap* is called with every sample, *outputs* get the seconds and the report of the run,
        *run_file* is the path of a file that `read_run` reads; see `Run.start`. Raises
        LoadError, NotPatched, OutputError.
        """
        return Running(self.plan(), tap=tap).start(outputs, run_file)

    def execute(self, *, outputs: Sequence[Output] = (), run_file: RunFileWriter | str | Path | None = None) -> Report:
        """Run to the end, blocking this greenlet; return the report, which the *outputs* have written.

        *run_file* is the path of a file that `read_run` reads. Raises LoadError, NotPatched;
        TeardownError and OutputError, which bring the report with them.
        """
        with self.start(outputs=outputs, run_file=run_file) as running:
            running.wait()
        running.check_written()
        return running.finish()

    def find(
        self,
        *,
        start: float,
        to: float,
        step: float | str = 10.0,
        settle: float | str = 5.0,
        within: float = 0.05,
        perform: Callable[[Environment], Report] | None = None,
        told: Callable[[Probe], None] = lambda _: None,
    ) -> Capacity:
        """Run at one rate after another, from *start* up to *to* visits a second, to find the highest that holds.

        Each is measured for *step* after it *settled*, until the highest is known *within* a
        share of it; that one is confirmed over twice the time. *perform* makes a run if it is
        not `execute`, *told* hears of each. Raises UsageError and what a run raises.
        """
        if not self.limits:
            raise UsageError("a search needs a limit that can break: --limit 'p95(visit) < 300ms'")
        if len(self.checked().entries) > 1:
            raise UsageError(f"a search changes the rate of one entry: say which with --only {names_of(self.entries)}")
        from chaperon.execution.capacity_search import find as find_capacity  # late: few runs are a search

        run = perform or Environment.execute
        warmup = seconds(settle)
        return find_capacity(
            lambda per_second, length: run(self._at_rate(per_second, warmup, length)),
            start=start,
            to=to,
            step=seconds(step),
            within=within,
            told=told,
        )

    def _at_rate(self, per_second: float, warmup: float, length: float) -> Environment:
        """Return this environment with its only entry at one rate, for *length* seconds after *warmup*."""
        (entry,) = self.entries
        tried: Load = rate(per_second, hold=warmup + length, warmup=warmup)
        if isinstance(entry.load, Rate):
            tried = replace(entry.load, curve=tried.curve, warmup=warmup)  # type: ignore[attr-defined]
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        return _Probe(**{**given, "scenarios": [replace(entry, load=tried)], "warmup": 0.0})


class _Probe(Environment):
    """One probe of a search, whose limits count samples as if they were independent.

    Close to its capacity a target queues for longer than a probe lasts: no percentile would be known.
    """

    def _parse(self) -> RunPlan:
        plan = super()._parse()
        return replace(plan, limits=tuple(replace(limit, independent=True) for limit in plan.limits))
