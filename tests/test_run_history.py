"""`chaperon history`: the runs of a folder, and which became slower; `chaperon compare --aa`: noise between runs."""

import csv
import io
import json
import shutil

import pytest
from made_once import folder_of_session, made_once
from simulated_runs import perform

from chaperon import UsageError, rate
from chaperon.report.comparison.figure import parse_margins
from chaperon.report.comparison.noise_floor import noise_floor

pytestmark = pytest.mark.long

ORDER = ("third", "first", "second", "later", "other_load")
"""Names of files in the order in which the runs began."""


def perform_in_order(folder):
    folder.mkdir()
    for seed, name in enumerate(ORDER):
        perform(
            folder / f"{name}.chap",
            factor=1.25 if name == "later" else 1.0,
            seed=seed,
            load=rate(30, hold="70s") if name == "other_load" else None,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_once(folder_of_session(tmp_path_factory), "history", perform_in_order)


@pytest.fixture
def history(folder, command):
    def call(*args, where=folder):
        done = command("history", str(where), *args)
        assert "Traceback" not in done.stderr
        return done

    return call


def test_the_runs_of_a_folder_are_listed_newest_last_and_a_slower_one_is_marked(history):
    done = history("--csv", "-")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))

    assert done.returncode == 0
    assert [row["file"] for row in rows] == [f"{name}.chap" for name in ORDER]
    assert [row["slower"] for row in rows] == ["", "", "", "1", ""]
    assert "p50 is " in rows[3]["said"]
    assert float(rows[3]["p50"]) == pytest.approx(1.25 * float(rows[0]["p50"]), rel=0.05)
    assert rows[0]["load"] == "20/s"
    assert {row["verdict"] for row in rows} == {"PASS"}
    assert all(float(row["design_effect"]) >= 1 for row in rows)


def test_the_console_says_what_the_marked_run_is_slower_by(history):
    done = history()

    assert done.stdout.count("✕ slower") == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("✕ later.chap: p50 is ")]


def test_a_margin_allows_the_change(history):
    wide = ("--margin", "p50=60%", "--margin", "p95=60%", "--margin", "p99=90%")

    assert "later.chap:" not in history(*wide).stdout


def test_json_names_the_three_runs_before_and_markdown_has_the_table(history, tmp_path, folder):
    done = history("--json", "-", "--markdown", str(tmp_path / "h.md"))
    values = json.loads(done.stdout)

    assert values["schema"] == "chaperon-history/1"
    slower = values["runs"][3]
    assert slower["slower"] is True
    assert set(slower["before"]) == {str(folder / f"{name}.chap") for name in ORDER[:3]}
    assert "✕ slower" in (tmp_path / "h.md").read_text()


def test_a_run_of_another_load_is_not_compared(history):
    values = json.loads(history("--json", "-").stdout)

    assert (values["runs"][4]["slower"], values["runs"][4]["before"]) == (None, [])


def test_a_file_that_is_no_run_is_left_out_with_a_warning(history, folder, tmp_path):
    shutil.copy(folder / "first.chap", tmp_path)
    (tmp_path / "README").write_text("runs")
    done = history(where=tmp_path)

    assert done.returncode == 0
    assert "README is not a run file" in done.stderr
    assert "first.chap" in done.stdout


def test_several_files_that_are_no_run_are_one_warning(history, folder, tmp_path):
    shutil.copy(folder / "first.chap", tmp_path)
    for name in ("a.json", "b.html", "c.txt", "d.csv", "e.csv"):
        (tmp_path / name).write_text("text")
    done = history(where=tmp_path)

    (line,) = done.stderr.splitlines()
    assert "5 files of" in line
    assert line.endswith("they are no run files: a.json, b.html, c.txt and 2 more")


def test_a_copy_of_a_run_is_left_out_with_a_warning(history, folder, tmp_path):
    for name in ("first", "copy"):
        shutil.copy(folder / "first.chap", tmp_path / f"{name}.chap")
    done = history("--csv", "-", where=tmp_path)

    assert [row["file"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["copy.chap"]
    assert "first.chap is left out: it is the same run as" in done.stderr


@pytest.mark.parametrize(
    ("name", "args", "code", "said"),
    [
        ("nowhere", [], 1, "cannot read the folder"),
        ("empty", [], 2, "has no run file: --run-file writes one"),
        ("empty", ["--margin", "p95"], 2, "is not FIGURE=SHARE"),
        ("empty", ["--csv", "-", "--json", "-"], 2, "only one output"),
        ("empty", ["--csv", "nowhere/h.csv"], 1, "there is no folder"),
    ],
)
def test_bad_input_is_one_clear_line(history, tmp_path, name, args, code, said):
    (tmp_path / "empty").mkdir()
    done = history(*args, where=tmp_path / name)

    assert done.returncode == code
    assert said in done.stderr


# Runs of one build


def test_runs_of_one_build_say_which_margin_to_use(folder):
    alike = [folder / f"{name}.chap" for name in ORDER[:3]]
    floor = noise_floor(alike)
    wider = noise_floor([*alike, folder / "later.chap"])

    p50, spread = floor.figures[0], wider.figures[0]
    assert (floor.exit_code, p50.pairs, p50.alarms) == (0, 3, 0)
    assert p50.between < 0.02
    assert p50.margin == 0.05
    assert spread.alarms == 3  # each of the three against the slower one
    assert spread.margin == pytest.approx(2 * spread.between)
    assert "use --margin 'p50=" in spread.sentence


def test_a_margin_given_is_where_alarms_are_counted_from(folder):
    runs = [folder / f"{name}.chap" for name in ORDER[:4]]

    assert noise_floor(runs, gates=["p50"], margins=parse_margins(["p50=60%"])).figures[0].alarms == 0


def test_a_run_given_twice_would_hide_how_runs_vary(folder, tmp_path):
    copy = tmp_path / "copy.chap"
    shutil.copy(folder / "first.chap", copy)
    floor = noise_floor([folder / "first.chap", folder / "second.chap", copy])

    assert floor.exit_code == 5
    assert any("are the same run: give each run once" in each for each in floor.refused)


def test_two_runs_do_not_make_a_noise_floor(folder):
    with pytest.raises(UsageError, match="at least 3 runs of one build"):
        noise_floor([folder / "first.chap", folder / "second.chap"])


def test_the_command_prints_the_noise_floor_and_writes_it(folder, command, tmp_path):
    runs = [str(folder / f"{name}.chap") for name in ORDER[:3]]
    done = command("compare", "--aa", *runs, "--json", str(tmp_path / "n.json"))
    refused = command("compare", "--aa", *runs, str(folder / "other_load.chap"))
    mixed = command("compare", "--aa", *runs, "--csv", "-")

    assert done.returncode == 0
    assert "p50 varies by " in done.stdout
    values = json.loads((tmp_path / "n.json").read_text())
    assert values["schema"] == "chaperon-noise-floor/1"
    assert [figure["figure"] for figure in values["figures"]] == ["p50", "p95", "p99", "errors"]
    assert (refused.returncode, refused.stdout.splitlines()[-1]) == (5, "NOT COMPARABLE")
    assert (mixed.returncode, "leave --csv out" in mixed.stderr) == (2, True)
