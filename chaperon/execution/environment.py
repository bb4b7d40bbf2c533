"""An environment: what an author wants run, as typed and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaperon.client.service import MAX_BODY, Service
from chaperon.clock import LASTING, named_seconds, seconds
from chaperon.errors import LoadError, PlanError, UsageError
from chaperon.execution.capacity_search import find as find_capacity
from chaperon.execution.metric_rules import Rules, read
from chaperon.execution.plan import RunPlan, check_base_url
from chaperon.execution.running import Running
from chaperon.execution.secret_references import SecretReference, resolve
from chaperon.load.kinds.load import Load
from chaperon.load.kinds.rate import Rate
from chaperon.load.shapes import rate
from chaperon.load.share import Share
from chaperon.report.limits.limit_parser import parse
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.scenario.entry import Entry, names_of
from chaperon.scenario.scenario import Scenario, Step, as_scenario
from chaperon.session.config import merge
from chaperon.session.context import DEFAULT, POLICIES, OnError

if TYPE_CHECKING:
    from chaperon.measure.sample import Sample
    from chaperon.report.capacity import Capacity, Probe
    from chaperon.report.outputs.output import Output
    from chaperon.report.report import Report
    from chaperon.report.run_file.writer import RunFileWriter
    from chaperon.report.samples.observer import SampleRecord


@dataclass(frozen=True)
class Environment:
    """Services, entries, limits: all that a run needs to know.

    *url*, *headers*, *auth*, *verify*, *cert* describe the default service, *services* the others; one named
    "default" takes its place. *timeout* (seconds, or a pair for connecting and reading), *deadline*, *max_body*,
    *transport*, *local_addresses*, *timings*, *trust_origins* (see `Service`) are theirs unless they have their own.
    *grace* is how long visits in flight may go on at the end, *brake* after how long of nothing but failing requests
    the run stops (None: never). With *strict* the verdict is FAIL where there are errors that no limit speaks of.
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

    url: str = ""
    _: KW_ONLY
    scenarios: Sequence[Entry | Scenario | Step] = ()
    services: Mapping[str, Service | str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: Any = None
    verify: bool | str = True
    cert: Any = None
    timeout: float | str | tuple[float, float] | None = 30.0
    trust_env: bool = False
    deadline: float | str | None = 120.0
    max_body: int | None = MAX_BODY
    transport: str = "wire"
    local_addresses: Sequence[str] = ()
    timings: bool = False
    trust_origins: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    limits: Sequence[str] = ()
    metrics: Rules = None
    on_sample: Callable[[SampleRecord], object] | None = None
    name: str = "environment"
    seed: int = 0
    grace: float | str = 10.0
    warmup: float | str = 0.0
    late: float | str | None = 1.0
    brake: float | str | None = 30.0
    strict: bool = False
    trust: Mapping[str, Any] = field(default_factory=dict)
    on_error: OnError = "next-visit"
    setup: Any = None
    teardown: Callable[..., object] | None = None
    url_ordered: bool = field(default=False, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _parsed: RunPlan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what, wanted, said in _KINDS:
            if not isinstance(getattr(self, what), wanted):
                raise LoadError(f"{what}= takes {said}, got {getattr(self, what)!r}")
        for name, service in self.services.items():
            if not isinstance(service, (Service, str)):
                raise LoadError(f"services= takes a base URL or a Service for each name, got {service!r} for {name!r}")
        for name, value in self.headers.items():
            if not isinstance(value, (str, bytes, SecretReference)):
                raise LoadError(f"headers= takes text for each name, got {value!r} for {name!r}")
        for url in (self.url, *(s if isinstance(s, str) else s.url for s in self.services.values())):
            check_base_url(url)
        for each in self.scenarios:
            if not isinstance(each, (Entry, Scenario)) and not callable(each):
                raise LoadError(f"scenarios= takes run(scenario, load) entries, got {each!r}")
        # a function becomes its scenario once: an entry is known by the identity of its scenario
        entries = [each if isinstance(each, Entry) else as_scenario(each) for each in self.scenarios]
        object.__setattr__(self, "scenarios", entries)
        if isinstance(self.limits, str):
            raise LoadError(f"limits= takes a list: limits=[{self.limits!r}]")
        if self.on_error not in POLICIES:
            raise LoadError(f"on_error must be one of {', '.join(POLICIES)}; got {self.on_error!r}")
        if not (self.setup is None or callable(self.setup) or hasattr(type(self.setup), "__enter__")):
            raise LoadError(f"setup= takes a function or a context manager, got {self.setup!r}")
        if not (self.on_sample is None or callable(self.on_sample)):
            raise LoadError(f"on_sample= takes a function of a SampleRecord, got {self.on_sample!r}")
        if not (self.teardown is None or callable(self.teardown)):
            raise LoadError(f"teardown= takes a function, got {self.teardown!r}")
        object.__setattr__(self, "timeout", _timeout(self.timeout))
        object.__setattr__(self, "_parsed", self._parse())

    def __repr__(self) -> str:
        return f"<Environment {self.name} of {', '.join(e.label for e in self.entries) or 'nothing'}>"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries; a bare scenario is one user making one visit."""
        return tuple(e if isinstance(e, Entry) else Entry(as_scenario(e)) for e in self.scenarios)

    @property
    def asked(self) -> str:
        """The loads of all entries, as a person would say them: "100 users + 50/s"."""
        return self._parsed.load_text

    @property
    def secrets(self) -> set[str]:
        """The values no output may show: see `RunPlan.secrets`."""
        return self._parsed.secrets

    @property
    def doubts(self) -> list[str]:
        """Sentences on what may not be meant: think times that never pass, limits on names that are not there."""
        return [*(doubt for entry in self.entries for doubt in entry.unused_thinks), *self._parsed.doubts]

    def plan(self, secrets: Mapping[str, str] | None = None) -> RunPlan:
        """Return the parsed form that a run takes, with the values of `secret(…)`.

        With *secrets*, values by their references, none is read from this machine. Blocks while files are read.
        Raises LoadError as `checked` does, and where a secret cannot be read.
        """
        return resolve(self.checked()._parsed, secrets)

    def _parse(self) -> RunPlan:
        naming, derived = read(self.metrics)
        return RunPlan(
            name=self.name,
            seed=self.seed,
            entries=tuple(entry.paced() for entry in self.entries),
            config=self.config,
            limits=tuple(parse(text) for text in self.limits),
            rules=ValidityRules.of(self.trust),
            naming=naming,
            derived=derived,
            on_sample=self.on_sample,
            setup=self.setup,
            teardown=self.teardown,
            on_error=self.on_error,
            grace=named_seconds("grace", self.grace),
            late=math.inf if self.late is None else named_seconds("late", self.late),
            warmup=named_seconds("warmup", self.warmup, LASTING),
            brake=None if self.brake is None else named_seconds("brake", self.brake),
            strict=self.strict,
            services=self._parse_services(),
            url_fixed=self.url_ordered,
            settings=self.settings,
        )

    def _parse_services(self) -> dict[str, Service]:
        """Return every service by name; the environment itself is the default one. Raises LoadError."""
        timeout: Any = self.timeout
        deadline = None if self.deadline is None else named_seconds("deadline", self.deadline)
        try:
            default = Service(
                url=self.url,
                headers=self.headers,
                auth=self.auth,
                verify=self.verify,
                cert=self.cert,
                timeout=timeout,
                trust_env=self.trust_env,
                deadline=deadline,
                max_body=self.max_body,
                transport=self.transport,
                local_addresses=self.local_addresses,
                timings=self.timings,
                trust_origins=self.trust_origins,
            )
        except PlanError:
            raise
        except UsageError as exc:
            raise LoadError(str(exc)) from None
        named = {
            name: replace(default, url=s, headers={}, auth=None) if isinstance(s, str) else s
            for name, s in self.services.items()
        }
        return {DEFAULT: default, **named}

    def checked(self) -> Environment:
        """Return this environment; raises LoadError where it cannot be run as it is."""
        if not self.entries:
            raise LoadError(f"environment {self.name!r} has nothing to run: give it scenarios=[run(…)]")
        seen: set[str] = set()
        for entry in self.entries:
            if entry.label in seen:
                raise LoadError(f"two entries are labelled {entry.label!r}: give one of them another name=")
            seen.add(entry.label)
        return self

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
            changed = {"url": url, "timeout": _timeout(timeout), "headers": {**own.headers, **headers}}
            served[DEFAULT] = replace(own, **{name: value for name, value in changed.items() if value is not None})
        if insecure:
            served = {n: s if isinstance(s, str) else replace(s, verify=False) for n, s in served.items()}
        return served

    def shares(self, n: int = 1) -> list[Share]:
        """Return the loads of all entries, each divided into *n* shares, or into as many as it has users."""
        return self._parsed.shares(n)

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


@dataclass(frozen=True, repr=False)
class _Probe(Environment):
    """One probe of a search, whose limits count samples as if they were independent.

    Close to its capacity a target queues for longer than a probe lasts: no percentile would be known.
    """

    def _parse(self) -> RunPlan:
        plan = super()._parse()
        return replace(plan, limits=tuple(replace(limit, independent=True) for limit in plan.limits))


_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("url", str, "text"),
    ("scenarios", Sequence, "a list of run(scenario, load) entries"),
    ("services", Mapping, "a mapping from names to services"),
    ("headers", Mapping, "a mapping from names to values"),
    ("config", Mapping, "a mapping"),
)


def _timeout(timeout: Any) -> Any:
    if timeout is None or isinstance(timeout, tuple):
        return timeout
    span = named_seconds("timeout", timeout)
    if span == 0.0:
        raise PlanError("a timeout of 0 s would fail every request: give it more, or None for no timeout")
    return span
