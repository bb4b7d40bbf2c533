"""Metrics of a run that goes on, for Prometheus, OpenTelemetry and InfluxDB: each parsed by a parser of its format."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import requests
from gevent.pywsgi import WSGIServer
from google.protobuf.json_format import Parse, ParseError
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_ci_outputs import HOSTILE, PLAN, report_of

from chaperon import OutputError
from chaperon.measure.sketch import Sketch
from chaperon.report.output_parts.metrics import RunMetrics
from chaperon.report.output_parts.push import Sender, shown
from chaperon.report.outputs.influx import InfluxOutput, lines_of, write_url
from chaperon.report.outputs.otlp import (
    SCALE,
    OtlpOutput,
    exponential_buckets,
    metrics_url,
    parse_headers,
    request_of,
)
from chaperon.report.outputs.output import Output
from chaperon.report.outputs.prometheus import BOUNDS, PrometheusOutput, bucket_counts
from chaperon.report.redaction.one_line import one_line


class Seconds(Output):
    name = "seconds"

    def __init__(self):
        self.seen = []

    def second(self, second):
        self.seen.append(second)


@pytest.fixture(scope="module")
def seconds():
    output = Seconds()
    report_of((*HOSTILE, "GET /"), outputs=[output])
    return output.seen


@pytest.fixture
def receiver():
    """A server that keeps what is posted to it, and answers with `status`."""
    server = WSGIServer(("127.0.0.1", 0), None, log=None)

    def app(environ, respond):
        body = gzip.decompress(environ["wsgi.input"].read())
        server.posts.append((environ["PATH_INFO"], environ["QUERY_STRING"], environ.get("HTTP_AUTHORIZATION"), body))
        respond(f"{server.status} Status", [])
        return [] if server.status == 204 else [b"words"]

    server.application, server.posts, server.status = app, [], 204
    server.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.stop()


def families(output):
    return {family.name: family for family in text_string_to_metric_families(output.text().decode())}


def served(seconds, **options):
    output = PrometheusOutput(**options)
    for second in seconds:
        output.second(second)
    return output


def test_prometheus_gets_the_counts_of_the_report(seconds):
    found = families(served(seconds))

    good = [s for s in found["chaperon_samples"].samples if s.labels["name"] == "GET /"]
    assert {s.labels["outcome"]: s.value for s in good} == {"good": 100, "bad": 0, "censored": 0}
    count = [s.value for s in found["chaperon_duration_seconds"].samples if s.name.endswith("_count")]
    assert sum(count) > 0
    assert found["chaperon_visits"].samples[0].labels == {"scenario": "shop", "outcome": "done"}


def test_counters_never_fall_and_buckets_are_cumulative(seconds):
    output, known = PrometheusOutput(), {}
    for second in seconds:
        output.second(second)
        for family in families(output).values():
            if family.type not in ("counter", "histogram"):
                continue
            for sample in family.samples:
                where = sample.name, tuple(sorted(sample.labels.items()))
                assert sample.value >= known.get(where, 0.0)
                known[where] = sample.value
    buckets = {}
    for (name, labels), value in known.items():
        if name.endswith("_bucket"):
            plain = dict(labels)
            buckets.setdefault(tuple(v for k, v in labels if k != "le"), []).append((float(plain["le"]), value))
    for rows in buckets.values():
        counts = [count for _, count in sorted(rows)]
        assert counts == sorted(counts)


values = st.lists(st.floats(1e-6, 500, allow_nan=False), min_size=1, max_size=400)


@given(values)
def test_whole_samples_are_in_buckets_and_none_is_lost(times):
    sketch = Sketch()
    sketch.add(times)

    for found in (bucket_counts(sketch), exponential_buckets(sketch)):
        assert sum(found.values()) == len(times)
        assert all(isinstance(count, int) and count > 0 for count in found.values())


@given(st.floats(1e-9, 1e6))
def test_a_sample_is_in_the_exponential_bucket_that_has_it(value):
    sketch = Sketch()
    sketch.add([value])
    (index,) = exponential_buckets(sketch)
    base = 2 ** (2**-SCALE)

    assert base**index <= value * (1 + 1e-9)
    assert value <= base ** (index + 1) * (1 + 1e-9)


@given(values)
def test_a_fixed_bucket_has_what_is_not_longer_than_its_bound(times):
    sketch = Sketch()
    sketch.add(times)
    if len(sketch.clusters) == len(times):  # each is known by itself
        exact = Counter(next((n for n, bound in enumerate(BOUNDS) if time <= bound), len(BOUNDS)) for time in times)
        assert bucket_counts(sketch) == exact


def test_hostile_names_are_labels_and_nothing_else(seconds):
    names = {s.labels["name"] for s in families(served(seconds))["chaperon_samples"].samples}

    assert len(names) == 2 * (len(HOSTILE) + 1) + 2  # a request and a check each, the step, the visit
    assert all(name.isprintable() for name in names)


def test_a_scrape_needs_the_token():
    said = []
    output = PrometheusOutput(say=said.append)
    output.start(PLAN)
    try:
        bearer = {"Authorization": f"Bearer {output.token}"}
        assert requests.get(output.address, timeout=5).status_code == 401
        assert requests.get(output.address, headers={"Authorization": "Bearer x"}, timeout=5).status_code == 401
        assert requests.get(output.address, headers=bearer, timeout=5).text.endswith("# EOF\n")
        assert requests.post(output.address, headers=bearer, timeout=5).status_code == 405
        assert requests.get(output.address[:-8], headers=bearer, timeout=5).status_code == 404
        assert output.token in said[0]
    finally:
        output.finish(None)
    with pytest.raises(requests.ConnectionError):
        requests.get(output.address, timeout=2)


def test_an_address_that_is_taken_is_found_before_the_run(receiver):
    with pytest.raises(OutputError, match="give another port"):
        PrometheusOutput("127.0.0.1", receiver.server_port).start(PLAN)


def test_otlp_is_read_by_the_official_classes(seconds):
    metrics = RunMetrics(exponential_buckets)
    for second in seconds:
        metrics.add(second)
    message = Parse(json.dumps(request_of(metrics, "shop", began=1.7e9)), ExportMetricsServiceRequest())

    (scope,) = message.resource_metrics[0].scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    good = [
        point.as_int
        for point in found["chaperon.samples"].sum.data_points
        if {"GET /", "good"} <= {attribute.value.string_value for attribute in point.attributes}
    ]
    assert good == [100]
    assert found["chaperon.samples"].sum.is_monotonic
    for point in found["chaperon.duration"].exponential_histogram.data_points:
        assert point.count == point.zero_count + sum(point.positive.bucket_counts)
        assert point.start_time_unix_nano == 1_700_000_000 * 10**9


def test_otlp_is_posted_every_second_and_at_the_end(receiver, seconds):
    output = OtlpOutput(receiver.url, headers={"Authorization": "Basic YTpi"})
    output.start(PLAN)
    for second in seconds[:3]:
        output.second(second)
    output.finish(None)

    assert [post[0] for post in receiver.posts] == ["/v1/metrics"] * 4
    assert receiver.posts[0][2] == "Basic YTpi"


def point_of(point):
    """The attributes of a data point as a key, and what it counts."""
    key = tuple(sorted((each.key, each.value.string_value) for each in point.attributes))
    count = point.as_int if hasattr(point, "as_int") else point.count
    return key, count


def test_every_body_is_read_by_the_official_classes_and_no_total_falls(receiver):
    output = OtlpOutput(receiver.url)
    report = report_of((*HOSTILE, "GET /"), outputs=[output])
    totals, moments = {}, []

    for *_, body in receiver.posts:
        message = Parse(body, ExportMetricsServiceRequest())  # refuses unknown fields and values of other types
        metrics = message.resource_metrics[0].scope_metrics[0].metrics
        assert {"chaperon.samples", "chaperon.duration", "chaperon.visits"} <= {metric.name for metric in metrics}
        for metric in metrics:
            kind = metric.WhichOneof("data")
            points = getattr(metric, kind).data_points
            assert len({point_of(point)[0] for point in points}) == len(points)
            assert all(point.start_time_unix_nano <= point.time_unix_nano for point in points)
            moments += [point.time_unix_nano for point in points]
            for key, count in map(point_of, points) if kind != "gauge" else ():
                assert count >= totals.get((metric.name, key), 0)
                totals[metric.name, key] = count

    counted = Counter()
    for (name, key), count in totals.items():
        if name == "chaperon.samples":
            counted[dict(key)["name"], dict(key)["kind"]] += count
    assert len(receiver.posts) > 5
    assert moments == sorted(moments)
    assert counted == {(one_line(row.name), row.kind): row.count for row in report.rows}


@pytest.mark.parametrize(
    "change", [{"unknown": 1}, {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"nam": "a"}]}]}]}]
)
def test_the_official_classes_refuse_a_body_with_a_field_that_does_not_exist(change):
    with pytest.raises(ParseError, match="no field named"):
        Parse(json.dumps(change), ExportMetricsServiceRequest())


def test_influx_lines_are_read_by_a_parser_of_the_protocol(seconds):
    points = [parse_line(line) for line in lines_of(seconds[1], "shop = 1, ok")]

    mine = next(point for point in points if point["tags"].get("name") == "GET /")
    assert mine["fields"]["count"] == seconds[1].series[next(k for k in seconds[1].series if k.name == "GET /")].count
    assert {point["tags"]["environment"] for point in points} == {"shop = 1, ok"}
    assert points[-1]["measurement"] == "chaperon_run"
    assert points[-1]["time"] == round(seconds[1].time * 1e9)
    assert len(points) == len(seconds[1].series) + 1


def test_influx_is_posted_with_its_token_in_nanoseconds(receiver, seconds):
    output = InfluxOutput(f"{receiver.url}/api/v2/write?org=o&bucket=b&precision=s", token="abc")
    output.start(PLAN)
    output.second(seconds[0])
    output.finish(None)

    ((path, query, authorization, body),) = receiver.posts
    assert (path, query, authorization) == ("/api/v2/write", "org=o&bucket=b&precision=ns", "Token abc")
    assert body.decode().count("\n") == len(seconds[0].series)


def test_a_server_that_refuses_is_said_without_its_secrets(receiver):
    receiver.status = 401
    sender = Sender(f"{receiver.url.replace('://', '://user:pass@')}/write?token=hunter2", {})

    with pytest.raises(OutputError, match=r"answered 401: words") as raised:
        sender.post(b"x")
    assert "hunter2" not in str(raised.value)
    assert "pass" not in str(raised.value)


def test_a_server_that_is_not_there_is_said(dead_port):
    with pytest.raises(OutputError, match=r"cannot reach http://127\.0\.0\.1:"):
        Sender(f"http://127.0.0.1:{dead_port}/v1/metrics", {}).post(b"x")


def test_a_run_goes_on_when_its_collector_refuses(receiver):
    receiver.status = 503
    output = OtlpOutput(receiver.url)

    report = report_of(outputs=[output])
    assert any("OpenTelemetry" in note for note in report.notes)
    assert report["GET /"].count == 100


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: write_url("localhost:8086"), "--influx needs the address"),
        (lambda: write_url("http://localhost:8086"), "--influx needs the address"),
        (lambda: metrics_url("localhost:4318"), "--otlp needs the URL"),
        (lambda: metrics_url("ftp://localhost"), "--otlp needs the URL"),
    ],
)
def test_a_url_that_is_none_is_one_clear_line(make, said):
    with pytest.raises(OutputError, match=said):
        make()


def test_urls_headers_and_what_is_shown_of_them():
    assert metrics_url("http://host:4318/") == "http://host:4318/v1/metrics"
    assert metrics_url("http://host/otlp/v1/metrics") == "http://host/otlp/v1/metrics"
    assert parse_headers("api-key=a%20b, x=1,broken") == {"api-key": "a b", "x": "1"}
    assert shown("http://u:p@host/path?q=1") == "http://host/path"
    assert shown("http://host/path") == "http://host/path"


def test_the_dashboard_asks_for_metrics_there_are(seconds):
    board = json.loads((Path(__file__).parent.parent / "deploy" / "grafana" / "chaperon.json").read_text())
    served_names = {sample.name for family in families(served(seconds)).values() for sample in family.samples}

    asked = {
        name for panel in board["panels"] for t in panel["targets"] for name in re.findall(r"chaperon_\w+", t["expr"])
    }
    assert asked <= served_names
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
