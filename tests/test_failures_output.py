"""`--failures DIR`: the first failing exchanges of each error as files, which the other outputs name."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ci_outputs import HOSTILE
from test_exchanges import exchange
from test_report import report_of

from chaperon.errors import OutputError
from chaperon.measure.exchange import BODY
from chaperon.report.exchanges.exchange_names import FILE_NAME, exchange_names, exchange_paths
from chaperon.report.exchanges.exchange_text import exchange_lines, summary_text
from chaperon.report.exchanges.failures_output import INDEX, NONE_KEPT, FailuresOutput
from chaperon.report.outputs.console import ConsoleOutput
from chaperon.report.outputs.github import GitHubOutput
from chaperon.report.outputs.html import HtmlOutput
from chaperon.report.outputs.markdown import MarkdownOutput
from chaperon.report.outputs.output import PlannedRun, with_exchange_folder
from chaperon.report.report import ErrorRow

SHOP = """
from chaperon import step

@step
def buy(session):
    session.post("/status/422", json={"id": 7, "password": "hunter2222"}, name="POST /cart")
    session.check("price", False)
"""


def row_of(series="GET /", error="http 500", scenario="shop", exchanges=1, **fields):
    one = exchange(series=series, error=error, scenario=scenario, **fields)
    return ErrorRow(scenario, series, error, 9, 0.5, 4.0, "it broke", exchanges=(one,) * exchanges)


def written(folder, *rows):
    output = FailuresOutput(folder)
    output.start(PlannedRun("shop", 0, "50/s", ("shop",), ()))
    output.finish(replace(report_of(), errors=rows))
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_an_exchange_is_shown_whole_with_its_facts():
    one = replace(
        exchange(series="POST /cart", body='{"error": "out of stock"}\nmore'),
        at=12.3456, took=0.0123, step="step buy", user=3, visit=17, method="POST", url="http://h/cart",
        sent_headers=("Host: h",), sent_body="id=7", sent_size=4, status=422, reason="Unprocessable Entity",
        headers=("X-Trace: t1",), size=30, timings=(("dns", 0.0), ("waiting", 0.012)),
    )  # fmt: skip

    assert exchange_lines(one) == [
        "* ended 12.346 s after the start, user 3, visit 17, step buy",
        "* took 12.3ms: waiting 12.0ms",
        "> POST http://h/cart",
        "> Host: h",
        ">",
        "> id=7",
        "< 422 Unprocessable Entity",
        "< X-Trace: t1",
        "<",
        '< {"error": "out of stock"}',
        "< more",
    ]
    assert exchange_lines(replace(one, status=0))[-1] == "< no response"


@pytest.mark.parametrize("error", ["body too large", "truncated", "bad encoding"])
def test_a_response_that_had_begun_is_not_said_to_be_missing(error):
    one = replace(exchange(), error=error, method="GET", url="http://h/big", status=0)

    assert exchange_lines(one)[-1] == "< a response that was not read to its end"
    assert summary_text(one) == "GET http://h/big → a response that was not read to its end"
    assert summary_text(replace(one, error="timeout")) == "GET http://h/big → no response"


@pytest.mark.parametrize(("shown", "rest"), [(500, True), (None, False)])
def test_a_body_is_cut_where_that_is_asked_for_and_says_so(shown, rest):
    lines = exchange_lines(replace(exchange(body="x" * 900), status=500, size=900), shown)

    assert (lines[-1] == "< … 900 bytes in all") == rest
    assert exchange_lines(replace(exchange(body="x" * BODY), status=500, size=BODY + 1))[-1].endswith("bytes in all")


@given(st.lists(st.tuples(*[st.one_of(st.text(max_size=40), st.sampled_from(HOSTILE))] * 3), unique=True, max_size=8))
def test_file_names_are_safe_unique_and_stable(places):
    rows = [row_of(series, error, scenario, exchanges=3) for scenario, series, error in places]

    names = [name for row in rows for name in exchange_names(row)]

    assert all(FILE_NAME.fullmatch(name) and len(name) < 80 and not name.startswith(".") for name in names)
    assert len({name.lower() for name in names}) == len(names)
    assert names == [name for row in rows for name in exchange_names(row)]


def test_a_class_has_its_names_whatever_else_the_run_has(tmp_path):
    alone = written(tmp_path / "a", row_of("GET /cart"))
    among = written(tmp_path / "b", row_of("GET /"), row_of("GET /cart"), row_of("GET /cart", "http 404"))

    assert set(alone) <= set(among)
    assert exchange_names(row_of("GET /cart")) == [name for name in alone if name != INDEX]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_the_folder_and_on_its_line(tmp_path, name):
    texts = written(tmp_path / "ev", row_of(name, name, body=f"{name}\nsecond", headers=(f"X: {name}",)))

    assert [path.name for path in tmp_path.iterdir()] == ["ev"]
    assert len(texts) == 2
    for text in texts.values():
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert (
        sum(line.endswith("> GET http://h/") for line in texts[exchange_names(row_of(name, name))[0]].splitlines()) == 1
    )


def test_the_index_has_every_class_with_its_files(tmp_path):
    without = ErrorRow("shop", "price", "check failed", 4, 0.5, 4.0, "price", exchanges=())

    index = written(tmp_path / "ev", row_of(exchanges=2, status=500, body="boom"), without)[INDEX]

    first, second = exchange_names(row_of(exchanges=2))
    assert f"  {first}  at 0.000 s  GET http://h/ → 500 boom\n  {second}  at " in index
    assert f"check failed · price in shop · 4 × from 0.5 to 4.0 s\n  {NONE_KEPT}\n" in index
    assert "no error\n" in written(tmp_path / "none")[INDEX]


def test_files_of_an_earlier_run_are_replaced_and_others_stay(tmp_path):
    folder = tmp_path / "ev"
    written(folder, row_of("GET /old", exchanges=3), row_of("GET /both"))
    (folder / "notes.txt").write_text("mine")
    (folder / "GET_x-http_500-0123456789-1.txt").write_text("in no index")
    with (folder / INDEX).open("a") as index:
        index.write("  notes.txt  at 1 s\n  ../outside.txt  at 1 s\n")
    (tmp_path / "outside.txt").write_text("mine")

    names = set(written(folder, row_of("GET /both"), row_of("GET /new")))

    kept = {"notes.txt", "GET_x-http_500-0123456789-1.txt", INDEX}
    assert names == {*kept, *exchange_names(row_of("GET /both")), *exchange_names(row_of("GET /new"))}
    assert (tmp_path / "outside.txt").exists()


def test_a_folder_that_cannot_be_written_is_known_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    plan = PlannedRun("shop", 0, "50/s", ("shop",), ())

    for folder, words in (("file", "it is not a folder"), ("no/where", "there is no folder")):
        with pytest.raises(OutputError, match=words):
            FailuresOutput(tmp_path / folder).start(plan)


def test_the_other_outputs_name_the_file(tmp_path, capsys, monkeypatch):
    report = replace(report_of(), errors=(row_of(exchanges=2), row_of("GET /none", exchanges=0)))
    folder, summary = tmp_path / "my evidence", tmp_path / "summary.md"
    summary.write_text("")
    monkeypatch.chdir(tmp_path)
    outputs = [
        FailuresOutput(folder),
        ConsoleOutput(),
        HtmlOutput(tmp_path / "r.html"),
        MarkdownOutput(tmp_path / "r.md"),
        GitHubOutput(open("/dev/null", "w"), {"GITHUB_STEP_SUMMARY": str(summary)}),  # noqa: SIM115
    ]
    plan = with_exchange_folder(PlannedRun("shop", 0, "50/s", ("shop",), ()), outputs)

    for output in outputs:
        output.start(plan)
    for output in outputs:
        output.finish(report)

    path = exchange_paths(str(folder), report.errors[0])[0]
    assert Path(path).exists()
    assert f"see {path}\n" in capsys.readouterr().out
    payload = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', (tmp_path / "r.html").read_text())[1])
    assert payload["exchange_files"] == [{"path": path, "link": f"my%20evidence/{Path(path).name}"}, None]
    for text in ((tmp_path / "r.md").read_text(), summary.read_text()):
        assert f"| {path} |" in text.replace("\\", "")
        assert "| file |" in text


def test_without_the_folder_no_output_names_a_file(tmp_path, capsys):
    report = replace(report_of(), errors=(row_of(),))

    ConsoleOutput().finish(report)
    MarkdownOutput(tmp_path / "r.md").finish(report)

    assert "see " not in capsys.readouterr().out
    assert "file" not in (tmp_path / "r.md").read_text()


@pytest.fixture
def shop(tmp_path, command, target):
    (tmp_path / "shop.py").write_text(SHOP)
    off = ("--trust", "own=off", "--trust", "late=off", "--trust", "cpu=off")
    return lambda verb, *args: command(verb, "shop.py", "--url", target.url, *off, *args)


def evidence_in(folder):
    (name,) = [path.name for path in folder.glob("POST*-1.txt")]
    return name, (folder / name).read_text()


@pytest.mark.processes
@pytest.mark.processes
def test_a_run_and_the_report_of_its_file_write_the_same_files(shop, command, tmp_path):
    made = shop("local", "--rate", "10", "--hold", "1s", "--failures", "ev", "--run-file", "r.run", "--processes", "2")
    again = command("report", "r.run", "--failures", "again", "--quiet")

    name, text = evidence_in(tmp_path / "ev")
    assert (made.returncode, again.returncode) == (0, 0), (made, again)
    assert f"see ev/{name}" in made.stdout
    assert '> {"id": 7, "password": "***"}' in text
    assert "hunter2222" not in text
    assert {p.name: p.read_text() for p in (tmp_path / "ev").iterdir()} == {
        p.name: p.read_text() for p in (tmp_path / "again").iterdir()
    }


def test_check_prints_the_text_of_the_file(shop, tmp_path):
    made = shop("check", "--verbose", "--failures", "ev")

    _, text = evidence_in(tmp_path / "ev")
    lines = text.splitlines()
    exchange_part = lines[next(n for n, line in enumerate(lines) if line.startswith("* ")) :]
    printed = [line.strip() for line in made.stdout.splitlines()]
    start = printed.index(exchange_part[0])
    assert printed[start : start + len(exchange_part)] == exchange_part
    assert len(exchange_part) > 8


def test_a_search_writes_the_outputs_of_the_probe_that_is_reported(shop, tmp_path):
    (tmp_path / "shop.py").write_text(SHOP.replace("session.check", "session.get('/')\n    session.check"))

    found = shop(
        *("find", "--from", "5", "--to", "10", "--step", "1s", "--settle", "0s", "--limit", "p50(GET /) < 9s"),
        *("--failures", "ev", "--html", "f.html", "--markdown", "f.md", "--junit", "f.xml", "--csv", "f"),
    )

    assert found.returncode == 0, found
    assert "> POST " in evidence_in(tmp_path / "ev")[1]
    assert (tmp_path / "f.md").read_text().startswith("## ✓ PASS")
    assert "<testcase" in (tmp_path / "f.xml").read_text()
    assert "POST /cart" in (tmp_path / "f" / "series.csv").read_text()
    payload = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', (tmp_path / "f.html").read_text())[1])
    assert "10/s" in payload["plan"]["load"]
    assert payload["report"]["duration"] >= 1.9  # the confirming probe: twice the step
