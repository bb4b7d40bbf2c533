"""The page of a comparison: all runs on one time axis, A beside B, and the quantile-shift curve."""

import json
import math
import re

import pytest
from browser import CHROMIUM, Browser, contrast
from simulated_runs import HOSTILE, run_files
from thorough import some

from chaperon import compare
from chaperon.report.comparison.as_page import DRAWN, comparison_html, comparison_payload
from chaperon.report.comparison.figure import parse_figure
from chaperon.report.comparison.shift_curve import GRID, shift_curve
from chaperon.report.page.document import COMPARISON_SCRIPTS, asset
from chaperon.report.page.steps import RunSteps

pytestmark = pytest.mark.long

in_chromium = [
    pytest.mark.page,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_files(tmp_path_factory)


@pytest.fixture(scope="module")
def compared(folder):
    def get(first, second, **options):
        paths = [[folder / f"{name}.chap" for name in group.split()] for group in (first, second)]
        return compare(*paths, **options)

    return get


# ---- the curve


def test_every_quantile_is_slower_where_the_target_is(compared):
    found = compared("a", "b")
    points = shift_curve(parse_figure("p50"), found.first, found.second)

    assert [point.q for point in points] == [q for q in GRID if q <= 0.99]  # above, too few samples
    for point in points:
        assert point.low <= point.value <= point.high
        assert point.low < math.log(1.3) + 0.1
        assert point.high > math.log(1.3) - 0.1
    assert sum(point.low > 0 for point in points) > 15


def test_a_point_of_the_curve_is_the_change_of_its_figure(compared):
    found = compared("a", "b", gates=["p50", "p95(GET /)"])
    curve = {point.q: point for point in shift_curve(parse_figure("p50(GET /)"), found.first, found.second)}

    assert curve[0.5][1:] == found["p50(GET /)"].outcome.found[:3]
    assert curve[0.95][1:] == found["p95(GET /)"].outcome.found[:3]


@pytest.mark.parametrize(("first", "second"), some([("a", "b"), ("a a2 a3", "b b2 b3")], 2))
def test_exchanging_the_runs_mirrors_the_page(compared, first, second):
    there, back = (comparison_payload(compared(*pair)) for pair in ((first, second), (second, first)))

    assert list(there["shift"]) == list(back["shift"])
    for group, curve in there["shift"].items():
        mirrored = [[q, -value, -high, -low] for q, value, low, high in back["shift"][group]]
        assert [pytest.approx(point) for point in curve] == mirrored
    assert [run["name"] for run in there["runs"] if run["second"]] == [
        run["name"] for run in back["runs"] if not run["second"]
    ]
    assert {run["name"]: run["groups"] for run in there["runs"]} == {run["name"]: run["groups"] for run in back["runs"]}


def test_a_share_of_errors_has_no_curve(compared):
    found = compared("a", "b")

    with pytest.raises(ValueError, match="errors is no time"):
        shift_curve(parse_figure("errors"), found.first, found.second)


# ---- the data


def test_runs_of_different_lengths_have_steps_of_one_length(compared):
    payload = comparison_payload(compared("a", "longer"))

    assert payload["step"] == 10
    assert payload["at"] == list(range(0, 620, 10))
    short, long = (run["groups"][""] for run in payload["runs"])
    assert short["p95"][8] is not None
    assert short["p95"][20] is None
    assert long["p95"][20] is not None


@pytest.mark.parametrize(("duration", "length"), [(0, 1), (600, 1), (601, 10), (6_001, 100)])
def test_steps_are_as_long_as_those_of_a_longer_run(compared, duration, length):
    run, steps = compared("a", "a").first[0], RunSteps()
    run.recorded.report(on_second=lambda second, late: steps.add(second))

    found, many = steps.steps(duration)
    assert found == length
    assert sum(step.requests.samples for step in many) == run.report["GET /"].count


def test_all_runs_of_a_side_are_in_the_page(compared):
    payload = comparison_payload(compared("a a2 a3", "b b2 b3"))

    assert [run["second"] for run in payload["runs"]] == [False] * 3 + [True] * 3
    assert all(run["groups"][""]["rate"] for run in payload["runs"])
    assert len(payload["runs"]) * len(payload["runs"][0]["groups"]) <= DRAWN


def test_all_requests_have_charts_and_a_curve_whatever_decides(compared):
    payload = comparison_payload(compared("a", "b", gates=["p95(GET /)", "errors"]))

    assert [each["group"] for each in payload["groups"]][:2] == ["", "(GET /)"]
    assert len(payload["shift"][""]) > 15
    assert payload["runs"][0]["groups"][""]["p95"]


def test_the_page_lets_no_data_end_its_script_and_nothing_out(compared):
    html = comparison_html(compared("hostile", "hostile2"))

    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert any(HOSTILE[:10] in group["name"] for group in json.loads(data)["groups"])
    assert not re.search(r"[<>\u2028]", data)
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert all(asset(name) for name in ("comparison.html", *COMPARISON_SCRIPTS))


# ---- the page


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    browser.size(1200)
    yield browser
    browser.close()


@pytest.fixture
def shown(browser, compared, tmp_path):
    def show(first, second, **options):
        found = compared(first, second, **options)
        found.to_html(tmp_path / "comparison.html")
        browser.open((tmp_path / "comparison.html").as_uri())
        assert browser.messages == []
        assert set(browser.requests) <= {(tmp_path / "comparison.html").as_uri(), "about:blank"}
        browser.requests.clear()
        return found

    return show


@pytest.mark.page
class TestInChromium:
    pytestmark = in_chromium

    @pytest.mark.parametrize(("first", "second"), [("a", "failing_slower"), ("b", "a"), ("a a2 a3", "b b2 b3")])
    def test_every_figure_of_the_tables_is_the_one_of_the_json(self, browser, shown, first, second):
        found = shown(first, second)
        figures = {figure["figure"]: figure for figure in found.to_dict()["figures"]}

        cells = browser.value(
            "[...document.querySelectorAll('#rows td[data-figure]')].map(cell => ({...cell.dataset}))"
        )
        assert {cell["figure"] for cell in cells} == set(figures)
        for cell in cells:
            value = figures[cell["figure"]][cell["field"]]
            assert (float(cell["value"]) if cell["value"] else None) == value
        gates = browser.value(
            "[...document.querySelectorAll('#gates tr[data-figure]')].map(row => [row.dataset.figure,"
            " [...row.querySelectorAll('[data-value]')].map(cell => Number(cell.dataset.value))])"
        )
        assert gates == [[f["figure"], [f["first"], f["second"]]] for f in figures.values() if f["gated"]]

    def test_the_words_of_each_figure_that_decides_come_first(self, browser, shown):
        found = shown("a", "b")

        text = browser.value("document.querySelector('main').innerText")
        places = [text.index(change.sentence) for change in found.gated]
        assert text.index("✕ SLOWER") < places[0]
        assert places == sorted(places)
        assert places[-1] < text.index("What decides") < text.index("Over time")
        assert "would have been seen" in text[: text.index("What decides")]

    @pytest.mark.skipif(not asset("vendor/uplot.iife.min.js"), reason="built without uPlot")
    def test_charts_and_curves_are_drawn_and_follow_what_is_chosen(self, browser, shown):
        shown("a", "failing_slower")

        titles = "[...document.querySelectorAll('#charts h3')].map(each => each.textContent)"
        assert len(browser.value(titles)) == 4
        assert "slower in B" in browser.value(titles)[1]
        browser.value("byId('percentile').value = 'p50'; byId('percentile').dispatchEvent(new Event('change'))")
        assert browser.value(titles)[0].startswith("p50 of all requests")
        browser.value("byId('chosen').value = '(GET /)'; byId('chosen').dispatchEvent(new Event('change'))")
        assert browser.value(titles)[0].startswith("p50 of GET /")
        browser.value("zoomTo(10, 20)")
        assert browser.value("[AT[view.from], AT[view.to - 1]]") == [10, 20]
        assert browser.messages == []

    def test_the_keyboard_opens_a_series_with_its_own_curve(self, browser, shown):
        shown("a", "b")
        browser.value("document.querySelector('#rows tr.row').focus()")
        browser.key("Enter")

        browser.until("document.querySelectorAll('#rows tr.detail .chart').length >= 3")
        assert "would have been seen" in browser.value("document.querySelector('#rows tr.detail').innerText")

    def test_runs_that_cannot_be_compared_are_shown_with_the_reason(self, browser, shown):
        shown("a", "faster_load")

        text = browser.value("document.querySelector('main').innerText")
        assert text.index("⚠ NOT COMPARABLE") < text.index("another load")
        assert browser.value("document.querySelectorAll('#charts .chart').length") >= 2

    def test_a_hostile_name_is_text(self, browser, shown):
        shown("hostile", "hostile2")

        names = browser.value("[...document.querySelectorAll('#rows td.name')].map(cell => cell.textContent)")
        assert any("</script><b>" in name for name in names)

    @pytest.mark.parametrize("width", [390, 1024, 1600])
    def test_nothing_is_wider_than_the_window(self, browser, shown, width):
        browser.size(width)
        shown("hostile", "hostile2")

        assert browser.value("document.documentElement.scrollWidth") <= width
        browser.size(1200)

    def test_it_prints(self, browser, shown):
        shown("a", "b")

        assert browser.pdf().startswith(b"%PDF")

    @pytest.mark.parametrize("dark", [False, True])
    def test_letters_and_words_have_contrast_in_both_themes(self, browser, shown, dark):
        browser.size(1200, dark=dark)
        shown("a", "b")
        pairs = browser.value(
            "['--side-a', '--side-b', '--bad', '--good', '--warn'].map(name => [css(name), css('--bg')])"
        )
        browser.size(1200)

        assert all(contrast(*pair) >= 4.5 for pair in pairs), pairs
