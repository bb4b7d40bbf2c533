"""What real servers store of a run: InfluxDB, VictoriaMetrics and Prometheus, where their programs are installed."""

import json
import shutil
import subprocess
from contextlib import contextmanager, suppress

import pytest
import requests
from test_ci_docs import free_port
from test_ci_outputs import HOSTILE, PLAN, report_of
from test_metric_outputs import Seconds
from waits import until

from chaperon.report.outputs.influx import InfluxOutput
from chaperon.report.outputs.prometheus import PrometheusOutput
from chaperon.report.redaction.one_line import one_line

pytestmark = [pytest.mark.processes, pytest.mark.faults]

INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
"""
PROMETHEUS = """
scrape_configs:
  - job_name: chaperon
    scrape_interval: 200ms
    scrape_timeout: 200ms
    authorization: {{credentials: scraper}}
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def run():
    """A run with hostile names: its seconds and its report."""
    output = Seconds()
    report = report_of((*HOSTILE, "GET /"), outputs=[output])
    return output.seen, report


@contextmanager
def program(name, *args, ready):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    with subprocess.Popen([path, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            until(lambda: answers(ready), 30)
            yield
        finally:
            started.kill()


def answers(url):
    with suppress(requests.RequestException):
        return requests.get(url, timeout=1).ok
    return False


def counts_of(report, *, at_end=str):
    """The number of samples of each series, by name and kind as a server has them."""
    return {(at_end(one_line(row.name)), row.kind): row.count for row in report.rows}


def pushed(url, seconds):
    output = InfluxOutput(url)
    output.start(PLAN)
    for second in seconds:
        output.second(second)
    output.finish(None)


def without_backslash(name):
    """The line protocol has no form for a backslash at the end of a tag."""
    return f"{name}_" if name.endswith("\\") else name


def test_influxdb_stores_the_counts_of_the_report(tmp_path, run):
    seconds, report = run
    port = free_port()
    config = tmp_path / "influx.conf"
    config.write_text(INFLUX.format(folder=tmp_path, port=port, other=free_port()))
    url = f"http://127.0.0.1:{port}"

    with program("influxd", "-config", str(config), ready=f"{url}/ping"):
        requests.post(f"{url}/query", data={"q": "CREATE DATABASE load"}, timeout=5).raise_for_status()
        pushed(f"{url}/write?db=load", seconds)
        query = {"db": "load", "q": 'select sum("count") from chaperon group by "name", "kind"'}
        found = requests.get(f"{url}/query", params=query, timeout=5).json()["results"][0]["series"]

    stored = {(each["tags"]["name"], each["tags"]["kind"]): each["values"][0][1] for each in found}
    assert stored == counts_of(report, at_end=without_backslash)


def test_victoria_metrics_stores_the_counts_of_the_report(tmp_path, run):
    seconds, report = run
    url = f"http://127.0.0.1:{free_port()}"
    options = (f"-storageDataPath={tmp_path}", f"-httpListenAddr={url.removeprefix('http://')}")

    with program("victoria-metrics", *options, ready=f"{url}/health"):
        pushed(f"{url}/api/v2/write?bucket=load", seconds)
        requests.get(f"{url}/internal/force_flush", timeout=5).raise_for_status()
        query = {"match[]": "chaperon_count", "end": round(seconds[-1].time) + 60}  # simulated time may be ahead
        lines = requests.get(f"{url}/api/v1/export", params=query, timeout=5).text.splitlines()

    stored = {}
    for each in map(json.loads, lines):
        key = (each["metric"]["name"], each["metric"]["kind"])
        stored[key] = stored.get(key, 0) + sum(each["values"])
    assert stored == counts_of(report, at_end=without_backslash)


def test_prometheus_stores_the_counts_of_the_report(tmp_path, run):
    seconds, report = run
    output = PrometheusOutput(token="scraper")
    output.start(PLAN)
    for second in seconds:
        output.second(second)
    config = tmp_path / "prometheus.yml"
    config.write_text(PROMETHEUS.format(target=output.address.split("/")[2]))
    where = f"127.0.0.1:{free_port()}"
    options = (f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={where}")

    def stored():
        query = {"query": "sum by (name, kind) (chaperon_samples_total)"}
        found = requests.get(f"http://{where}/api/v1/query", params=query, timeout=5).json()["data"]["result"]
        return {(each["metric"]["name"], each["metric"]["kind"]): int(each["value"][1]) for each in found}

    with program("prometheus", *options, ready=f"http://{where}/-/ready"):
        until(stored, 20)
        assert stored() == counts_of(report)
    output.finish(report)
