"""A report as plain values, as a JSON file and as text; the JSON Schema in the package describes all of it."""

import json
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from test_golden_report import GOLDEN
from test_report import collected, report_of
from test_tables import printed, shop_report

from chaperon.errors import OutputError
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.report import Verdict

SCHEMA = json.loads(files("chaperon.report").joinpath("report.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def empty_report():
    return report_of(collected([Recorder("a", began=0.0).cut()]))


def report_with_every_kind():
    recorder = Recorder("a", began=0.0)
    for kind in ("http", "ws", "redis", "step", "call", "task", "visit", "check", "trip", "value", "count", "gauge"):
        value = 2.0 if kind in ("value", "count", "gauge") else None
        for failure in (None, Failure("http 503", "busy"), Failure("timeout", censored=True)):
            key = Key("shop", kind, kind, tags=(("user", "new"),))
            recorder.record(Sample(key, 0.1, 0.2, failure, 10, 0.05, value))
    recorder.count_visit("shop", 0.0, "planned")
    recorder.count_visit("shop", 0.0, "lost")
    recorder.count_note("a note")
    return report_of(collected([recorder.cut()]), ["p95 < 1s", "errors < 1%"])


REPORTS = {"empty": empty_report, "shop": lambda: shop_report("buyers", "visitors"), "kinds": report_with_every_kind}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("which", REPORTS)
def test_a_report_is_as_its_schema_says(which):
    values = REPORTS[which]().to_dict()

    assert list(VALIDATOR.iter_errors(json.loads(json.dumps(values)))) == []


def test_the_report_of_a_run_is_as_its_schema_says():
    values = json.loads(GOLDEN.read_text())

    real = {**values, "chaperon": "1", "started": "2026-01-01T00:00:00Z", "generator": {}, "workers": []}
    real["seconds"] = [{**second, "generator": {}} for second in real["seconds"]]
    assert values["seconds"]
    assert list(VALIDATOR.iter_errors(real)) == []


def test_every_object_of_the_schema_names_all_its_keys():
    parts = [SCHEMA, *(part for part in SCHEMA["$defs"].values() if part["type"] == "object" and "properties" in part)]

    for part in parts:
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])
    assert set(SCHEMA["$defs"]["limit"]["properties"]) == {field.name for field in fields(LimitResult)}
    assert SCHEMA["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert SCHEMA["properties"]["schema"]["const"] == shop_report("shop").to_dict()["schema"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("verdict",), "GOOD"),
        (("series", 0, "count"), -1),
        (("series", 0, "p50"), "10ms"),
        (("series", 0, "more"), 1),
        (("totals", 0, "scenario"), None),
        (("seconds", 0, "at"), 0.5),
        (("limits", 0, "held"), None),
        (("duration",), None),
    ],
)
def test_the_schema_refuses_what_is_no_report(where, value):
    values = json.loads(json.dumps(report_with_every_kind().to_dict()))
    part = values
    for step in where[:-1]:
        part = part[step]
    part[where[-1]] = value

    assert list(VALIDATOR.iter_errors(values)) != []


def test_a_report_writes_itself_as_json(tmp_path):
    report = shop_report("buyers")

    report.to_json(tmp_path / "out.json")

    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(json.dumps(report.to_dict()))
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_json_for_standard_output(capsys):
    report = shop_report("buyers")

    report.to_json("-")

    assert json.loads(capsys.readouterr().out)["verdict"] == report.verdict.value


def test_a_report_that_cannot_be_written_raises_one_error(tmp_path):
    with pytest.raises(OutputError, match="missing"):
        shop_report("buyers").to_json(tmp_path / "missing" / "out.json")


@pytest.mark.parametrize("options", [{}, {"merge": True}, {"by": ["phase"]}])
@pytest.mark.parametrize("width", [80, 140])
def test_the_table_of_a_report_is_what_a_command_prints(width, options):
    report = shop_report("buyers", "visitors")

    text = report.table(width=width, **options)

    assert text.splitlines() == printed(report, width, **options)
    assert "\x1b" not in text
    assert text.endswith("\n")
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_schema_is_installed_with_the_package():
    listed = (Path(__file__).parent.parent / "setup.cfg").read_text()

    assert "report.schema.json" in listed
