"""HTTP responses are counted by the hundred of their status, good and bad ones."""

import pytest
from test_page import data_of_page
from unjudged import UNJUDGED

from chaperon import Environment, Scenario, iterations, read_run, run
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import RESPONSES
from chaperon.measure.window_merge import merge_worst
from chaperon.report.outputs.html import HtmlOutput
from chaperon.report.outputs.json import as_dict


def counted(report):
    """Return the responses that the JSON report has, by status, over all seconds."""
    found = {}
    for second in as_dict(report)["seconds"]:
        merge_worst(found, {name: n for name, n in second["generator"].items() if name in RESPONSES})
    return {name.removeprefix("responses_"): count for name, count in found.items()}


def visit(session):
    session.get("/")
    session.get("/status/206")
    session.get("/redirect", allow_redirects=False)
    session.get("/redirect")  # what follows is what counts
    session.get("/status/404")
    session.get("/status/404", expect=404)
    session.get("/status/503")
    session.get("/", expect=lambda response: False)
    session.get("/", stream=True).content  # noqa: B018 - it is read


def test_each_response_counts_once_whatever_it_was_expected_to_be(target, tmp_path):
    shop = Environment(
        target.url, scenarios=[run(Scenario(visit, name="shop"), iterations(3, users=1))], trust=UNJUDGED
    )
    report = shop.execute(outputs=[HtmlOutput(tmp_path / "run.html")], run_file=tmp_path / "run.chap")

    assert counted(report) == {"2xx": 15, "3xx": 3, "4xx": 6, "5xx": 3}
    assert counted(read_run(tmp_path / "run.chap").report()) == counted(report)
    (worker,) = report.workers
    assert worker.health["responses_2xx"] == 15
    run_columns = data_of_page(tmp_path / "run.html")["run"]
    columns = {name: sum(column) for name, column in run_columns.items() if name in RESPONSES}
    assert columns == {f"responses_{name}": count for name, count in counted(report).items()}


@pytest.mark.parametrize("status", [-200, 0, 99, 600, 999, 1 << 40])
def test_what_is_no_status_of_http_is_left_out(status):
    recorder = Recorder("local", began=0.0)
    recorder.responses.count(status)
    recorder.responses.count(299)

    assert recorder.cut(health={"cpu": 1.0}).health == {"cpu": 1.0, "responses_2xx": 1.0}
    assert recorder.cut().health == {}
