"""The run as OpenTelemetry metrics, sent by OTLP over HTTP as JSON.

The encoding is that of the OTLP specification 1.x for JSON: names in camelCase, 64-bit numbers as
text. Distributions are exponential histograms with base 2^(1/32) (scale 5), so each bucket is
2.2 % wide.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from chaperon._version import VERSION
from chaperon.errors import OutputError
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import OUTCOMES
from chaperon.report.output_parts.metrics import MetricKey, RunMetrics, SeriesMetrics
from chaperon.report.output_parts.push import Sender
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.report import Report
from chaperon.report.rows import UNTIMED

SCALE = 5
ZERO = -(1 << 30)
"""The bucket of durations of zero."""
CUMULATIVE = 2
PATH = "/v1/metrics"


def exponential_buckets(sketch: Sketch) -> Counter[int]:
    """Return the whole numbers of samples by the index of their exponential bucket, or `ZERO`."""
    found: Counter[int] = Counter()
    for mean, weight in sketch.clusters:
        index = math.ceil(math.log2(mean) * (1 << SCALE)) - 1 if mean > 0 else ZERO
        found[index] += round(weight)
    return found


class OtlpOutput(Output):
    """Sends the totals of the run to a collector after every second.

    *url* is the collector, such as "http://localhost:4318", or its whole address ending in
    /v1/metrics. *headers* are sent with every request.
    """

    name = "OpenTelemetry"

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._headers = dict(headers or {})
        self._sender: Sender | None = None
        self._metrics = RunMetrics(exponential_buckets)
        self._environment = ""
        self._began = 0.0

    def start(self, plan: PlannedRun) -> None:
        """Prepare to send. Raises OutputError if the URL is none."""
        self._environment = plan.environment
        self._metrics, self._began = RunMetrics(exponential_buckets), 0.0
        self._sender = Sender(metrics_url(self._url), {**self._headers, "Content-Type": "application/json"})

    def second(self, second: ClosedSecond) -> None:
        """Send the totals up to the end of this second. Raises OutputError."""
        self._metrics.add(second)
        self._began = self._began or second.time - second.at
        self._send()

    def late(self, second: ClosedSecond) -> None:
        """Add what came late for a second; the next second sends it."""
        self._metrics.add(second)

    def finish(self, report: Report) -> None:
        """Send the last totals and close the connections. Raises OutputError."""
        if self._sender is not None:
            if self._metrics.newest >= 0:
                self._send()
            self._sender.close()

    def _send(self) -> None:
        assert self._sender is not None
        message = request_of(self._metrics, self._environment, began=self._began)
        self._sender.post(json.dumps(message, ensure_ascii=False).encode(errors="replace"))


def metrics_url(url: str) -> str:
    """Return the address metrics are posted to. Raises OutputError if *url* is no http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OutputError(f"--otlp needs the URL of a collector, such as http://localhost:4318, not {url!r}")
    return url if parts.path.rstrip("/").endswith(PATH) else url.rstrip("/") + PATH


def parse_headers(text: str) -> dict[str, str]:
    """Return the headers in *text*, `name=value` pairs with commas between, percent-encoded, as OTEL variables have."""
    pairs = [pair.partition("=") for pair in text.split(",") if "=" in pair]
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def request_of(metrics: RunMetrics, environment: str, *, began: float) -> dict[str, Any]:
    """Return an ExportMetricsServiceRequest as plain values. *began* is in seconds since 1970."""
    times = {"startTimeUnixNano": _nanoseconds(began), "timeUnixNano": _nanoseconds(metrics.time)}
    resource = {"service.name": "chaperon", "service.version": VERSION, "chaperon.environment": environment}
    scope = {"name": "chaperon", "version": VERSION}
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeMetrics": [{"scope": scope, "metrics": list(_metrics_of(metrics, times))}],
            }
        ]
    }


def _metrics_of(metrics: RunMetrics, times: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    series = [(key, each, _labels(key)) for key, each in metrics.series.items()]
    yield _sum(
        "chaperon.samples",
        "{sample}",
        [
            {**_point({**labels, "outcome": outcome}, times), "asInt": str(getattr(each, outcome))}
            for _, each, labels in series
            for outcome in ("good", "bad", "censored")
        ],
    )
    yield _sum(
        "chaperon.received", "By", [{**_point(labels, times), "asInt": str(each.bytes)} for _, each, labels in series]
    )
    timed = [_histogram(each, labels, times) for key, each, labels in series if key.kind not in UNTIMED]
    yield {
        "name": "chaperon.duration",
        "unit": "s",
        "exponentialHistogram": {"aggregationTemporality": CUMULATIVE, "dataPoints": timed},
    }
    errors = [
        {**_point({"scenario": scenario, "series": name, "error.type": error}, times), "asInt": str(count)}
        for (scenario, name, error), count in metrics.errors.items()
    ]
    yield _sum("chaperon.errors", "{error}", errors)
    visits = [
        {**_point({"scenario": label, "outcome": outcome}, times), "asInt": str(getattr(counts, outcome))}
        for label, counts in metrics.visits.items()
        for outcome in OUTCOMES
    ]
    yield _sum("chaperon.visits", "{visit}", visits)
    yield _gauge("chaperon.users", "{user}", {"asInt": str(metrics.users)}, times)
    yield _gauge("chaperon.visits.in_flight", "{visit}", {"asInt": str(metrics.in_flight)}, times)
    yield _gauge("chaperon.generator.cpu", "{core}", {"asDouble": metrics.health.get("cpu", 0.0)}, times)
    yield _gauge("chaperon.generator.lateness", "s", {"asDouble": metrics.health.get("late_p99", 0.0)}, times)


def _histogram(series: SeriesMetrics, labels: Mapping[str, str], times: Mapping[str, str]) -> dict[str, Any]:
    buckets = {index: count for index, count in series.buckets.items() if index != ZERO}
    offset = min(buckets, default=0)
    counts = [str(buckets.get(index, 0)) for index in range(offset, max(buckets, default=offset - 1) + 1)]
    return {
        **_point(labels, times),
        "count": str(sum(series.buckets.values())),
        "sum": series.sum,
        "scale": SCALE,
        "zeroCount": str(series.buckets.get(ZERO, 0)),
        "positive": {"offset": offset, "bucketCounts": counts},
    }


def _sum(name: str, unit: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    data = {"aggregationTemporality": CUMULATIVE, "isMonotonic": True, "dataPoints": points}
    return {"name": name, "unit": unit, "sum": data}


def _gauge(name: str, unit: str, value: Mapping[str, Any], times: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "unit": unit, "gauge": {"dataPoints": [{**_point({}, times), **value}]}}


def _point(labels: Mapping[str, str], times: Mapping[str, str]) -> dict[str, Any]:
    return {"attributes": _attributes(labels), **times}


def _labels(key: MetricKey) -> dict[str, str]:
    return {"scenario": key.scenario, "name": key.name, "kind": key.kind, "phase": key.phase}


def _attributes(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]


def _nanoseconds(moment: float) -> str:
    return str(round(moment * 1e9))
