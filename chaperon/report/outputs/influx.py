"""The seconds of a run as InfluxDB line protocol, sent as they are closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chaperon.errors import OutputError
from chaperon.measure.series import Series
from chaperon.measure.window import OUTCOMES
from chaperon.report.output_parts.push import Sender
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.percentiles import Population
from chaperon.report.redaction.one_line import one_line
from chaperon.report.report import Report
from chaperon.report.rows import UNTIMED

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Fields = Mapping[str, int | float]


class InfluxOutput(Output):
    """Sends every second to the write endpoint of InfluxDB, or of a server that takes its line protocol.

    *url* is the whole address, such as "http://localhost:8086/api/v2/write?org=o&bucket=b"; the
    precision is added to it. *token* is sent as `Authorization: Token …`. The measurement
    `chaperon` has one point for each series and second, `chaperon_run` one for each second.
    """

    name = "InfluxDB"

    def __init__(self, url: str, *, token: str = "") -> None:
        self._url = url
        self._token = token
        self._environment = ""
        self._sender: Sender | None = None

    def start(self, plan: PlannedRun) -> None:
        """Prepare to send. Raises OutputError if the URL is none."""
        self._environment = plan.environment
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._token:
            headers["Authorization"] = f"Token {self._token}"
        self._sender = Sender(write_url(self._url), headers)

    def second(self, second: ClosedSecond) -> None:
        """Send one second. Raises OutputError."""
        assert self._sender is not None
        self._sender.post("\n".join(lines_of(second, self._environment)).encode())

    def late(self, second: ClosedSecond) -> None:
        """Send nothing: a point of the same second would replace the one that was sent."""
        return

    def finish(self, report: Report) -> None:
        """Close the connections."""
        if self._sender is not None:
            self._sender.close()


def write_url(url: str) -> str:
    """Return *url* with nanoseconds as its precision. Raises OutputError if it is no http(s) URL with a path."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path in ("", "/"):
        example = "http://localhost:8086/api/v2/write?org=ORG&bucket=BUCKET"
        raise OutputError(f"--influx needs the address points are written to, such as {example}")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "precision"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("precision", "ns")])))


def lines_of(second: ClosedSecond, environment: str) -> list[str]:
    """Return the points of one second."""
    moment = round(second.time * 1e9)
    lines = []
    for key, series in sorted(second.series.items()):
        tags = {"environment": environment, "scenario": key.scenario, "name": key.name}
        tags |= {"kind": key.kind, "phase": key.phase}
        lines.append(_line("chaperon", tags, _figures(series, timed=key.kind not in UNTIMED), moment))
    run: dict[str, int | float] = {"users": second.users, "in_flight": second.in_flight}
    for outcome in ("planned", *OUTCOMES):
        run[outcome] = sum(getattr(counts, outcome) for counts in second.ledger.values())
    run |= {f"generator_{name}": float(value) for name, value in second.health.items()}
    lines.append(_line("chaperon_run", {"environment": environment}, run, moment))
    return lines


def _figures(series: Series, *, timed: bool) -> Fields:
    figures: dict[str, int | float] = {
        "count": series.count,
        "errors": series.errors,
        "censored": series.censored.count,
        "bytes": series.bytes,
    }
    if series.good:
        figures |= {"min": series.good.low, "mean": series.good.mean or 0.0, "max": series.good.high}
    if timed:
        times = Population.service(series)
        known = {name: times.known(share) for name, share in SHARES.items()}
        figures |= {name: value for name, value in known.items() if value is not None}
    return figures


def _line(measurement: str, tags: Mapping[str, str], fields: Fields, moment: int) -> str:
    written = "".join(f",{name}={_tag(value)}" for name, value in tags.items() if value)
    values = ",".join(_field(name, value) for name, value in fields.items() if math.isfinite(value))
    return f"{measurement}{written} {values} {moment}"


def _field(name: str, value: int | float) -> str:
    return f"{_tag(name)}={value}i" if isinstance(value, int) else f"{_tag(name)}={value!r}"


def _tag(text: str) -> str:
    """Escape a tag's value: commas, equal signs and spaces; a trailing backslash, which would escape what follows."""
    line = one_line(text)
    for special in (",", "=", " "):
        line = line.replace(special, f"\\{special}")
    return f"{line}_" if line.endswith("\\") else line
