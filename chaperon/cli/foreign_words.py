"""What options and commands of other load testers are called here: Locust, k6, hey, wrk, ab, vegeta, Artillery."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

_USERS, _HOLD, _RATE = "--users", "--hold", "--rate"
_RAMP = "--ramp, a span: 100 users at 10 a second start within --ramp 10s"
_NO_INTERFACE = "not needed: a run starts at once"
_FILE = "not needed: name the file, as in chaperon local FILE"

OPTIONS = {
    "--host": "--url",
    "--base-url": "--url",
    "--target": "--url",
    "-H": "--url for the target, --header for a header",
    "--user": _USERS,
    "--num-users": _USERS,
    "--clients": _USERS,
    "--vus": _USERS,
    "--concurrency": _USERS,
    "--connections": _USERS,
    "-u": _USERS,
    "-c": _USERS,
    "--run-time": _HOLD,
    "--duration": _HOLD,
    "--time": _HOLD,
    "-t": _HOLD,
    "-d": _HOLD,
    "-z": _HOLD,
    "--spawn-rate": _RAMP,
    "--hatch-rate": _RAMP,
    "-r": "--rate for visits per second, --ramp for users that start (100 users at 10 a second: --ramp 10s)",
    "--rps": _RATE,
    "--arrival-rate": _RATE,
    "-R": _RATE,
    "-q": _RATE,
    "--requests": "--iterations (visits, not requests)",
    "--num-requests": "--iterations (visits, not requests)",
    "-n": "--iterations (visits, not requests)",
    "-i": "--iterations",
    "--stage": '--load \'stages(("30s", 100), ("5m", 100), of=users)\'',
    "--stages": '--load \'stages(("30s", 100), ("5m", 100), of=users)\'',
    "-s": '--load \'stages(("30s", 100), ("5m", 100), of=users)\'',
    "--stop-timeout": "--grace",
    "--reset-stats": "--warmup",
    "--threshold": "--limit",
    "--thresholds": "--limit",
    "--exit-code-on-error": "--strict, or --limit 'errors < 1%'",
    "--env": "--set KEY=VALUE, read as session.config[KEY]",
    "-e": "--set KEY=VALUE, read as session.config[KEY]",
    "--insecure-skip-tls-verify": "--insecure",
    "-k": "--insecure",
    "--user-agent": "--header 'User-Agent: …'",
    "--http-debug": "chaperon check --verbose",
    "--headless": _NO_INTERFACE,
    "--no-web": _NO_INTERFACE,
    "--autostart": _NO_INTERFACE,
    "--locustfile": _FILE,
    "-f": _FILE,
    "--only-summary": "--quiet",
    "--logfile": "--log-file",
    "--loglevel": "--log",
    "-L": "--log",
    "--tags": "--only NAME, which runs one entry of an environment",
    "-T": "--only NAME, which runs one entry of an environment",
    "--master": "a command: chaperon master FILE",
    "--worker": "a command: chaperon worker HOST:PORT",
    "--expect-workers": "chaperon master --workers",
    "--summary-export": "--json",
    "--output": "--json, --csv, --html, --influx or --otlp",
    "--out": "--json, --csv, --html, --influx or --otlp",
    "-o": "--json, --csv, --html, --influx or --otlp",
}
"""Ours for each option of theirs, or what to do in its place."""

COMMANDS = {
    "run": "local",
    "start": "local",
    "load": "local",
    "quick": "local",
    "test": "check",
    "debug": "check",
    "validate": "check",
    "list": "ls",
    "inspect": "ls",
    "init": "new",
    "convert": "import",
    "cloud": "master",
    "agent": "worker",
    "version": "--version",
    "help": "--help",
}
"""Ours for each command of theirs."""


def foreign_options(words: Sequence[str], own: Collection[str]) -> str:
    """Return what the options among *words* are called here, those of other tools and not *own* ones; "" for none."""
    found = dict.fromkeys(name for word in words if (name := _option(word)) in OPTIONS and name not in own)
    parts = []
    for name in found:
        ours = OPTIONS[name]
        parts.append(f"{name} is {ours}" if ours.startswith("not needed") else f"{name} is {ours} here")
    return "; ".join(parts)


def near_command(name: str, own: Collection[str]) -> str:
    """Return the command that *name* of another tool, or a mistyped *name*, stands for; "" if there is none."""
    if name in COMMANDS:
        return COMMANDS[name]
    return next(iter(get_close_matches(name, sorted(own), 1)), "")


def _option(word: str) -> str:
    """Return the name of the option in a word of a command line: "--vus" of "--vus=3", "-u" of "-u3"."""
    if word.startswith("--"):
        return word.partition("=")[0]
    return word[:2] if word.startswith("-") else ""
