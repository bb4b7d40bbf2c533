"""The options of every command that runs a load."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from chaperon.cli.terminal.streams import hide
from chaperon.clock import seconds
from chaperon.errors import PlanError, UsageError
from chaperon.execution.environment import Environment
from chaperon.execution.known_secrets import of_headers, of_settings, of_url
from chaperon.execution.loader import load
from chaperon.load.expression import read_load
from chaperon.load.kinds.load import Load
from chaperon.load.shapes import iterations, rate, users
from chaperon.session.config import merge, nest

# RFC 9110: a field name is a token; a value has visible characters, spaces, tabs
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True)
class RunOptions:
    """What was asked for on the command line."""

    url: str | None
    users: int | None
    rate: tuple[float, str] | None
    iterations: int | None
    load: str | None
    ramp: float | None
    hold: float | None
    only: str | None
    limits: tuple[str, ...]
    settings: tuple[str, ...]
    headers: tuple[str, ...]
    timeout: float | None
    insecure: bool
    seed: int | None
    grace: float | None
    warmup: float | None
    in_flight: int | None
    by: tuple[str, ...]
    trust: tuple[str, ...]
    no_brake: bool
    json: str | None
    quiet: bool
    log: str | None

    def load_environment(self, target: str, *, warn: Callable[[str], object] = lambda text: None) -> Environment:
        """Load FILE[:NAME] and change it as ordered; raises LoadError, UsageError.

        No secret of the options or of the environment is printed from then on. *warn* is called with a sentence for
        each step of the file that nothing uses.
        """
        hide(self.secrets)
        loaded = load(target, warn=warn)
        hide(loaded.secrets)
        return self.apply_to(loaded)

    @property
    def secrets(self) -> set[str]:
        """What was given with --header, --set and --url that no output may show."""
        headers = [text.partition(":") for text in self.headers]
        settings = [text.partition("=") for text in self.settings]
        return {
            *of_headers({name.strip(): value.strip() for name, _, value in headers}),
            *of_settings({key: value for key, _, value in settings}),
            *of_url(self.url or ""),
        }

    def apply_to(self, environment: Environment) -> Environment:
        """Return *environment* as the options change it."""
        hide(self.secrets)
        load_given = self._load()
        if self.url == "":
            raise UsageError("--url is empty: write one like http://localhost:8080")
        adapted = environment.adapt(
            url=self.url,
            load=load_given,
            only=self.only,
            hold=None if load_given else self.hold,
            ramp=None if load_given else self.ramp,
            config=merge(*(_setting(text) for text in self.settings)),
            headers=dict(_header(text) for text in self.headers),
            timeout=self.timeout,
            insecure=self.insecure,
            limits=self.limits,
            seed=self.seed,
            grace=self.grace,
            warmup=self.warmup,
            trust=dict(_rule(text) for text in self.trust),
            brake=not self.no_brake,
        ).checked()
        hide(adapted.secrets)
        return adapted

    def _load(self) -> Load | None:
        ramp = self.ramp or 0.0
        if self.load is not None:
            others = [name for name in ("users", "rate", "iterations", "ramp", "in_flight") if getattr(self, name)]
            if others:
                raise UsageError(f"--load says it all: leave --{', --'.join(others).replace('_', '-')} out")
            return read_load(self.load).held(self.hold)
        if self.in_flight is not None and self.rate is None:
            raise UsageError("--in-flight goes with --rate: users are never more than there are")
        if self.rate is not None:
            if self.users is not None or self.iterations is not None:
                raise UsageError("--rate does not go with --users or --iterations: an open load has no fixed users")
            n, per = self.rate
            return rate(n, per=per, ramp=ramp, hold=self.hold, in_flight=self.in_flight)
        if self.iterations is not None:
            return iterations(self.iterations, users=1 if self.users is None else self.users, ramp=ramp, hold=self.hold)
        if self.users is not None:
            return users(self.users, ramp=ramp, hold=self.hold)
        return None


class _Span(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A time span such as 30s or 250ms, as seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(value)
        except PlanError as exc:
            self.fail(str(exc), param, ctx)


class _Rate(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """Visits a second or a minute, as their number with its unit."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, str]:
        if isinstance(value, tuple):
            return value
        number, slash, unit = value.partition("/")
        try:
            if slash and unit.strip() not in ("s", "m"):
                raise ValueError
            return float(number), unit.strip() or "s"
        except ValueError:
            self.fail(f"{value!r} is not a rate: write 50, 50/s or 3000/m", param, ctx)


SPAN = _Span()
RATE = _Rate()


def target_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument that names a scenario file, or a module of the project with -m."""
    module_help = "FILE is a module of the project: loadtests.api[:NAME]."
    command = click.option("-m", "as_module", is_flag=True, expose_value=False, help=module_help)(command)
    return click.argument("file", metavar="FILE[:NAME]")(command)


_OPTIONS = (
    click.option("--url", help="Base URL of the default service."),
    click.option("--users", type=int, help="Closed load: so many users, visit after visit."),
    click.option("--rate", type=RATE, help="Open load: visits a second, or such as 3000/m."),
    click.option("--iterations", type=int, help="So many visits in all, shared by --users."),
    click.option(
        "--load", metavar="EXPRESSION", help='Any load, as in Python: \'rate(100, hold="1m") >> pause("10s") >> …\'.'
    ),
    click.option("--in-flight", type=click.IntRange(1), help="With --rate: drop what is due beyond so many visits."),
    click.option("--ramp", type=SPAN, help="Grow to the full load over this span, such as 30s."),
    click.option("--hold", type=SPAN, help="Keep the load up for this span after the ramp."),
    click.option("--only", metavar="NAME", help="Only this entry of the environment."),
    click.option("--limit", "limits", multiple=True, help="A statement that must hold: 'p95(GET /) < 300ms'."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Configuration; dots nest."),
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every request."),
    click.option("--timeout", type=SPAN, help="For connecting, and for each read (30s)."),
    click.option("--insecure", is_flag=True, help="Do not verify TLS certificates."),
    click.option("--seed", type=int, help="Where everything random comes from (0)."),
    click.option("--grace", type=SPAN, help="How long visits in flight may go on at the end (10s)."),
    click.option("--warmup", type=SPAN, help="What is due before counts to no headline, no limit."),
    click.option(
        "--trust", multiple=True, metavar="RULE=VALUE", help="When a run is INVALID: late=100ms, dropped=2%, cpu=off …."
    ),
    click.option("--by", multiple=True, metavar="phase|TAG", help="Split the table by phase, or by a tag."),
    click.option("--no-brake", is_flag=True, help="Go on even if every request fails for 30 s."),
    click.option("--json", metavar="PATH", help="Write the report there."),
    click.option("--quiet", is_flag=True, help="No progress, no table: the verdict alone."),
    click.option(
        "--log",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        help="Show what the scenario logs from this level up.",
    ),
)


def load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of them, handed over as one `RunOptions`."""

    def with_options(**given: Any) -> Any:
        names = RunOptions.__dataclass_fields__
        options = RunOptions(**{name: given.pop(name) for name in names})
        return command(options=options, **given)

    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def _rule(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise UsageError(f"--trust {text!r} is not RULE=VALUE, such as late=100ms or cpu=off")
    return name.strip(), value.strip()


def _setting(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise UsageError(f"--set {text!r} is not KEY=VALUE, such as basket.size=3")
    try:
        return nest(key, json.loads(value))
    except ValueError:
        return nest(key, value)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise UsageError(f"--header {text!r} is not 'NAME: VALUE'")
    if not _VALUE.fullmatch(value.strip()):
        raise UsageError(f"--header {text!r}: a value has no line breaks in it, and no characters beyond Latin-1")
    return name.strip(), value.strip()
