"""What options and commands of other load testers are called here: Locust, k6, hey, wrk, ab, vegeta, Artillery."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

_USERS, _HOLD, _RATE = "--users", "--hold", "--rate"
_RAMP = "--ramp, a span: 100 users at 10 a second start within --ramp 10s"
_NO_INTERFACE = "not needed: a run starts at once"
_FILE = "not needed: name the file, as in chaperon local FILE"
_STAGES = '--load \'stages(("30s", 100), ("5m", 100), of=users)\''
_PAGE = "--page, or --page-at HOST:PORT; chaperon page FILE starts runs from the browser"
_MASTER = "an argument: chaperon worker HOST:PORT"

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
    "--stage": _STAGES,
    "--stages": _STAGES,
    "-s": _STAGES,
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
    "--exclude-tags": "--only NAME, which runs one entry of an environment",
    "-E": "--only NAME, which runs one entry of an environment",
    "--class-picker": "--only NAME, which runs one entry of an environment",
    "--list": "a command: chaperon ls FILE",
    "-l": "a command: chaperon ls FILE",
    "--show-task-ratio": "a command: chaperon plan FILE",
    "--show-task-ratio-json": "a command: chaperon plan FILE",
    "--config": "--profile NAME of chaperon.toml or pyproject.toml",
    "--config-users": "--load, or an entry with a load for each kind of user",
    "--print-stats": "--plain",
    "--skip-log-setup": "not needed: nothing is logged without --log",
    "--csv-full-history": "--csv DIR, which has every second",
    "--json-file": "--json",
    "--otel": "--otlp URL",
    "--autoquit": "--linger, which keeps the page after the end",
    "--web-host": _PAGE,
    "--web-port": _PAGE,
    "-P": _PAGE,
    "--web-auth": "--page-token",
    "--web-login": "--page-token",
    "--master": "a command: chaperon master FILE",
    "--master-host": _MASTER,
    "--master-port": _MASTER,
    "--master-bind-host": "chaperon master --bind",
    "--master-bind-port": "chaperon master --bind",
    "--expect-workers-max-wait": "chaperon master --gather",
    "--worker": "a command: chaperon worker HOST:PORT",
    "--expect-workers": "chaperon master --workers",
    "--summary-export": "--json",
    "--output": "--json, --csv, --html, --influx or --otlp",
    "--tag": "session.tagged(name=value), or tags= of a request, in the scenario",
    "--paused": "a command: chaperon page FILE, which waits for Start",
    "--log-output": "--log, --log-file",
    "--no-thresholds": "not needed: leave --limit out",
    "--no-summary": "--quiet",
    "--no-usage-report": "not needed: nothing is sent but the load",
    "--console-output": "--log-file",
    "--max-redirects": "session.http.max_redirects, in the scenario",
    "--discard-response-bodies": "stream=True of a request, in the scenario",
    "--no-connection-reuse": "--header 'Connection: close'",
    "--local-ips": "local_addresses= of Environment or Service, in the scenario",
    "--execution-segment": "chaperon master and chaperon worker, which divide the load",
    "--address": _PAGE,
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
        whole = ours.startswith("not needed") or ours.endswith("in the scenario")
        parts.append(f"{name} is {ours}" if whole else f"{name} is {ours} here")
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
