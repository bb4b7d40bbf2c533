"""`--run-file` and `chaperon report`, as a person meets them."""

import json

import pytest

BROWSE = """
from chaperon import step

@step
def browse(session):
    session.get("/")
"""


@pytest.fixture
def chaperon(tmp_path, command):
    def run(*args):
        (tmp_path / "shop.py").write_text(BROWSE)
        return command(*args)

    run.folder = tmp_path
    return run


@pytest.fixture(scope="module")
def files_of_a_run():
    return {}


@pytest.fixture
def kept(chaperon, target, files_of_a_run):
    """A folder with the files of a run of two seconds, which the first test that wants them makes."""
    for name, content in files_of_a_run.items():
        (chaperon.folder / name).write_bytes(content)
    if files_of_a_run:
        return chaperon
    made = chaperon(
        *("local", "shop.py", "--url", target.url, "--rate", "20", "--hold", "2s", "--json", "run.json"),
        *("--run-file", "run.chap", "--limit", "p50 < 9s", "--limit", "errors < 1%"),
    )
    assert made.returncode == 0, made
    files_of_a_run.update({path.name: path.read_bytes() for path in chaperon.folder.iterdir() if path.is_file()})
    return chaperon


def test_the_report_of_a_kept_run_is_the_one_it_ended_with(kept):
    again = kept("report", "run.chap", "--json", "again.json")

    assert again.returncode == 0
    assert (kept.folder / "again.json").read_text() == (kept.folder / "run.json").read_text()


def test_other_limits_decide_the_exit_code(kept):
    broken = kept("report", "run.chap", "--quiet", "--limit", "p50 < 1us")

    assert broken.returncode == 4
    assert "limit broke: p50 < 1us" in broken.stdout


def test_every_output_of_a_run_can_be_made_of_its_file(kept):
    made = kept(
        *("report", "run.chap", "--from", "1s", "--junit", "j.xml", "--csv", "csv", "--markdown", "r.md", "--json", "-")
    )

    assert made.returncode == 0
    assert json.loads(made.stdout)["schema"] == "chaperon-report/1"
    assert {path.name for path in (kept.folder / "csv").iterdir()} >= {"series.csv", "seconds.csv", "errors.csv"}
    assert (kept.folder / "r.md").read_text().startswith("## ✓ PASS")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["report", "nowhere.chap"], 1, "cannot read nowhere.chap: No such file"),
        (["report", "shop.py"], 1, "shop.py is not a run file: write one with --run-file"),
        (["report", "run.chap", "run.chap"], 2, "give one run file: `chaperon compare A B` compares runs"),
        (["report"], 2, "Missing argument"),
        (["report", "run.chap", "--from", "2s", "--to", "1s"], 2, "no second of the run is from 2 s to 1 s"),
        (["report", "run.chap", "--from", "1h"], 2, "no second of the run is from 3600 s to its end"),
        (["report", "run.chap", "--phase", "soak"], 2, "the run has no phase 'soak': it has "),
        (["report", "run.chap", "--probe", "7"], 2, "has no run 7: it has 1"),
        (["report", "run.chap", "--limit", "p95 <"], 2, "p95 <"),
        (["report", "run.chap", "--json", "nowhere/x.json"], 1, "there is no folder"),
        (["local", "shop.py", "--url", "http://localhost:1", "--run-file", "nowhere/x.chap"], 1, "there is no folder"),
    ],
)
def test_bad_input_is_one_clear_line(kept, args, code, said):
    made = kept(*args)

    assert made.returncode == code
    assert said in made.stderr
    assert "Traceback" not in made.stderr


def test_a_search_keeps_its_runs_in_one_file(chaperon, target):
    found = chaperon(
        *("find", "shop.py", "--url", target.url, "--from", "5", "--to", "10", "--step", "1s", "--settle", "0s"),
        *("--limit", "p50 < 9s", "--run-file", "find.chap"),
    )

    assert found.returncode == 0, found
    first, last = (chaperon("report", "find.chap", "--json", "-", *more) for more in (["--probe", "1"], []))
    assert json.loads(first.stdout)["series"][0]["rate"] == pytest.approx(5, rel=0.3)
    assert json.loads(last.stdout)["series"][0]["rate"] == pytest.approx(10, rel=0.3)
