"""Every sample one by one: to a function of the author's, and to a file."""

import csv
import gzip
import io
import json
import re
from datetime import datetime

import pytest
from scenes import errors_of

from chaperon import (
    Environment,
    Output,
    OutputError,
    SampleRecord,
    Scenario,
    UsageError,
    iterations,
    run,
    start_master,
    step,
)
from chaperon.errors import LoadError
from chaperon.execution.loader import load
from chaperon.execution.plan import RunPlan
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.samples.observer import LEFT_OUT
from chaperon.report.samples.samples_output import BATCH, COLUMNS, SamplesOutput

HEADERS = {"Authorization": "Bearer t0p-s3cret-t0ken"}


@step
def browse(session):
    session.get("/?q=1")
    session.get("/status/503", name="GET /busy")
    session.post("/", data="x")
    with session.tagged(area="till"):
        session.record("basket", 3.5)
    session.check("fine", session.visit.number == 0)


def environment(url, **settings):
    return Environment(
        url, scenarios=[run(Scenario(browse, name="shop"), iterations(6, users=2))],
        trust={"cpu": None, "late": None, "own": None}, **settings,
    )  # fmt: skip


def by_name(records, name):
    return [record for record in records if record.name == name]


def test_a_function_gets_every_sample_with_what_sent_it(target):
    records = []

    report = environment(target.url, on_sample=records.append).execute()

    assert {record.name: 0 for record in records}.keys() == {row.name for row in report.rows}
    for row in report.rows:
        own = by_name(records, row.name)
        assert (len(own), sum(bool(record.error) for record in own)) == (row.count, row.errors)
        assert sum(record.bytes for record in own) == row.bytes
        if own[0].value is None:
            assert max(record.took for record in own) == row.max or row.errors
    assert all(isinstance(record, SampleRecord) for record in records)
    assert {record.worker for record in records} == {"local"}
    first = by_name(records, "GET /")
    assert sorted(record.visit for record in first) == [0, 1, 2, 3, 4, 5]
    assert {record.user for record in first} == {0, 1}
    visits = {(record.user, record.visit) for record in by_name(records, "visit")}
    assert visits == {(record.user, record.visit) for record in first}
    assert {(r.method, r.url, r.status, r.error) for r in first} == {("GET", f"{target.url}/?q=1", 200, "")}
    (busy,) = {(r.method, r.url, r.status, r.error) for r in by_name(records, "GET /busy")}
    assert busy == ("GET", f"{target.url}/status/503", 503, "http 503")
    assert {r.method for r in by_name(records, "POST /")} == {"POST"}
    assert {(r.tags, r.value, r.url, r.status) for r in by_name(records, "basket")} == {
        ((("area", "till"),), 3.5, "", None)
    }
    assert [r.time for r in records if r.kind == "http"] == sorted(r.time for r in records if r.kind == "http")
    assert abs(records[0].time - datetime.fromisoformat(report.started).timestamp()) < 60


def test_a_redirect_is_one_sample_with_the_url_that_was_sent(target):
    records = []

    @step
    def move(session):
        session.get("/redirect")

    Environment(target.url, scenarios=[Scenario(move)], on_sample=records.append).execute()

    (record,) = [record for record in records if record.kind == "http"]
    assert record.url == f"{target.url}/redirect"
    assert record.method == "GET"


@pytest.mark.parametrize("path", ["/", "/?a=b c"])
def test_a_request_without_a_response_has_a_url_and_no_status(path):
    records = []

    @step
    def nobody(session):
        session.get(path)

    report = Environment("http://127.0.0.1:1", scenarios=[Scenario(nobody)], on_sample=records.append).execute()

    (record,) = [record for record in records if record.kind == "http"]
    assert record.url.startswith("http://127.0.0.1:1/")
    assert record.status is None
    assert {(record.name, record.error): 1} == errors_of(report)


def test_an_exception_of_the_function_is_noted_and_fails_nothing(target):
    def broken(record):
        raise KeyError("missing")

    report = environment(target.url, on_sample=broken).execute()

    assert report.visits.done == 6
    (note,) = [note for note in report.notes if "on_sample=" in note]
    assert re.search(r"KeyError: 'missing' \(test_samples.py:\d+ in broken\)", note)
    assert report.notes[note] == sum(row.count for row in report.rows)


def test_without_a_function_nothing_is_observed(target):
    plan = environment(target.url).plan()

    assert isinstance(plan, RunPlan)
    assert plan.on_sample is None


def test_what_is_no_function_is_refused():
    with pytest.raises(LoadError, match="on_sample= takes a function of a SampleRecord, got 3"):
        Environment("http://127.0.0.1", on_sample=3)


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_the_file_has_a_line_a_sample_and_no_secret(target, tmp_path, name):
    made = environment(f"{target.url}", headers=HEADERS, config={"password": "hunter22"})

    report = made.execute(outputs=[SamplesOutput(tmp_path / name)])

    data = (tmp_path / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(row.count for row in report.rows)
    busy = next(row for row in rows if row["name"] == "GET /busy")
    assert (busy["status"], busy["error"], busy["scenario"], busy["worker"]) == ("503", "http 503", "shop", "local")
    assert datetime.fromisoformat(busy["time"]).utcoffset().total_seconds() == 0
    assert float(busy["took"]) > 0
    assert "t0p-s3cret" not in text
    assert [path.name for path in tmp_path.iterdir()] == [name]


def record_of(**values):
    plain = SampleRecord(0.0, "local", "shop", "GET /", "http", "steady", (), 0.1, None, None, 5, "", "", False, 0, 0)
    return plain._replace(**values)


def started(path, **settings):
    output = SamplesOutput(path, **settings)
    output.start(PlannedRun("e", 0, "1 user", ("shop",), (), lambda text: text.replace("hunter22", "***")))
    return output


def test_texts_lose_the_secrets_of_the_run_and_are_no_formulas(tmp_path):
    output = started(tmp_path / "out.csv")

    output.sample(record_of(url="http://127.0.0.1/?p=hunter22", error="x", message="hunter22 is wrong"))
    output.sample(record_of(name="=1+1", tags=(("user", "hunter22"),)))
    output.finish(None)

    rows = list(csv.DictReader((tmp_path / "out.csv").open(newline="")))
    assert (rows[0]["url"], rows[0]["message"]) == ("http://127.0.0.1/?p=***", "*** is wrong")
    assert (rows[1]["name"], rows[1]["tags"]) == ("'=1+1", "user=***")


def test_the_file_has_a_size_that_is_said_when_it_is_reached(tmp_path):
    said = []
    output = started(tmp_path / "out.csv", most=10_000, say=said.append)

    answers = [output.sample(record_of()) for _ in range(10 * BATCH)]
    output.finish(None)

    written = sum(1 for _ in csv.DictReader((tmp_path / "out.csv").open(newline="")))
    assert written == BATCH == answers.count(None)
    assert answers.count(LEFT_OUT) == 9 * BATCH
    assert said == [f"{tmp_path / 'out.csv'} has its full size of 10,000 bytes: further samples are left out"]


def test_what_is_left_out_is_noted_in_the_report(target, tmp_path):
    class Full(SamplesOutput):
        def sample(self, sample):
            return LEFT_OUT

    report = environment(target.url).execute(outputs=[Full(tmp_path / "out.csv")])

    note = f"samples left out of {tmp_path / 'out.csv'}: it has its full size"
    assert report.notes[note] == sum(row.count for row in report.rows)


def test_a_disk_that_is_full_costs_the_file_alone(tmp_path, monkeypatch):
    said = []
    output = started(tmp_path / "out.csv", say=said.append)
    monkeypatch.setattr(output, "_open", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    for _ in range(3 * BATCH):
        output.sample(record_of())

    assert said == [f"samples are no longer written to {tmp_path / 'out.csv'}: No space left on device"]
    with pytest.raises(OSError, match="No space left"):
        output.finish(None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_keeps_the_run_from_starting(target, tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        environment(target.url).execute(outputs=[SamplesOutput(tmp_path / "no" / "out.csv")])

    assert target.asked == []


@pytest.mark.processes
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("local", "--processes", "2"), "--samples is for one process"),
        (("master", "--workers", "1"), "samples stay on the workers that measure them: leave --samples out"),
        (("report",), "its file no single samples; `chaperon page` shows it in a browser: leave --samples out"),
    ],
)
def test_commands_that_do_not_have_the_samples_refuse_the_file(command, tmp_path, target, args, said):
    name, *rest = args
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef look(session): session.get('/')\n")

    aimed = () if name == "report" else ("--url", target.url)
    done = command(name, "shop.py", *rest, "--samples", "out.csv", *aimed)

    assert done.returncode == 2
    assert said in done.stderr
    assert target.asked == []


def test_the_command_writes_the_file(command, tmp_path, target):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef look(session): session.get('/')\n")

    done = command("local", "shop.py", "--url", target.url, "--users", "3", "--samples", "out.csv.gz")

    assert done.returncode == 0, done.stderr
    text = gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows].count("GET /") == 3


def test_a_fleet_refuses_an_output_that_wants_samples(tmp_path):
    file = tmp_path / "shop.py"
    file.write_text("from chaperon import step\n@step\ndef look(session): session.get('/')\n")

    class Each(Output):
        name = "mine"

        def sample(self, sample):
            pass

    with pytest.raises(UsageError, match="mine wants every sample, and those of several processes"):
        start_master(
            load(str(file)),
            file=str(file),
            url="http://127.0.0.1:1",
            bind="tcp://127.0.0.1:*",
            workers=1,
            outputs=[Each()],
        )


COLLECTING = """
import json, os
from chaperon import Environment, Scenario, iterations, run, step

FOLDER = {folder!r}


def collect(sample):
    with open(os.path.join(FOLDER, f"{{sample.worker}}.txt"), "a") as file:
        file.write(json.dumps([sample.name, sample.user, sample.url, sample.status]) + "\\n")


@step
def look(session):
    session.get("/")


production = Environment(scenarios=[run(Scenario(look), iterations(20, users=4))], on_sample=collect)
"""


@pytest.mark.faults
def test_in_a_fleet_each_process_calls_the_function_with_its_own_samples(process, tmp_path, target):
    folder = tmp_path / "seen"
    folder.mkdir()
    (tmp_path / "loadtest.py").write_text(COLLECTING.format(folder=str(folder)))

    done = process("local", "loadtest.py", "--url", target.url, "--processes", "2", "--quiet")

    assert done.returncode == 0, done.stdout + done.stderr
    files = list(folder.iterdir())
    assert len(files) == 2
    seen = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    asked = [(user, url, status) for name, user, url, status in seen if name == "GET /"]
    assert len(asked) == target.count("GET /") == 20
    assert {user for user, _, _ in asked} == {0, 1, 2, 3}
    assert {(url, status) for _, url, status in asked} == {(f"{target.url}/", 200)}


def test_check_prints_samples_and_writes_them(command, tmp_path, target):
    (tmp_path / "shop.py").write_text(
        "from chaperon import step\n@step\ndef look(session): session.get('/status/500')\n"
    )

    done = command("check", "shop.py", "--url", target.url, "--samples", "out.csv")

    assert "< 500" in done.stdout
    (row,) = [row for row in csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())) if row["kind"] == "http"]
    assert (row["status"], row["url"]) == ("500", f"{target.url}/status/500")
