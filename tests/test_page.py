"""The page of a finished run, opened from a file in a headless Chromium."""

import hashlib
import json
import math
import random
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser, contrast
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import simulated
from test_ci_outputs import HOSTILE, PLAN, report_of
from test_fleet import Ground

from chaperon import BlockTimeout, Environment, Scenario, iterations, rate, read_run, run, step
from chaperon.execution.running import Running
from chaperon.measure.sample import Key
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, RunEvent, VisitCounts
from chaperon.report.outputs.closed_second import ClosedSecond, WorkerSecond
from chaperon.report.outputs.html import HtmlOutput
from chaperon.report.outputs.json import as_dict
from chaperon.report.page.document import COMPARISON_SCRIPTS, SCRIPTS, UPLOT, asset, html_of
from chaperon.report.page.payload import page_payload
from chaperon.report.page.steps import MOST_POINTS, RunSteps, SeriesName, bucket_of, histogram_of
from chaperon.report.redaction.one_line import STEERING, one_line
from chaperon.report.report import ErrorRow
from chaperon.report.totals import WorkerStats
from chaperon.testing import VirtualClock

in_chromium = [
    pytest.mark.page,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


def second_of(at, names=("GET /",), samples=20, chance=None):
    """Return a closed second with samples of each name."""
    chance = chance or random.Random(at)
    series = {}
    for name in names:
        each = series[Key("shop", name)] = Series()
        values = [chance.lognormvariate(-3, 0.5) for _ in range(samples)]
        each.good.add(values)
    ledger = {"shop": VisitCounts(planned=samples, done=samples)}
    return ClosedSecond(at=at, time=1.7e9 + at, series=series, ledger=ledger, users=5, phases={("shop", "steady"): 1.0})


# ---- the data


def test_a_short_run_has_a_point_a_second():
    steps = RunSteps()
    for at in range(3):
        steps.add(second_of(at))

    length, found = steps.steps()
    assert (length, [step.at for step in found]) == (1, [0, 1, 2])


@pytest.mark.long
@pytest.mark.parametrize(("seconds", "length"), [(600, 1), (601, 10), (1500, 10), (6000, 10), (6001, 100)])
def test_a_longer_run_has_longer_steps_and_loses_nothing(seconds, length):
    steps = RunSteps()
    for at in range(seconds):
        steps.add(second_of(at, samples=2))

    found_length, found = steps.steps()
    assert found_length == length
    assert len(found) == math.ceil(seconds / length) <= MOST_POINTS
    assert sum(step.requests.samples for step in found) == 2 * seconds
    assert sum(counts.done for step in found for counts in step.ledger.values()) == 2 * seconds
    assert sum(step.series[SeriesName("shop", "GET /", "http")].samples for step in found) == 2 * seconds


def test_a_step_merges_distributions_and_averages_no_percentile():
    steps, whole = RunSteps(), Series()
    for at in range(700):
        second = second_of(at)
        steps.add(second)
        if at < 10:
            whole = Series.merge_all([whole, second.requests])

    _, found = steps.steps()
    assert found[0].requests.times[1] == pytest.approx(whole.good.quantile(0.95), rel=0.02)


@settings(deadline=None)
@given(st.lists(st.floats(1e-7, 900), min_size=1, max_size=300))
def test_a_histogram_has_every_sample_near_its_value(values):
    series = Series()
    series.good.add(values)

    found = histogram_of(series.good)
    assert sum(samples for _, samples in found) == len(values)
    assert found == tuple(sorted(found))
    if len(series.good.clusters) == len(values):
        assert {bucket for bucket, _ in found} == {bucket_of(value) for value in values}


@pytest.mark.long
def test_an_hour_of_fifty_series_is_less_than_two_megabytes():
    steps, report = RunSteps(), report_of()
    for at in range(0, 3600, 10):  # of an hour each step has ten seconds
        steps.add(second_of(at, [f"GET /{n}" for n in range(50)], samples=10))

    assert len(steps.steps()[1]) == 360
    size = len(html_of(page_payload(report, PLAN, steps)).encode())
    assert size < 2_000_000
    empty = len(html_of(page_payload(report, PLAN, RunSteps())).encode())
    assert empty < 250_000


def test_the_payload_has_the_target_what_the_run_was_made_with_and_the_bounds_of_its_limits(tmp_path):
    plan = replace(PLAN, target="http://shop.test", facts=lambda: [("machine", "here")])
    limits = ["p95(GET /) < 1s", "errors < 2%", "rate(GET / in shop) > 1/s"]
    payload = page_payload(report_of(limits=limits), plan, RunSteps())

    assert payload["plan"]["target"] == "http://shop.test"
    assert payload["plan"]["facts"] == [["machine", "here"]]
    assert [(each["op"], each["bound"], each["series"], each["all"]) for each in payload["bounds"]] == [
        ("<", 1.0, "GET /", False),
        ("<", 0.02, None, True),
        (">", 1.0, "GET /", False),
    ]
    assert payload["bounds"][2]["scenario"] == "shop"


def test_a_report_and_its_run_file_say_alike_what_the_run_was_made_with(tmp_path):
    @step
    def wait(session):
        session.sleep(0.01)

    clock, seen = VirtualClock(), HtmlOutput(tmp_path / "run.html")
    environment = Environment("http://shop.test", scenarios=[run(Scenario(wait, name="shop"), rate(5, hold="2s"))])
    running = Running(environment.plan(), clock=clock).start([seen], run_file=tmp_path / "run.chap")
    clock.run(lambda: running.ended)
    running.finish()

    planned = read_run(tmp_path / "run.chap").run().planned
    assert planned.target == "http://shop.test"
    facts = dict(planned.facts())
    assert facts["run file"] == "run.chap"
    assert "gevent" in facts["versions"]
    data = re.search(r'type="application/json">(.*?)</script>', (tmp_path / "run.html").read_text(), re.DOTALL)
    assert json.loads(data[1])["plan"]["facts"] == [list(fact) for fact in planned.facts()]


def test_each_step_has_errors_visits_and_workers_of_which_a_stretch_is_added_up():
    steps, secret = RunSteps(), "token=hunter2hunter2"
    for at in range(700):
        workers = {name: WorkerSecond(10, 2 if name == "b" and at >= 300 else 0, 5, 0.1, at / 1e6, 1) for name in "abc"}
        errors = {("shop", "GET /", secret): ErrorCount(2, at, at, "x")} if at >= 300 else {}
        steps.add(replace(second_of(at), workers=workers, errors=errors))
    parts = page_payload(report_of(), PLAN, steps)["parts"]

    assert list(parts["workers"]) == ["b", "a", "c"]
    assert parts["workers"]["b"]["690"] == [100, 20, 50, 0.1, 0.000699, 10]
    assert parts["workers"]["b"]["0"] == [100, 0, 50, 0.1, 9e-06, 10]
    assert "hunter2" not in json.dumps(parts)
    (steps_of_error,) = parts["errors"]["shop"]["GET /"].values()
    assert steps_of_error == {str(at): 20 for at in range(300, 700, 10)}
    assert parts["ledger"]["shop"]["0"] == [200, 200, 0, 0, 0, 0, 0]


def test_workers_beyond_eight_have_no_steps_unless_they_have_most_errors():
    steps = RunSteps()
    steps.add(replace(second_of(0), workers={f"w{n}": WorkerSecond(10, n) for n in range(20)}))
    parts = page_payload(report_of(), PLAN, steps)["parts"]

    assert list(parts["workers"]) == [f"w{n}" for n in range(19, 11, -1)]


def test_the_payload_has_the_five_slowest_samples_of_a_series_with_their_moments():
    report = report_of()
    rows = page_payload(report, PLAN, RunSteps())["report"]["series"]

    for row, wanted in zip(rows, report.rows, strict=True):
        assert row["slowest"] == [[took, at - report.began] for took, at in wanted.slowest[:5]]
        assert all(0.0 <= at <= report.duration for _, at in row["slowest"])


def test_the_page_lets_no_data_end_its_script_and_nothing_out():
    html = html_of(page_payload(report_of(HOSTILE), PLAN, RunSteps()))

    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert len(json.loads(data)["report"]["series"]) == 2 * len(HOSTILE) + 2
    assert not re.search(r"[<>\u2028]", data)
    names = [row["name"] for row in json.loads(data)["report"]["series"]]
    assert not set("".join(names)) & set(map(chr, STEERING))
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)


@pytest.mark.processes
def test_a_build_has_the_files_of_the_page_and_keeps_a_copy_of_the_library(tmp_path):
    root = Path(__file__).resolve().parent.parent
    build = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, timeout=50)

    built = {path.name for path in (tmp_path / "chaperon" / "report" / "page").rglob("*") if path.is_file()}
    assert {"page.html", "comparison.html", "page.css", "guard.js", *SCRIPTS, *COMPARISON_SCRIPTS} <= built
    if asset(f"vendor/{UPLOT[0]}"):
        assert set(UPLOT) <= built
        assert asset(f"vendor/{UPLOT[0]}")


def test_pictures_of_the_documentation_are_small_and_shown():
    docs = Path(__file__).resolve().parent.parent / "docs"
    text = "".join(page.read_text(encoding="utf-8") for page in docs.glob("*.md"))
    pictures = sorted((docs / "pictures").glob("*.png"))

    assert len(pictures) >= 3
    for picture in pictures:
        assert 0 < picture.stat().st_size < 100_000, picture.name
        assert f"(pictures/{picture.name})" in text


# ---- the page


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """Open the page of a run with hostile names, a limit that broke and errors; return the browser and the report."""
    path = tmp_path_factory.mktemp("page") / "run.html"
    report = report_of(("GET /", *HOSTILE), limits=["p95(GET /) < 1ms", "p95(GET /) < 1s"], outputs=[HtmlOutput(path)])
    browser.size(1200)
    browser.open(path.as_uri())
    return browser, report, path


def data_of_page(path):
    """Return the data in a page that was written."""
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(data)


def rows_of(browser):
    return browser.value(
        "[...document.querySelectorAll('#rows tr.row')].map(row => [JSON.parse(row.dataset.key),"
        " [...row.cells].map(cell => cell.dataset.value)])"
    )


def failing(session):
    """Make a request that ends in an error, and one that is cut."""
    with session.measure("GET /bad", kind="http") as reply:
        session.sleep(1)
        reply.fail("http 500")
    with suppress(BlockTimeout), session.timeout(1), session.measure("GET /cut", kind="http"):
        session.sleep(5)


@pytest.mark.page
class TestInChromium:
    pytestmark = in_chromium

    def test_no_error_and_no_request_but_the_page_itself(self, shown):
        browser, _, path = shown

        assert browser.messages == []
        assert set(browser.requests) <= {path.as_uri(), "about:blank"}

    def test_a_series_without_a_good_sample_has_dashes_and_one_with_few_has_question_marks(self, shown, tmp_path):
        browser, _, path = shown
        report = simulated(failing, load=iterations(3), limits=["errors < 100"])
        page = tmp_path / "failing.html"
        page.write_text(html_of(page_payload(report, PLAN, RunSteps())), encoding="utf-8")

        browser.open(page.as_uri())

        texts = browser.value(
            "[...document.querySelectorAll('#rows tr.row')].map(row => [...row.cells].map(c => c.textContent))"
        )
        browser.open(path.as_uri())
        assert {name: cells for name, _, _, _, _, *cells, _ in texts} == {
            "GET /bad  http": ["–", "–", "–", "–"],
            "GET /cut  http": ["?", "?", "?", "–"],
            "step failing": ["?", "?", "?", "2.00s"],
            "visit": ["?", "?", "?", "2.00s"],
        }

    def test_every_figure_of_the_tables_is_the_one_of_the_json(self, shown):
        browser, report, _ = shown
        wanted = {(row["scenario"], one_line(row["name"]), row["kind"]): row for row in as_dict(report)["series"]}

        found = rows_of(browser)
        assert {tuple(key) for key, _ in found} == set(wanted)
        for key, (_, count, errors, _, per_second, p50, p95, p99, most, _) in found:
            row = wanted[tuple(key)]
            assert [float(count), float(errors), float(per_second)] == [row["count"], row["errors"], row["rate"]]
            for text, name in ((p50, "p50"), (p95, "p95"), (p99, "p99"), (most, "max")):
                if text:  # kinds that are no times have none
                    assert float(text) == row[name]

    def test_verdict_and_reasons_come_first(self, shown):
        browser, report, _ = shown

        text = browser.value("document.querySelector('main').innerText")
        assert text.index("✕ FAIL") < text.index(report.reasons[0]) < text.index("Limits") < text.index("Over time")

    def test_a_hostile_name_is_text(self, shown):
        browser, _, _ = shown

        names = browser.value("[...document.querySelectorAll('#rows td.name')].map(cell => cell.textContent)")
        assert any("</testcase>]]>" in name for name in names)
        assert any(len(name) > 400 for name in names)

    @pytest.mark.skipif(not asset("vendor/uplot.iife.min.js"), reason="built without uPlot")
    def test_charts_are_drawn_and_zoom_cuts_the_tables(self, shown):
        browser, report, _ = shown

        assert browser.value("document.querySelectorAll('.uplot').length") >= 5
        browser.value("zoomTo(1, 2)")
        try:
            found = {tuple(key): cells for key, cells in rows_of(browser)}
            assert 15 <= float(found["shop", "GET /", "rpc"][1]) < report["GET /"].count
            assert "approximate" in browser.value("document.getElementById('series-note').textContent")
        finally:
            browser.value("document.getElementById('zoom-out').click()")
        assert float({tuple(k): c for k, c in rows_of(browser)}["shop", "GET /", "rpc"][1]) == report["GET /"].count

    def test_the_charts_follow_one_series_and_the_fields_of_the_stretch(self, shown):
        browser, _, _ = shown

        names = browser.value("[...document.getElementById('chosen').options].map(option => option.text)")
        assert names[0] == "all requests"
        place = names.index("GET /") - 1
        browser.value(f"chooseSeries('{place}')")
        try:
            titles = browser.value("[...document.querySelectorAll('#charts h3')].map(each => each.textContent)")
            assert titles[0] == "Rate of GET / per second"
            assert any(title.startswith("Time of GET /, from when sent") for title in titles)
            browser.value("byId('from').value = '0:01'; byId('to').value = '3'; zoomToFields()")
            assert browser.value("[AT[view.from], AT[view.to - 1]]") == [1, 2]
            assert browser.value("document.querySelector('.stretch').hidden") is False
        finally:
            browser.value("document.getElementById('zoom-out').click(); chooseSeries('requests')")
        assert browser.messages == []

    def test_charts_begin_with_the_series_of_the_limit_that_broke_and_lead_back_to_all_requests(self, shown):
        browser, _, path = shown
        browser.open(path.as_uri())

        assert browser.value("nameOf(view.series)") == "GET /"
        assert "A limit on GET / broke" in browser.value("byId('first-note').innerText")
        browser.value("document.querySelector('#first-note button').click()")
        assert browser.value("[view.series, byId('chosen').value, byId('first-note').hidden]") == ["requests"] * 2 + [
            True
        ]

    def test_charts_are_as_wide_as_their_place_whatever_changes_it(self, shown):
        browser, _, _ = shown

        browser.value("document.querySelector('main').style.maxWidth = '420px'")
        try:
            browser.until("charts.length && charts.every(([made, box]) => made.width <= 420)")
        finally:
            browser.value("document.querySelector('main').style.maxWidth = ''")
        browser.until("charts.some(([made]) => made.width > 420)")

    def test_on_a_narrow_screen_every_cell_is_inside_and_has_its_heading(self, shown):
        browser, _, path = shown
        browser.size(390)
        browser.open(path.as_uri())
        try:
            right = "each => each.getBoundingClientRect().right"
            assert browser.value(f"Math.max(...[...document.querySelectorAll('.cards td')].map({right}))") <= 390
            assert browser.value("document.querySelector('#rows tr.row').cells[6].dataset.label") == "p95"
            first, *_, words = browser.value("[...byId('errors').rows[1].cells].map(cell => cell.offsetTop)")
            assert first < words
        finally:
            browser.size(1200)
            browser.open(path.as_uri())

    def test_the_end_of_the_load_is_marked_where_charts_go_beyond_it(self, shown):
        browser, _, _ = shown

        phases = "[[{ name: 'steady', from: 0, to: 1 }], [{ name: 'steady', from: 0, to: 9999 }], []]"
        ends = f"{phases}.map((each) => {{ DATA.phases = each; return endOfLoad(); }})"
        kept = browser.value("JSON.stringify(DATA.phases)")
        try:
            assert browser.value(ends) == [1, None, None]
        finally:
            browser.value(f"DATA.phases = {kept}")

    def test_no_words_of_a_chart_lie_over_others(self, shown):
        browser, _, _ = shown
        written = browser.value(
            "(() => { const [u] = charts[0], kept = [DATA.phases, REPORT.events], drawn = [];"
            " DATA.phases = [{ name: 'ramp', from: 0, to: 3 }];"
            " REPORT.events = [0, 0.1].map((first) => ({ first, count: 2, text: 'the process was not run' }));"
            " u.ctx.fillText = (text, x, y) => drawn.push([text, y]); u.redraw(false);"
            " return new Promise((done) => setTimeout(() => { delete u.ctx.fillText;"
            " [DATA.phases, REPORT.events] = kept; u.redraw(false);"
            " done(drawn.filter(([text]) => /ramp|process/.test(text))); }, 50)); })()"
        )

        assert [text for text, _ in written] == ["ramp", *(f"{n} · 2 × the process was not run" for n in (1, 2))]
        assert len({y for _, y in written}) == 3

    @pytest.mark.parametrize(
        ("low", "high", "texts"),
        [
            (0.003, 2.5, ["5ms", "10ms", "50ms", "100ms", "500ms", "1s"]),
            (0.03, 0.09, ["50ms"]),
            (1e-5, 20.0, ["0.1ms", "1ms", "10ms", "100ms", "1s", "10s"]),
        ],
    )
    def test_the_axis_of_the_heat_map_has_round_times(self, shown, low, high, texts):
        browser, _, _ = shown
        ticks = browser.value(f"heatTicks({low}, {high}, 120).sort((a, b) => a[0] - b[0])")

        assert set(texts) <= {text for _, text in ticks}
        assert all(b - a >= 12 / 120 for (a, _), (b, _) in pairwise(ticks))
        assert browser.value("document.querySelectorAll('#charts .heat .times span').length") >= 2

    def test_limits_have_a_margin_and_lead_to_the_charts_of_their_series(self, shown):
        browser, _, _ = shown
        cells = browser.value(
            "[...document.querySelectorAll('#limits tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
        )

        assert [row[0] for row in cells] == ["p95(GET /) < 1ms", "p95(GET /) < 1s"]
        assert cells[0][4].endswith("× the bound")
        assert cells[1][4].endswith("% margin")
        browser.value("document.querySelector('#limits button').click()")
        assert browser.value("nameOf(view.series)") == "GET /"
        browser.value("chooseSeries('requests')")

    def test_a_limit_that_broke_says_of_what_its_value_is_and_how_precise_and_its_bar_marks_the_bound(self, shown):
        browser, report, _ = shown
        row = report["GET /"]
        reason = browser.value("document.querySelector('#verdict li').textContent")

        low, high = (browser.value(f"timeText({bound!r})") for bound in row.interval(95))
        assert reason == f"{report.reasons[0]} over the whole run (95 % interval: {low} to {high})"
        mark = browser.value("parseFloat(document.querySelector('#limits .meter.over b').style.left)")
        assert mark == pytest.approx(25.0, abs=0.1)  # bars end at four times the bound
        assert browser.value("[...byId('limits').tHead.rows[0].cells].map(cell => cell.innerText)")[-2:] == [
            "margin",
            "note",
        ]

    def test_a_limit_that_holds_names_the_series_that_are_beyond_it_alone(self, browser, tmp_path):
        report = report_of(("GET /", "POST /orders"), limits=["errors < 99%", "p95 < 10s"])
        rows = tuple(replace(row, kind="http") if row.kind == "rpc" else row for row in report.rows)
        payload = page_payload(replace(report, rows=rows), PLAN, RunSteps())
        row = next(each for each in payload["report"]["series"] if each["name"] == "POST /orders")
        row |= {"errors": row["count"], "p95": 12.0}
        (tmp_path / "run.html").write_text(html_of(payload))
        browser.open((tmp_path / "run.html").as_uri())

        notes = browser.value("[...byId('limits').tBodies[0].rows].map(row => row.cells[5].innerText)")
        assert notes == [
            f"held by all requests together; beyond it alone: POST /orders {text}" for text in ("100.0 %", "12.00s")
        ]

    def test_the_rate_of_a_load_is_in_visits(self, shown):
        browser, _, _ = shown

        for load, text in (("15/s", "15 visits/s"), ("10 users", "10 users"), ("1 → 20/s", "1 → 20 visits/s")):
            assert browser.value(f"loadText({load!r})") == text

    def test_marks_in_the_table_are_explained_below_it(self, shown):
        browser, _, _ = shown

        cells = browser.value("[...document.querySelectorAll('#rows td[data-value]')].map(cell => cell.innerText)")
        legend = browser.value("document.getElementById('marks').textContent")
        for mark in "?~*≥":
            assert (mark in legend) == any(mark in cell for cell in cells)
        assert "~ 95 % interval wider" in legend

    def test_the_keys_are_listed_and_every_control_is_reached_by_the_keyboard(self, shown):
        browser, _, _ = shown

        browser.key("?")
        assert browser.value("document.getElementById('keys').open")
        browser.key("Escape")
        browser.until("!document.getElementById('keys').open")
        browser.value("document.body.focus(); window.scrollTo(0, 0)")
        reached = set()
        for _ in range(80):
            browser.key("Tab")
            reached.add(browser.value("document.activeElement.id || document.activeElement.className"))
        assert {"help", "theme", "chosen", "from", "to", "log", "filter", "kind", "row", "link"} <= reached

    def test_paper_is_light_and_its_charts_are_as_wide_as_the_page(self, shown):
        browser, _, path = shown
        browser.size(1200, dark=True)
        browser.open(path.as_uri())
        browser.value("printAs(true)")
        assert browser.value("css('--bg')") == "#fff"
        assert browser.value("Math.max(...[...document.querySelectorAll('.uplot canvas')].map(c => c.width))") <= 700
        browser.value("printAs(false)")
        assert browser.value("css('--bg')") != "#fff"
        assert browser.value("document.documentElement.dataset.theme") is None
        browser.size(1200)
        browser.open(path.as_uri())

    def test_the_keyboard_filters_opens_and_switches(self, shown):
        browser, _, _ = shown

        browser.key("/")
        assert browser.value("document.activeElement.id") == "filter"
        browser.value("document.activeElement.blur(); document.querySelector('#rows tr.row').focus()")
        browser.key("Enter")
        browser.until("document.querySelector('#rows tr.detail .chart') !== null")
        browser.key("ArrowDown")
        assert browser.value("document.activeElement.classList.contains('row')")
        browser.value("document.activeElement.blur()")
        browser.key("l")
        assert browser.value("document.getElementById('log').checked") is False
        browser.key("l")

    @pytest.mark.parametrize("dark", [False, True])
    def test_text_has_contrast_in_both_themes(self, shown, dark):
        browser, _, path = shown
        browser.size(1200, dark=dark)
        browser.open(path.as_uri())
        pairs = browser.value(
            "['--fg','--soft','--accent','--bad','--good','--warn'].map(n => [css(n), css('--bg')])"
            ".concat([[css('--fg'), css('--shade')], [css('--soft'), css('--shade')]])"
        )
        browser.size(1200)

        for pair in pairs:
            assert contrast(*pair) >= 4.5, pair

    @pytest.mark.parametrize("width", [390, 1024, 1600])
    def test_nothing_is_wider_than_the_window(self, shown, width):
        browser, _, path = shown
        browser.size(width)
        browser.open(path.as_uri())

        assert browser.value("document.documentElement.scrollWidth") <= width
        browser.size(1200)

    def test_it_prints(self, shown):
        browser, _, _ = shown

        assert browser.pdf().startswith(b"%PDF")

    def test_all_above_the_series_fits_on_one_printed_page(self, browser, shown):
        _, _, path = shown
        browser.open(path.as_uri())
        browser.value("printAs(true)")
        browser.size(703)  # of A4, without its margins, at 96 dots per inch
        browser.call("Emulation.setEmulatedMedia", media="print")

        assert browser.value("byId('series-section').getBoundingClientRect().top + scrollY") < 1032
        assert browser.value("document.documentElement.scrollWidth") <= 703
        browser.size(1200)
        browser.value("printAs(false)")

    def test_paper_has_the_place_of_the_page_the_run_file_and_its_hash_at_its_foot(self, browser, tmp_path):
        stage = Ground(rate(20, hold=5))
        stage.worker("w0")
        stage.fleet(1, outputs=[HtmlOutput(tmp_path / "run.html")], run_file=tmp_path / "run.chap")
        stage.play()
        browser.open((tmp_path / "run.html").as_uri())

        digest = hashlib.sha256((tmp_path / "run.chap").read_bytes()).hexdigest()
        foot = browser.value("byId('made').textContent")
        assert f"{(tmp_path / 'run.html').as_uri()} · run file run.chap · SHA-256 {digest}" in foot
        shown = "getComputedStyle(byId('made')).display"
        assert browser.value(shown) == "none"
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.value(shown) == "block"
        browser.size(1200)

    def test_a_locale_that_intl_does_not_know_is_none_of_its_troubles(self, shown, tmp_path):
        _, _, path = shown
        browser = Browser(locale="en_US.POSIX")
        try:
            browser.call("Emulation.setUserAgentOverride", userAgent="x", acceptLanguage="en-US@posix")
            browser.open(path.as_uri())
            assert browser.messages == []
        finally:
            browser.close()

    def test_the_page_of_a_fleet_and_of_its_run_file_have_the_same_tables(self, browser, tmp_path):
        stage = Ground(rate(20, hold=10))
        for k in range(3):
            stage.worker(f"w{k}")
        stage.fleet(3, outputs=[HtmlOutput(tmp_path / "live.html")], run_file=tmp_path / "run.chap")
        report = stage.play()
        run = read_run(tmp_path / "run.chap").run()
        again = HtmlOutput(tmp_path / "again.html")
        again.start(run.planned)
        again.finish(run.report(on_second=lambda second, late: again.second(second)))

        assert (tmp_path / "again.html").read_text() == (tmp_path / "live.html").read_text()
        browser.open((tmp_path / "live.html").as_uri())
        assert (
            browser.value("[...document.querySelectorAll('#workers tbody tr')].map(row => row.cells.length)")
            == [11] * 3
        )
        assert float({tuple(k): c for k, c in rows_of(browser)}["shop", "visit", "visit"][1]) == report["visit"].count

    def test_an_error_shows_the_first_request_that_failed(self, browser, target, tmp_path):
        steps = Scenario(lambda session: session.get("/status/404"), name="shop")
        shop = Environment(target.url, scenarios=[run(steps)])
        shop.execute(outputs=[HtmlOutput(tmp_path / "run.html")])

        browser.open((tmp_path / "run.html").as_uri())

        text = browser.value("document.getElementById('errors').innerText")
        assert f"GET {target.url}/status/404 → 404 hello" in text

    def test_a_pass_says_with_its_word_that_errors_did_not_count(self, browser, tmp_path):
        path = tmp_path / "passed.html"
        report = report_of(outputs=[HtmlOutput(path)])
        browser.open(path.as_uri())

        (reason,) = report.reasons
        assert browser.value("document.querySelector('#verdict .word').textContent") == f"✓ PASS, {reason}"
        assert browser.value("document.querySelectorAll('#verdict li:not(.seen)').length") == len(report.warnings)

    def test_an_endpoint_that_slows_down_and_errors_of_one_worker_are_said_in_words(self, browser, tmp_path):
        steps, bad = RunSteps(), {("shop", "POST /orders", "refused"): ErrorCount(1, 180.0, 180.0, "refused")}
        for at in range(360):
            second = second_of(at, ("GET /", "POST /orders"))
            late = at >= 180
            series = Series()
            series.good.add([random.Random(at).lognormvariate(-1.0 if late else -3, 0.3) for _ in range(20)])
            second.series[Key("shop", "POST /orders")] = series
            steps.add(
                replace(
                    second,
                    errors=bad if late else {},
                    workers={"w1": WorkerSecond(40, 0), "w2": WorkerSecond(40, int(late))},
                )
            )
        report = report_of(("GET /", "POST /orders"))
        errors = (ErrorRow("shop", "POST /orders", "refused", 180, 180.2, 359.9, "refused: no route to host"),)
        workers = tuple(WorkerStats(name, requests=14_400, errors=n) for name, n in (("w1", 0), ("w2", 180)))
        rows = tuple(replace(row, kind="http") if row.kind == "rpc" else row for row in report.rows)
        report = replace(report, rows=rows, errors=errors, workers=workers)
        (tmp_path / "run.html").write_text(html_of(page_payload(report, PLAN, steps)))
        browser.open((tmp_path / "run.html").as_uri())

        error, on_worker, change = browser.value(
            "[...document.querySelectorAll('#verdict .seen')].map(each => each.textContent)"
        )
        assert error == "most frequent error: 180 × refused in POST /orders, from 3:00 to 5:59: “no route to host”"
        assert on_worker == (
            "all errors were seen by one load generator (no server of the target): worker w2, 180 of 14,400 requests; "
            "worker w1: 0 of 14,400"
        )
        word = browser.value("document.querySelector('#verdict > div').textContent")
        assert "load generators on time, but their errors differ" in word
        assert "every planned visit is accounted for" in word
        assert re.fullmatch(
            r"POST /orders became slower: p95 ≈ \d\d\.\dms before (2:5[89]|3:0[01]), ≈ \d{3}ms from about \1 on",
            change,
        )
        titles = browser.value("[...document.querySelectorAll('#charts h3')].map(each => each.textContent)")
        assert "Errors per second by worker (load generator), stacked: all are refused" in titles
        assert not any("by class" in title for title in titles)  # it would be the same chart
        texts = "each => [...each.querySelectorAll('.u-label')].map(label => label.textContent)"
        legends = browser.value(f"[...document.querySelectorAll('.u-legend')].map({texts})")
        assert any({"w1", "w2"} <= set(names) for names in legends)  # the worker without errors too
        values = browser.value("[...document.querySelectorAll('.u-legend .u-value')].map(each => each.textContent)")
        assert set(values) == {""}  # none without a cursor
        assert browser.messages == []

    def test_zoom_cuts_errors_limits_visits_workers_and_events(self, browser, tmp_path):
        steps = RunSteps()
        for at in range(120):
            workers = {name: WorkerSecond(20, int(at >= 60), 10, at / 1000, at / 1000, 1) for name in ("w1", "w2")}
            errors = {("shop", "GET /", "refused"): ErrorCount(2, at, at, "refused")} if at >= 60 else {}
            second = second_of(at, ("GET /",))
            if at >= 60:
                second.series[Key("shop", "GET /")].bad.add([0.1, 0.1])
            steps.add(replace(second, workers=workers, errors=errors))
        limits = ["p95(GET /) < 1s", "p90(GET /) < 1ms", "errors(GET /) < 1%", "rate(GET /) > 1/s", "p95 < 1s over 5s"]
        report = report_of(("GET /",), limits=limits)
        rows = tuple(replace(row, kind="http") if row.kind == "rpc" else row for row in report.rows)
        events = tuple(("w1", RunEvent(at, "starved", text)) for at, text in ((5.0, "early"), (65.0, "later")))
        errors = (ErrorRow("shop", "GET /", "refused", 120, 60.0, 119.5, "refused"),)
        crew = tuple(WorkerStats(name, visits=1200, requests=2400, errors=60) for name in ("w1", "w2", "w3"))
        report = replace(report, rows=rows, happenings=events, errors=errors, workers=crew)
        (tmp_path / "run.html").write_text(html_of(page_payload(report, PLAN, steps)))
        browser.open((tmp_path / "run.html").as_uri())

        def cells(table):
            return browser.value(
                f"[...byId('{table}').tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText))"
            )

        whole = [cells(table) for table in ("limits", "errors", "ledger", "workers")]
        browser.value("zoomTo(50, 69)")
        assert [row[2:4] for row in cells("errors")] == [["20", "1:00 – 1:10"]]
        assert cells("ledger")[0][1:3] == ["400", "400"]
        assert [row[:8] for row in cells("workers")] == [
            [name, "✓", "200", "400", "10 (2.5 % of its requests)", "0.07", "69.0ms", "20"] for name in ("w1", "w2")
        ]
        assert "without 1 " in browser.value("byId('workers-note').textContent")
        p95, p90, share, per_second, sliding = cells("limits")
        assert p95[1] == "✓ held"
        assert p95[2].startswith("≈ ")
        assert p90[1] == "✕ broke"
        assert p90[2].startswith("≈ ")
        assert (share[2], share[1]) == ("≈ 4.76 %", "✕ broke")
        assert (per_second[2], per_second[1]) == ("≈ 21.0/s", "✓ held")
        assert sliding[1] == sliding[2] == "?"
        assert sliding[5] == "not known for a stretch"
        assert browser.value("byId('events').innerText") == "2 · 1:05 · later · w1"
        browser.value("zoomTo(0, 20)")
        assert cells("errors") == []
        assert browser.value("byId('errors-section').hidden") is False
        browser.value("byId('zoom-out').click()")
        assert [cells(table) for table in ("limits", "errors", "ledger", "workers")] == whole
        assert browser.messages == []

    def test_a_run_that_stays_as_it_is_has_nothing_to_say(self, browser, tmp_path):
        steps = RunSteps()
        for at in range(120):
            steps.add(second_of(at, ("GET /",)))
        report = report_of(("GET /",))
        report = replace(
            report, errors=(), rows=tuple(replace(r, kind="http") if r.kind == "rpc" else r for r in report.rows)
        )
        (tmp_path / "run.html").write_text(html_of(page_payload(report, PLAN, steps)))
        browser.open((tmp_path / "run.html").as_uri())

        assert browser.value("document.querySelectorAll('#verdict .seen').length") == 0

    def test_a_worker_that_was_lost_has_a_flag_and_its_moment(self, browser, tmp_path):
        stage = Ground(rate(20, hold=30))
        for k in range(3):
            stage.worker(f"w{k}")
        stage.fleet(3, outputs=[HtmlOutput(tmp_path / "run.html")])
        stage.after(12, lambda: stage.kill("w1"))
        stage.play()
        browser.open((tmp_path / "run.html").as_uri())

        state = browser.value("document.querySelectorAll('#workers tbody tr')[1].innerText")
        assert re.search(r"✕ lost at 0:1[1-3], ", state)
        ((at, sign, text),) = browser.value("flags()")
        assert (at, sign, text[:20]) == (pytest.approx(22, abs=1.5), "1", "w1 lost: silent sinc")
        assert browser.value("byId('workers').rows[2].cells[10].dataset.value") in ("10", "11", "12")
        assert browser.value("nameOf(view.series)") == "visit"  # the run has no requests
