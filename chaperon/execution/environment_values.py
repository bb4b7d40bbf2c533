"""The values of an environment, as its author typed them: checked, and parsed into a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from chaperon.client.service import MAX_BODY, Service
from chaperon.clock import LASTING, named_seconds
from chaperon.errors import LoadError, PlanError, UsageError
from chaperon.execution.metric_rules import Rules, read
from chaperon.execution.plan import RunPlan, check_base_url
from chaperon.execution.secrets.secret_references import SecretReference, resolve
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.share import Share
from chaperon.report.limits.limit_parser import parse
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.scenario.entry import Entry
from chaperon.scenario.scenario import Scenario, Step, as_scenario
from chaperon.session.context import DEFAULT, POLICIES, OnError

if TYPE_CHECKING:
    from chaperon.report.samples.observer import SampleRecord

Self = TypeVar("Self", bound="EnvironmentValues")


@lazy_dataclass(frozen=True, repr=False)
class EnvironmentValues:
    """The values of an `Environment`, which describes them. Making it checks them: LoadError, LimitError, PlanError."""

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
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise LoadError(f"seed= takes a whole number, got {self.seed!r}")
        object.__setattr__(self, "timeout", parse_timeout(self.timeout))
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
        for each in self.services.values():
            if isinstance(each, Service):
                parse_timeout(each.timeout)
        named = {
            name: replace(default, url=s, headers={}, auth=None) if isinstance(s, str) else s
            for name, s in self.services.items()
        }
        return {DEFAULT: default, **named}

    def checked(self: Self) -> Self:
        """Return this environment; raises LoadError where it cannot be run as it is."""
        if not self.entries:
            raise LoadError(f"environment {self.name!r} has nothing to run: give it scenarios=[run(…)]")
        seen: set[str] = set()
        for entry in self.entries:
            if entry.label in seen:
                raise LoadError(f"two entries are labelled {entry.label!r}: give one of them another name=")
            seen.add(entry.label)
        return self

    def shares(self, n: int = 1) -> list[Share]:
        """Return the loads of all entries, each divided into *n* shares, or into as many as it has users."""
        return self._parsed.shares(n)


_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("url", str, "text"),
    ("scenarios", Sequence, "a list of run(scenario, load) entries"),
    ("services", Mapping, "a mapping from names to services"),
    ("headers", Mapping, "a mapping from names to values"),
    ("config", Mapping, "a mapping"),
)


def parse_timeout(timeout: Any) -> Any:
    """Return a timeout in seconds, None, or a pair of these for connecting and for each read. Raises PlanError."""
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise PlanError(f"timeout= takes one time, or a pair for connecting and for each read; got {timeout!r}")
        return tuple(map(_parse_one_timeout, timeout))
    return _parse_one_timeout(timeout)


def _parse_one_timeout(timeout: Any) -> float | None:
    if timeout is None:
        return None
    span = named_seconds("timeout", timeout)
    if span == 0.0:
        raise PlanError("a timeout of 0 s would fail every request: give it more, or None for no timeout")
    return span
