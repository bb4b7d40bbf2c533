"""`chaperon compare` and `chaperon.compare`: which of two runs is slower, and what could not have been seen."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from simulated_runs import perform, run_files

from chaperon import RunFileError, UsageError, compare, rate, read_run
from chaperon.report.comparison.as_github import comparison_annotations, write_to_github
from chaperon.report.comparison.as_junit import comparison_junit
from chaperon.report.comparison.as_markdown import comparison_markdown
from chaperon.report.comparison.comparable import warnings
from chaperon.report.comparison.decision import ChangeKind
from chaperon.report.comparison.figure import parse_figure, parse_margins
from chaperon.report.comparison.measured_run import measure_runs
from chaperon.report.report import Verdict
from chaperon.report.run_file.frames import write_frame
from chaperon.report.run_file.records import RunEnded, encode

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_files(tmp_path_factory)


@pytest.fixture
def compared(folder):
    def get(first, second, **options):
        paths = [[folder / f"{name}.chap" for name in group.split()] for group in (first, second)]
        return compare(*paths, **options)

    return get


def test_a_slower_run_is_found_and_what_could_not_be_seen_is_said(compared):
    found = compared("a", "b")

    assert (found.word, found.exit_code) == ("SLOWER", 4)
    assert found["p50"].change is ChangeKind.SLOWER
    assert found["p50"].outcome.first == pytest.approx(0.041, rel=0.05)
    assert found["p50"].sentence.startswith("p50 is 2")
    assert "more than the 5 % allowed" in found["p50"].sentence
    for change in found.changes:
        assert "would have been seen" in change.sentence
    assert any("one run each" in warning for warning in found.warnings)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("a", "failing"), ("a a2 a3", "b b2 b3")])
def test_exchanging_the_runs_mirrors_every_figure(compared, first, second):
    there, back = compared(first, second), compared(second, first)

    for one, other in zip(there.changes, back.changes, strict=True):
        assert one.figure.text == other.figure.text
        assert one.change is other.change.mirrored
        assert one.outcome.found.low == pytest.approx(-other.outcome.found.high)
    assert there.exit_code == 4
    assert back.exit_code == 0


def test_the_same_run_is_never_slower_than_itself(compared):
    found = compared("a", "a")

    assert found.exit_code == 0
    assert all(change.outcome.found.value == 0.0 for change in found.changes)


def test_more_errors_fail_although_times_are_the_same(compared):
    found = compared("a", "failing")

    assert found["errors"].change is ChangeKind.SLOWER
    assert found["p50"].change is not ChangeKind.SLOWER
    assert found.exit_code == 4


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("a", "faster_load", "another load for shop: 20.0/s and 30.0/s were planned"),
        ("a", "few_users", "another load for shop: 20/s; 4 users"),
        ("few_users", "more_users", "another load for shop: 4 users; 5 users"),
        ("a", "ramped", "other phases: steady; ramp, steady"),
        ("stairs", "other_stairs", "phases of other lengths: compare one with --phase"),
        ("a a2 a3", "b b2 faster_load", "another load for shop"),
    ],
)
def test_runs_of_another_load_are_refused(compared, first, second, said):
    for groups in ((first, second), (second, first)):
        found = compared(*groups)
        assert found.exit_code == 5
        assert found.word == "NOT COMPARABLE"
        assert found.changes == ()
    assert any(said in reason for reason in compared(first, second).refused)


def with_fault(path, made, reason):
    """Write the run at *path* to *made* as an INVALID one."""
    whole, end = path.read_bytes(), read_run(path).run().end
    with made.open("wb", buffering=0) as file:
        file.write(whole[:end])
        write_frame(file.fileno(), *encode(RunEnded("fault", reason)))
        file.write(whole[end:])


def test_an_invalid_run_is_refused_with_its_reason(folder, tmp_path):
    with_fault(folder / "a2.chap", tmp_path / "invalid.chap", "the generator was too slow")

    found = compare(folder / "a.chap", tmp_path / "invalid.chap", gates=["p95(GET /)"])

    assert read_run(tmp_path / "invalid.chap").report().verdict is Verdict.INVALID
    assert found.exit_code == 5
    assert found.refused == (f"{tmp_path / 'invalid.chap'} is INVALID: the generator was too slow",)


def test_a_run_that_was_cut_short_is_compared_with_a_warning(folder, tmp_path):
    whole = (folder / "a.chap").read_bytes()
    (tmp_path / "cut.chap").write_bytes(whole[: int(len(whole) * 0.8)])

    found = compare(folder / "a2.chap", tmp_path / "cut.chap")

    assert not found.refused
    assert any("cut.chap was stopped early: the run is unfinished" in warning for warning in found.warnings)
    assert found["p50"].outcome is not None


def test_runs_of_under_a_minute_are_unknown_and_fail_only_when_strict(compared):
    found = compared("a", "short")

    assert {change.change for change in found.gated} == {ChangeKind.UNKNOWN}
    assert found.exit_code == 0
    assert any("at least 60 s are needed" in warning for warning in found.warnings)
    assert compared("a", "short", strict=True).exit_code == 4
    assert compared("a", "b", strict=True).exit_code == 4


def test_values_of_runs_too_short_to_decide_are_shown_as_unknown(cli, compared, tmp_path):
    found = compared("brief", "brief_slower")
    figures = {each["figure"]: each for each in found.to_dict()["figures"]}
    done = cli("brief.chap", "brief_slower.chap", "--markdown", f"{tmp_path / 'c.md'}")
    markdown = (tmp_path / "c.md").read_text()

    median = figures["p50(GET /)"]
    assert (median["change"], median["low"]) == ("unknown", None)
    assert median["second"] / median["first"] == pytest.approx(1.5, rel=0.2)
    assert median["difference"] == pytest.approx(median["second"] / median["first"] - 1)
    assert figures["errors(GET /)"]["difference"] == 0.0
    shown = f"+{100 * median['difference']:.0f} %"
    for text in (done.stdout, markdown):
        line = next(line for line in text.splitlines() if "p50(GET /)" in line)
        assert shown in line
        assert "unknown" in line
        assert "p99(GET /)" not in text  # 40 samples are too few on either side
        assert "6 figures without a value on either side" in text
    assert "measured: " in found["p50"].sentence


def test_a_percentile_among_samples_that_were_cut_is_shown_as_a_lower_bound(cli, compared, tmp_path):
    found = compared("a", "timing_out")
    done = cli("a.chap", "timing_out.chap", "--markdown", f"{tmp_path / 'c.md'}")

    tail = next(each for each in found.to_dict()["figures"] if each["figure"] == "p95")
    assert (tail["change"], tail["second"], tail["first_at_least"]) == ("unknown", None, None)
    assert tail["second_at_least"] == pytest.approx(2.0, rel=0.05)
    assert found["p95"].shown[1].startswith("≥2.0")
    assert f"measured: {' → '.join(found['p95'].shown)}" in found["p95"].sentence
    for text in (done.stdout, (tmp_path / "c.md").read_text()):
        assert found["p95"].shown[1] in text
    assert found.word == "SLOWER"  # by its errors


def test_three_runs_a_side_are_compared_with_the_variation_between_runs(compared):
    found = compared("a a2 a3", "b b2 b3")

    change = found["p50"]
    assert change.change is ChangeKind.SLOWER
    assert 0.0 < change.outcome.between < 0.05
    assert change.outcome.found.freedom <= 4
    assert not any("one run each" in warning for warning in found.warnings)
    assert found["errors"].change is ChangeKind.SAME
    assert found["errors"].outcome.found.high > 0.0  # runs without errors may still have had some


@pytest.mark.parametrize(("first", "second"), [("a a2", "b"), ("a a2", "b b2"), ("a", "b b2 b3")])
def test_one_run_a_side_or_three_are_compared(compared, first, second):
    with pytest.raises(UsageError, match="give one run a side, or 3 or more"):
        compared(first, second)


def test_a_gate_decides_in_place_of_the_default_ones(compared):
    found = compared("a", "failing", gates=["p50(GET /)"])

    assert [change.figure.text for change in found.gated] == ["p50(GET /)"]
    assert found.exit_code == 0
    assert found["errors(GET /)"].change is ChangeKind.SLOWER
    assert not found["errors(GET /)"].gated


def test_times_of_samples_in_error_are_compared_with_one_run_a_side(compared):
    found = compared("failing_often", "failing_slower", gates=["bad p50(GET /)", "all p50(GET /)"])

    assert [change.change for change in found.gated] == [ChangeKind.SLOWER] * 2
    for change in found.gated:
        assert change.outcome.found.low < math.log(1.5) < change.outcome.found.high


def test_a_margin_is_of_a_figure_or_of_a_statistic(compared):
    assert compared("a", "b", margins={"p50": 0.5, "p95": 0.6, "p99": 0.9}).exit_code == 0
    found = compared("a", "b", gates=["p50(GET /)", "p50"], margins={"p50(GET /)": 0.6})
    assert (found["p50(GET /)"].change, found["p50"].change) == (ChangeKind.SAME, ChangeKind.SLOWER)


def test_a_change_that_several_figures_may_show_by_chance_is_unknown(compared):
    alone = compared("a", "b", gates=["p99"])
    margin = math.expm1(alone["p99"].outcome.found.low) - 1e-4  # just beyond the margin
    alone = compared("a", "b", gates=["p99"], margins={"p99": margin})
    among = compared("a", "b", gates=["p99", "errors"], margins={"p99": margin})

    assert alone["p99"].change is ChangeKind.SLOWER
    assert among["p99"].change is ChangeKind.UNKNOWN
    assert "among 2 figures that decide, this may be chance" in among["p99"].sentence


def test_the_rate_of_a_load_by_users_is_said_with_its_times(compared):
    found = compared("few_users", "few_users_slower")

    assert any("lower" in warning and "a load by users sends less" in warning for warning in found.warnings)
    assert not any("a load by users" in warning for warning in compared("a", "b").warnings)


def test_what_else_differs_is_a_warning(folder):
    (one,), (other,) = measure_runs(folder / "a.chap", folder / "a2.chap")
    other.header = replace(other.header, host="another", versions={"chaperon": "0.0"})

    said = warnings([one, other])

    assert "the seeds differ: 1, 2" in said
    assert any("the machines that sent the load differ" in each for each in said)
    assert any("the versions of Chaperon differ" in each for each in said)


def test_a_phase_is_compared_alone(compared, folder):
    assert compared("ramped", "ramped").phase == "steady"
    assert compared("ramped", "ramped", phase="ramp").first[0].length == pytest.approx(20, abs=0.1)
    with pytest.raises(UsageError, match=r"has no phase 'soak': it has ramp, steady"):
        compared("ramped", "ramped", phase="soak")


def test_a_warm_up_of_another_length_is_no_other_load(compared):
    assert compared("a", "warmed").refused == ()
    assert compared("a", "warmed")["p50"].change is not ChangeKind.SLOWER


def test_a_load_that_is_not_steady_is_compared_as_a_whole_with_a_warning(compared):
    found = compared("stairs", "stairs")

    assert found.phase is None
    assert any("the load is not steady" in warning for warning in found.warnings)
    assert compared("stairs", "other_stairs", phase="steady at 20/s")["p50"].outcome is not None


def test_a_run_that_was_read_is_compared_as_its_path_is(folder):
    file = read_run(folder / "a.chap")

    assert [c.sentence for c in compare(file, file.run()).changes] == [
        c.sentence for c in compare([folder / "a.chap"], [f"{folder / 'a.chap'}"]).changes
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95(GET /", "this bracket is not closed"),
        ("rate", "percentiles and errors can"),
        ("max(GET /)", "percentiles and errors can"),
        ("p100", "it is the maximum"),
        ("p95(GET /) < 3", "unexpected text"),
        ("p95 over 30s", "no figure to compare"),
        ("", "no figure to compare"),
    ],
)
def test_what_is_no_figure_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        parse_figure(text)


@pytest.mark.parametrize("text", ["p95", "p95=", "=10%", "p95=10", "p95=-1%", "p95=fast", "p95 < 10%"])
def test_what_is_no_margin_is_refused(text):
    with pytest.raises(UsageError, match="p95=10%"):
        parse_margins([text])


def test_a_margin_is_read_after_the_last_sign_of_equality():
    assert parse_margins(["p95({kind=search})=12.5 %", "errors=0.5%"]).own == {
        "p95({kind=search})": 0.125,
        "errors": 0.005,
    }


# The command


@pytest.fixture
def cli(folder, command):
    def call(*args):
        done = command("compare", *(f"{folder / arg}" if arg.endswith(".chap") else arg for arg in args))
        assert "Traceback" not in done.stderr
        return done

    return call


@pytest.mark.parametrize(
    ("args", "code", "last"),
    [
        (["a.chap", "b.chap"], 4, "SLOWER"),
        (["a.chap", "short.chap"], 0, "UNKNOWN"),
        (["a.chap", "short.chap", "--strict"], 4, "UNKNOWN"),
        (["a.chap", "a.chap", "--gate", "p50", "--margin", "p50=20%"], 0, "SAME"),
        (["b.chap", "a.chap", "--gate", "p50"], 0, "FASTER"),
        (["a.chap", "faster_load.chap"], 5, "NOT COMPARABLE"),
        (["a.chap", "a2.chap", "a3.chap", "--", "b.chap", "b2.chap", "b3.chap", "--quiet"], 4, "SLOWER"),
    ],
)
def test_the_exit_code_and_the_last_line_say_what_changed(cli, args, code, last):
    done = cli(*args)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, last)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["a.chap"], 2, "give two run files"),
        ([], 2, "give two run files"),
        (["a.chap", "b.chap", "b2.chap"], 2, "give two run files"),
        (["a.chap", "--"], 2, "no run is given on one side of --"),
        (["a.chap", "a2.chap", "--", "b.chap"], 2, "give one run a side, or 3 or more"),
        (["a.chap", "nowhere.chap"], 1, "cannot read"),
        (["a.chap", "b.chap", "--gate", "p95(GET /nowhere)"], 2, "no run has a series for p95(GET /nowhere): "),
        (["a.chap", "b.chap", "--gate", "p95({area=x})"], 2, "no run has a series for p95({area=x}): no sample has"),
        (["calls.chap", "calls.chap"], 2, "the runs have no requests, so p50 is unknown: give --gate"),
        (["a.chap", "b.chap", "--margin", "p75=10%"], 2, "a margin is given for p75, which is not compared"),
        (["a.chap", "b.chap", "--margin", "p95=much"], 2, "is not FIGURE=SHARE"),
        (["a.chap", "b.chap", "--phase", "soak"], 2, "has no phase 'soak'"),
        (["a.chap", "b.chap", "--json", "nowhere/x.json"], 1, "there is no folder"),
        (["a.chap", "b.chap", "--json", "-", "--csv", "-"], 2, "only one output"),
        (["--aa", "a.chap", "a2.chap", "a3.chap", "--junit", "x.xml"], 2, "leave --junit out"),
    ],
)
def test_bad_input_is_one_clear_line(cli, args, code, said):
    done = cli(*args)

    assert done.returncode == code
    assert said in done.stderr


def test_the_json_has_every_figure_and_the_exit_code(cli, compared):
    done = cli("a.chap", "b.chap", "--json", "-")
    values = json.loads(done.stdout)

    assert values["schema"] == "chaperon-comparison/1"
    assert values["exit_code"] == done.returncode == 4
    by_name = {figure["figure"]: figure for figure in values["figures"]}
    assert by_name["p50"]["gated"]
    assert by_name["p50"]["change"] == "slower"
    assert by_name["p50"]["low"] < 0.3 < by_name["p50"]["high"]
    assert by_name["p50"]["sentence"] == compared("a", "b")["p50"].sentence
    assert done.stderr.splitlines()[-1] == "SLOWER"


def test_csv_and_markdown_have_the_same_figures(cli, tmp_path):
    done = cli("a.chap", "b.chap", "--csv", "-", "--markdown", f"{tmp_path / 'c.md'}", "--quiet")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    text = (tmp_path / "c.md").read_text()

    assert rows[0]["figure"] == "p50"
    assert rows[0]["gated"] == "1"
    assert float(rows[0]["second"]) / float(rows[0]["first"]) == pytest.approx(
        1 + float(rows[0]["difference"]), rel=1e-3
    )
    assert text.startswith("## ✕ SLOWER · ")
    assert "- ✕ p50 is " in text
    assert "| p95(GET /) |" in text


def test_runs_that_cannot_be_compared_are_so_in_every_output(cli, tmp_path):
    done = cli("a.chap", "faster_load.chap", "--json", f"{tmp_path / 'c.json'}", "--markdown", "-")

    assert done.stdout.startswith("## ⚠ NOT COMPARABLE")
    values = json.loads((tmp_path / "c.json").read_text())
    assert (values["change"], values["figures"], values["exit_code"]) == ("NOT COMPARABLE", [], 5)
    assert "another load" in values["refused"][0]


def test_a_name_full_of_signs_is_shown_as_text(tmp_path, command):
    for name in ("one", "other"):
        perform(tmp_path / f"{name}.chap", load=rate(10, hold="30s"), name="=[red]|</script>\x1b[31m")

    done = command(
        "compare", *(f"{tmp_path / name}.chap" for name in ("one", "other")), "--markdown", f"{tmp_path / 'c.md'}"
    )

    assert done.returncode == 0
    assert "\x1b" not in done.stdout + (tmp_path / "c.md").read_text()
    assert "=[red]|</script>" in done.stdout
    assert "</script>" not in (tmp_path / "c.md").read_text()


def test_a_file_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "no.chap").write_text("nothing")

    with pytest.raises(RunFileError, match="is not a run file"):
        compare(tmp_path / "no.chap", tmp_path / "no.chap")


# What CI servers read

JUNIT = etree.XMLSchema(etree.parse(Path(__file__).parent / "schemas" / "junit.xsd"))


def cases_of(text):
    """Return the outcome of each case of the suite "comparison", as (tag, message), or None where it passed."""
    root = etree.fromstring(text.encode())
    JUNIT.assertValid(root)
    (suite,) = root
    assert suite.get("name") == "comparison"
    return {case.get("name"): (case[0].tag, case[0].get("message")) if len(case) else None for case in suite}


def test_junit_has_a_case_for_each_figure_that_decides(compared):
    found = compared("a", "b", gates=["p50", "errors"])
    cases = cases_of(comparison_junit(found))

    assert cases == {"the runs can be compared": None, "p50": ("failure", found["p50"].sentence), "errors": None}


@pytest.mark.parametrize(("strict", "tag"), [(False, "skipped"), (True, "failure")])
def test_junit_has_an_unknown_figure_as_skipped_and_as_a_failure_when_strict(compared, strict, tag):
    cases = cases_of(comparison_junit(compared("a", "short", strict=strict)))

    assert [cases[name][0] for name in ("p50", "p95", "p99", "errors")] == [tag] * 4


def test_junit_has_runs_that_cannot_be_compared_as_an_error(compared):
    cases = cases_of(comparison_junit(compared("a", "faster_load")))

    assert [(name, tag) for name, (tag, _) in cases.items()] == [("the runs can be compared", "error")]
    assert "another load" in cases["the runs can be compared"][1]


def test_github_gets_a_summary_and_an_annotation_for_each_figure_that_fails(compared, tmp_path):
    (tmp_path / "summary.md").write_text("# before\n")
    found, stream = compared("a", "b", gates=["p50", "errors"]), io.StringIO()

    write_to_github(found, str(tmp_path / "summary.md"), stream)

    assert (tmp_path / "summary.md").read_text() == f"# before\n{comparison_markdown(found)}"
    errors = [line for line in stream.getvalue().splitlines() if line.startswith("::error")]
    assert len(errors) == 1
    assert errors[0].startswith("::error title=Chaperon%3A SLOWER environment::p50 is ")
    assert any("::one run each" in line for line in stream.getvalue().splitlines() if line.startswith("::warning"))


@pytest.mark.parametrize(("strict", "kind"), [(False, "warning"), (True, "error")])
def test_github_gets_an_unknown_figure_as_a_warning_and_as_an_error_when_strict(compared, strict, kind):
    lines = comparison_annotations(compared("a", "short", strict=strict))

    assert sum(line.startswith(f"::{kind} ") and "::p95 " in line for line in lines) == 1


def test_github_gets_an_error_for_runs_that_cannot_be_compared(compared):
    lines = comparison_annotations(compared("a", "faster_load"))

    assert [line.partition(" ")[0] for line in lines] == ["::error"]


@pytest.mark.parametrize("given", [["--github"], []])
def test_the_command_writes_for_github_when_asked_and_by_itself_in_a_job(cli, tmp_path, monkeypatch, given):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", f"{tmp_path / 'summary.md'}")
    if not given:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = cli("a.chap", "b.chap", "--gate", "p50", "--quiet", *given, "--junit", f"{tmp_path / 'junit.xml'}")

    assert done.returncode == 4
    assert (tmp_path / "summary.md").read_text().startswith("## ✕ SLOWER")
    assert "::error title=Chaperon%3A SLOWER environment::p50 is " in done.stdout
    assert cases_of((tmp_path / "junit.xml").read_text().partition("?>")[2].strip())["p50"][0] == "failure"


def test_an_output_that_cannot_be_written_at_the_end_is_exit_code_1_and_the_others_are_written(cli, tmp_path):
    done = cli("a.chap", "b.chap", "--json", "/dev/full", "--junit", f"{tmp_path / 'junit.xml'}", "--quiet")

    assert done.returncode == 1
    assert "cannot write /dev/full: No space left on device" in done.stderr
    assert done.stdout.splitlines()[-1] == "SLOWER"
    assert (tmp_path / "junit.xml").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--junit", "nowhere/x.xml"], "there is no folder"),
        (["--github"], "--github needs GITHUB_STEP_SUMMARY"),
    ],
)
def test_an_output_that_cannot_be_written_is_found_before_a_run_is_read(cli, args, said, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    done = cli("nowhere.chap", "b.chap", *args)

    assert done.returncode == 1
    assert said in done.stderr


def test_a_comparison_writes_itself_in_every_form(compared, tmp_path):
    found = compared("a", "b")
    found.to_json(tmp_path / "c.json")
    found.to_markdown(tmp_path / "c.md")
    found.to_csv(tmp_path / "c.csv")
    found.to_junit(tmp_path / "c.xml")

    assert json.loads((tmp_path / "c.json").read_text()) == json.loads(json.dumps(found.to_dict()))
    assert (tmp_path / "c.md").read_text() == comparison_markdown(found)
    assert (tmp_path / "c.csv").read_text().startswith("figure,gated,change,first,second,")
    assert (tmp_path / "c.xml").read_text() == comparison_junit(found)
