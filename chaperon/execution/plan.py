"""A run as it is carried out: all that an author typed, parsed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from inspect import isfunction, unwrap
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chaperon.client.service import Service
from chaperon.errors import LoadError
from chaperon.execution.secrets.known_secrets import of_auth, of_config, of_headers, of_settings, of_url
from chaperon.execution.setup import Setup
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.share import Share, deal
from chaperon.measure.meter import Derived, Naming
from chaperon.report.limits.limits import Limit
from chaperon.report.limits.unknown_names import unknown_names
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.samples.observer import Observe
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.scenario.entry import Entry
from chaperon.scenario.steps import options_of
from chaperon.session.config import merge
from chaperon.session.context import DEFAULT, OnError

if TYPE_CHECKING:
    from chaperon.report.page.run_control import RunControl


@lazy_dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunPlan:
    """The parsed form of an `Environment`; `Environment.plan` makes it.

    Spans are seconds: *grace*, *late* (infinite: nothing is dropped for being late), *warmup*,
    *brake* (None: off). *strict*: errors that no limit covers are a FAIL. *services* holds
    every service by name, the default one under
    "default". *naming* and *derived* are the parsed `metrics=`. With *url_fixed* the base URL
    came from the command line, so that a setup cannot change it. *settings* are the values of
    `--set`. *on_sample* is called with every sample, in the process that sends it. *resolved_secrets* are the
    values of `secret(…)`, by their references.
    """

    name: str
    seed: int
    entries: tuple[Entry, ...]
    config: Mapping[str, Any]
    services: Mapping[str, Service]
    limits: tuple[Limit, ...]
    rules: ValidityRules
    naming: Naming | None
    derived: tuple[Derived, ...]
    setup: Any
    teardown: Callable[..., object] | None
    on_error: OnError
    grace: float
    late: float
    warmup: float
    brake: float | None
    strict: bool
    url_fixed: bool
    settings: Mapping[str, Any]
    on_sample: Observe | None = None
    resolved_secrets: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<RunPlan of {self.name}: {self.load_text or 'nothing'}>"

    @property
    def load_text(self) -> str:
        """The loads of all entries in words: "100 users + 50/s"."""
        return " + ".join(str(entry.load) for entry in self.entries)

    @property
    def target(self) -> str:
        """The base URLs of all services."""
        return ", ".join(sorted({service.url for service in self.services.values() if service.url}))

    @property
    def length(self) -> float | None:
        """The seconds until the last load ends, None if that depends on the target."""
        ends = [entry.load.until for entry in self.entries]
        known = [end for end in ends if end is not None]
        return max(known, default=None) if len(known) == len(ends) else None

    def for_outputs(
        self, redact: Callable[[str], str], facts: Callable[[], Sequence[tuple[str, str]]], run: RunControl | None
    ) -> PlannedRun:
        """Return what outputs know of *run* before it sends anything; *redact* removes secrets from its texts."""
        return PlannedRun(
            environment=redact(self.name),
            seed=self.seed,
            load=redact(self.load_text),
            scenarios=tuple(redact(entry.label) for entry in self.entries),
            limits=tuple(redact(limit.text) for limit in self.limits),
            redact=redact,
            target=redact(self.target),
            facts=facts,
            length=self.length,
            run=run,
        )

    @property
    def doubts(self) -> list[str]:
        """Sentences on limits whose step, scenario or phase the entries do not have."""
        return list(unknown_names(self.limits, self._names_of_steps(), self._labels(), self._phases()))

    def _labels(self) -> set[str]:
        return {label for entry in self.entries for label in (entry.label, *(e.label for e in entry.split_mix()))}

    def _phases(self) -> set[str]:
        return {stage.phase for share in self.shares() for stage in share.phases.stages}

    def _names_of_steps(self) -> set[str]:
        """Return the names of all steps of the scenarios, and of others that their modules have."""
        steps = [step for entry in self.entries for step in entry.scenario.all_steps()]
        modules = {id(place): place for step in steps if (place := getattr(unwrap(step), "__globals__", None))}
        others: list[Any] = [value for place in modules.values() for value in place.values() if isfunction(value)]
        return {"init", "cleanup", *(found.name for f in (*steps, *others) if (found := options_of(f)))}

    @property
    def secrets(self) -> set[str]:
        """The values no output may show.

        These are the values of headers and auth of every service, passwords in URLs, values of
        `--set`, and configuration under a key such as "password" or "api_token".
        """
        found: set[str] = set(self.resolved_secrets.values())
        for service in self.services.values():
            found.update(of_url(service.url), of_headers(service.headers), of_auth(service.auth))
        words = {self.name, *self.services}
        for entry in self.entries:
            words.update((entry.label, *(name for part in entry.split_mix() for name in part.scenario.names)))
            found.update(of_config(entry.config))
        found.update(of_config(self.config), of_settings(self.settings, words))
        return found

    def shares(self, n: int = 1) -> list[Share]:
        """Return the loads of all entries, each divided into *n* shares, or into as many as it has users."""
        loads = [(entry.label, entry.load) for entry in self.entries]
        return deal(loads, n, seed=self.seed, warmup=self.warmup)

    def new_setup(self) -> Setup:
        """Return a `Setup` that runs setup and teardown for one run."""
        return Setup(self.setup, self.teardown, self.config, name=self.name)

    def with_setup_result(self, given: Mapping[str, Any]) -> RunPlan:
        """Return this plan with *given*, the result of its setup, merged into the config.

        Its "url" becomes the base URL, unless *url_fixed*. Raises LoadError where that is no URL.
        """
        if not given:
            return self
        services = self.services
        url = given.get("url")
        if url is not None and not isinstance(url, str):
            raise LoadError(f"the setup of {self.name!r} returned a url that is not text: {url!r}")
        if url is not None and not self.url_fixed:
            check_base_url(url)
            services = {**services, DEFAULT: replace(services[DEFAULT], url=url)}
        return replace(self, config=merge(self.config, given), services=services)


def check_base_url(url: str) -> None:
    """Raise LoadError unless *url* is empty or an http(s) URL without query or fragment."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = whole and not parts.query and not parts.fragment
    except ValueError:  # a port beyond 65535, an unclosed bracket
        good = False
    if url and not good:
        raise LoadError(f"{url!r} is not a base URL: write one like http://localhost:8080")
