"""The run as metrics that Prometheus scrapes, in the OpenMetrics text format."""

from __future__ import annotations

import hmac
import secrets
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gevent.pywsgi import WSGIServer

from chaperon.errors import OutputError
from chaperon.measure.sketch import Sketch
from chaperon.measure.window import OUTCOMES
from chaperon.report.output_parts.metrics import MetricKey, RunMetrics
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.report import Report
from chaperon.report.rows import UNTIMED

BOUNDS = (*(round(base * 10.0**power, 9) for power in range(-4, 2) for base in (1.0, 2.5, 5.0)), 100.0)
"""Upper bounds of the histogram's buckets in seconds: 0.1 ms to 100 s, three a decade."""
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Respond = Callable[[str, list[tuple[str, str]]], Any]


def bucket_counts(sketch: Sketch) -> Counter[int]:
    """Return the whole numbers of samples by bucket of `BOUNDS`; the last bucket is of longer ones.

    Each centroid is counted where its mean is: exact where it is one sample, as most are in one second.
    """
    found: Counter[int] = Counter()
    for mean, weight in sketch.clusters:
        found[bisect_left(BOUNDS, mean)] += round(weight)
    return found


class PrometheusOutput(Output):
    """Serves the run's metrics at /metrics of *host*:*port* while it goes on; port 0 is any free port.

    A scrape needs the header `Authorization: Bearer TOKEN`; *say* gets a sentence with the
    address, and the token if none was given. Needs the extra `chaperon[prometheus]`.
    """

    name = "the Prometheus metrics"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str = "",
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._host, self._port = host, port
        self._say = say
        self._made = not token
        self.token = token or secrets.token_urlsafe(24)
        self._server: WSGIServer | None = None
        self._announced = False
        self.metrics = RunMetrics(bucket_counts)
        self._environment = ""

    @property
    def address(self) -> str:
        """The URL that is scraped; it has the real port once the run has started."""
        port = self._port if self._server is None else self._server.server_port
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{port}/metrics"

    def start(self, plan: PlannedRun) -> None:
        """Listen for scrapes. Raises OutputError if the address is taken or the library is missing."""
        try:
            import prometheus_client  # noqa: F401 - late: an extra
        except ImportError:
            raise OutputError("metrics for Prometheus need a library: pip install 'chaperon[prometheus]'") from None
        self._environment = plan.environment
        self.metrics = RunMetrics(bucket_counts)
        if self._server is None:
            server = WSGIServer((self._host, self._port), self, log=None, error_log=None)
            try:
                server.start()
            except OSError as exc:
                where = f"{self._host}:{self._port}"
                raise OutputError(f"cannot serve metrics at {where}: {exc.strerror or exc}; give another port") from exc
            self._server = server
            self._port = int(server.server_port or 0)  # a search starts it for every probe: at one address
            self.notices = {"metrics": self.address}
            if not self._announced:
                self._announced = True
                hint = f"; as bearer token a scrape needs {self.token}" if self._made else ""
                self._say(f"metrics for Prometheus are at {self.address}{hint}")

    def second(self, second: ClosedSecond) -> None:
        """Add one second to the metrics."""
        self.metrics.add(second)

    def late(self, second: ClosedSecond) -> None:
        """Add what came late for a second."""
        self.metrics.add(second)

    def finish(self, report: Report) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop(timeout=1)
            self._server = None

    def __call__(self, environ: Mapping[str, Any], respond: Respond) -> Iterable[bytes]:
        """Answer one request: a WSGI application, which may be mounted in another server."""
        given = str(environ.get("HTTP_AUTHORIZATION", ""))
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {self.token}".encode()):
            respond("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"a bearer token is needed\n"]
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            respond("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Type", "text/plain")])
            return [b"only GET\n"]
        if environ.get("PATH_INFO") != "/metrics":
            respond("404 Not Found", [("Content-Type", "text/plain")])
            return [b"metrics are at /metrics\n"]
        respond("200 OK", [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.text()]

    def text(self) -> bytes:
        """Return all metrics in the OpenMetrics text format."""
        from prometheus_client import CollectorRegistry  # late: an extra
        from prometheus_client.openmetrics.exposition import generate_latest

        registry = CollectorRegistry()  # not the global one, which has collectors for the process
        registry.register(_Collected(self.metrics, self._environment))
        return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]


class _Collected:
    """The metrics of a run as families of the Prometheus library."""

    def __init__(self, metrics: RunMetrics, environment: str) -> None:
        self._metrics = metrics
        self._environment = environment

    def collect(self) -> Iterator[Any]:
        """Yield every family."""
        from prometheus_client import metrics_core as core  # late: an extra

        run = self._metrics
        info = core.InfoMetricFamily("chaperon_run", "The load test that is running.")
        info.add_metric([], {"environment": self._environment})
        yield info
        labels = list(MetricKey._fields)
        samples = core.CounterMetricFamily(
            "chaperon_samples", "Requests, steps, visits and other samples by outcome.", labels=[*labels, "outcome"]
        )
        received = core.CounterMetricFamily("chaperon_received_bytes", "Bytes received.", labels=labels, unit="bytes")
        durations = core.HistogramMetricFamily(
            "chaperon_duration_seconds", "Durations of samples without an error.", labels=labels, unit="seconds"
        )
        for key, series in run.series.items():
            for outcome, count in (("good", series.good), ("bad", series.bad), ("censored", series.censored)):
                samples.add_metric([*key, outcome], count)
            received.add_metric(list(key), series.bytes)
            if key.kind not in UNTIMED:
                durations.add_metric(list(key), _cumulative(series.buckets), sum_value=series.sum)
        yield from (samples, received, durations)
        errors = core.CounterMetricFamily("chaperon_errors", "Errors by class.", labels=["scenario", "series", "error"])
        for where, count in run.errors.items():
            errors.add_metric(list(where), count)
        yield errors
        visits = core.CounterMetricFamily("chaperon_visits", "Visits by outcome.", labels=["scenario", "outcome"])
        for label, counts in run.visits.items():
            for outcome in OUTCOMES:
                visits.add_metric([label, outcome], getattr(counts, outcome))
        yield visits
        for name, text, value in self._gauges():
            gauge = core.GaugeMetricFamily(f"chaperon_{name}", text)
            gauge.add_metric([], value)
            yield gauge

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        run = self._metrics
        yield "users", "Users busy at the end of the newest second.", run.users
        yield "visits_in_flight", "Visits that are due and have not ended.", run.in_flight
        yield "generator_cpu_cores", "Cores the generator used, the most of any worker.", run.health.get("cpu", 0.0)
        late = run.health.get("late_p99", 0.0)
        yield "generator_lateness_seconds", "By how much visits started late, the p99 of the worst worker.", late


def _cumulative(buckets: Mapping[int, int]) -> list[tuple[str, float]]:
    """Return (upper bound, number of samples up to it) for every bucket, the last one without a bound."""
    total, found = 0, []
    for bucket, bound in enumerate((*BOUNDS, None)):
        total += buckets.get(bucket, 0)
        found.append(("+Inf" if bound is None else repr(bound), float(total)))
    return found
