"""The options of every command that runs a load."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import wraps
from typing import Any

import click

from chaperon.cli.given_secrets import given_secrets
from chaperon.cli.option_groups import argument, option
from chaperon.cli.outputs import OUTPUT_NAMES, output_options
from chaperon.cli.settings_file import joined_by, nested_settings
from chaperon.cli.spans import SPAN, WAIT_SPAN
from chaperon.cli.standard_input import as_typed, scenario_path
from chaperon.cli.terminal.clean_text import hide
from chaperon.errors import LoadError, UsageError
from chaperon.execution.environment import Environment
from chaperon.execution.loader import load
from chaperon.execution.secrets.secret_references import header_reference, reference_of
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.load.expression import read_load
from chaperon.load.kinds.load import Load
from chaperon.load.shapes import iterations, rate, users
from chaperon.session.config import merge, nest

# RFC 9110: a field name is a token; a value has visible characters, spaces, tabs
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@lazy_dataclass(frozen=True)
class RunOptions:
    """The values of the options."""

    url: str | None = None
    users: int | None = None
    rate: tuple[float, str] | None = None
    iterations: int | None = None
    load: str | None = None
    ramp: float | None = None
    hold: float | None = None
    only: str | None = None
    limits: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    timeout: float | None = None
    insecure: bool = False
    seed: int | None = None
    grace: float | None = None
    warmup: float | None = None
    in_flight: int | None = None
    by: tuple[str, ...] = ()
    merge: bool = False
    trust: tuple[str, ...] = ()
    no_brake: bool = False
    strict: bool = False
    quiet: bool = False
    plain: bool = False
    run_file: str | None = None
    log: str | None = None
    log_file: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The values of the options of outputs, by their names."""

    def load_environment(self, target: str, *, warn: Callable[[str], object] = lambda text: None) -> Environment:
        """Load FILE[:NAME] and apply the options to it. Raises LoadError, UsageError.

        Secrets of the options and of the environment are masked in all output from then on. *warn* is called with a
        sentence for all that nothing uses, think times that never pass, and limits on names that are not there.
        """
        hide(self.secrets)
        try:
            from chaperon.cli.ending.process_exits import replace_process_ends  # late: few commands load a scenario

            replace_process_ends()
            loaded = load(target, warn=warn)
        except LoadError as exc:
            raise LoadError(as_typed(str(exc), target)) from exc
        hide(loaded.secrets)
        environment = self.apply_to(loaded)
        for sentence in environment.doubts:
            warn(sentence)
        return environment

    @property
    def log_level(self) -> str | None:
        """The level from which records are logged, None if none are; --log-file alone means "info"."""
        return self.log or ("info" if self.log_file is not None else None)

    @property
    def secrets(self) -> set[str]:
        """The secrets in --header, --set and --url, which no output may show."""
        return given_secrets(headers=self.headers, settings=self.settings, url=self.url or "")

    def apply_to(self, environment: Environment) -> Environment:
        """Return *environment* with the options applied. Raises UsageError."""
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
            strict=self.strict,
        ).checked()
        hide(adapted.secrets)
        return adapted

    def _load(self) -> Load | None:
        ramp = self.ramp or 0.0
        if self.load is not None:
            others = [name for name in ("users", "rate", "iterations", "ramp", "in_flight") if getattr(self, name)]
            if others:
                raise UsageError(f"--load is the whole load: leave --{', --'.join(others).replace('_', '-')} out")
            return read_load(self.load).with_spans(self.hold)
        if self.in_flight is not None and self.rate is None:
            raise UsageError("--in-flight is for --rate: a closed load never has more visits in flight than users")
        if self.rate is not None:
            if self.users is not None or self.iterations is not None:
                raise UsageError("--rate excludes --users and --iterations: an open load has no fixed number of users")
            n, per = self.rate
            return rate(n, per=per, ramp=ramp, hold=self.hold, in_flight=self.in_flight)
        if self.iterations is not None:
            return iterations(self.iterations, users=1 if self.users is None else self.users, ramp=ramp, hold=self.hold)
        if self.users is not None:
            return users(self.users, ramp=ramp, hold=self.hold)
        return None


class _Rate(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A rate such as 50/s or 3000/m, as (number, unit)."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, str]:
        if isinstance(value, tuple):
            return value
        number, slash, unit = value.partition("/")
        try:
            if slash and unit.strip() not in ("s", "m"):
                raise ValueError
            amount = float(number)
        except ValueError:
            self.fail(f"{value!r} is not a rate: write 50, 50/s or 3000/m", param, ctx)
        if not 0 < amount < float("inf"):
            self.fail(f"a rate must be positive and finite, got {value!r}", param, ctx)
        return amount, unit.strip() or "s"


RATE = _Rate()


def target_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument that names a scenario file, or with -m a module of the project."""
    module_help = "FILE is a module of the project: loadtests.api[:NAME]."
    command = option("Target", "-m", "as_module", is_flag=True, expose_value=False, help=module_help)(command)
    return argument("file", metavar="FILE[:NAME]", callback=lambda *given: scenario_path(given[-1]))(command)


_OPTIONS = (
    option("Load", "--users", type=int, help="Closed load: this many users, each makes one visit after another."),
    option("Load", "--rate", type=RATE, help="Open load: visits per second (50, 50/s) or per minute (3000/m)."),
    option("Load", "--iterations", type=int, help="This many visits in all, made by --users within --hold."),
    option(
        "Load", "--load", metavar="EXPRESSION", help='Any load, as in Python: \'rate(9, hold="1m") >> pause("10s")\'.'
    ),
    option("Load", "--in-flight", type=click.IntRange(1), help="With --rate: drop visits due while this many run."),
    option("Load", "--ramp", type=SPAN, standard="0s", help="Grow to the full load over this span, such as 30s."),
    option("Load", "--hold", type=SPAN, help="Keep the full load for this span; required with --rate."),
    option("Load", "--warmup", type=SPAN, standard="0s", help="Leave visits due in this first span out of all limits."),
    option("Load", "--grace", type=WAIT_SPAN, standard="10s", help="How long running visits may go on at the end."),
    option("Load", "--only", metavar="NAME", help="Run only this entry of the environment."),
    option("Load", "--seed", type=int, standard="0", help="Seed of arrivals, think times and random choices."),
    option("Target", "--url", help="Base URL of the default service."),
    option(
        "Target",
        "--header",
        "headers",
        multiple=True,
        table=joined_by(": "),
        metavar="'NAME: VALUE'",
        help="Send with every request.",
    ),
    option(
        "Target",
        "--set",
        "settings",
        multiple=True,
        table=nested_settings,
        metavar="KEY=VALUE",
        help="Set session.config; dots nest.",
    ),
    option("Target", "--timeout", type=WAIT_SPAN, standard="30s", help="For connecting, and for each read."),
    option("Target", "--insecure", is_flag=True, help="Do not verify TLS certificates."),
    option("Limits", "--limit", "limits", multiple=True, help="What must hold: 'p95(GET /) < 300ms'. Repeatable."),
    option("Limits", "--strict", is_flag=True, help="Errors that no limit covers are a FAIL."),
    option(
        "Limits",
        "--no-brake",
        is_flag=True,
        help="Go on although every request has failed for 30 s, or no connection has succeeded for 5 s.",
    ),
    option("Output", "--run-file", metavar="FILE", help="Keep the run in FILE for `chaperon report`."),
    option("Output", "--by", multiple=True, metavar="phase|TAG", help="Split the table by phase, or by a tag."),
    option("Output", "--merge", is_flag=True, help="Add up series of one name in several entries, in the table."),
    option("Output", "--quiet", is_flag=True, help="Print the verdict only: no progress, no table."),
    option("Output", "--plain", is_flag=True, help="Print lines of progress, as in a pipe: no live view, no keys."),
    option(
        "Output",
        "--log",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        help="Print what the scenario and its libraries log, from this level up.",
    ),
    option("Output", "--log-file", metavar="FILE", help="Write it to FILE in place of the console."),
    option(
        "Trust",
        "--trust",
        multiple=True,
        table=joined_by("="),
        metavar="RULE=VALUE",
        help="When a run is INVALID: late=100ms, dropped=2%, cpu=off and others.",
    ),
)

LOAD_NAMES = ("users", "rate", "iterations", "load", "in_flight", "ramp", "hold")
"""The options that say how much is sent, by parameter name."""


def load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that runs a load; the command gets them as one `RunOptions`."""

    @wraps(command)
    def with_options(**values: Any) -> Any:
        names = [name for name in RunOptions.__dataclass_fields__ if name != "outputs"]
        outputs = {name: values.pop(name) for name in OUTPUT_NAMES}
        options = RunOptions(**{name: values.pop(name) for name in names}, outputs=outputs)
        return command(options=options, **values)

    decorated: Callable[..., Any] = with_options
    for each in reversed(_OPTIONS):
        decorated = each(decorated)
    return output_options(decorated)


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
        given = json.loads(value)
    except ValueError:
        given = value
    return nest(key, reference_of(given) if isinstance(given, str) else given)


def _header(text: str) -> tuple[str, Any]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise UsageError(f"--header {text!r} is not 'NAME: VALUE'")
    if not _VALUE.fullmatch(value.strip()):
        raise UsageError(f"--header {text!r}: a value has no line breaks, and only characters of Latin-1")
    return name.strip(), header_reference(name.strip(), value.strip())
