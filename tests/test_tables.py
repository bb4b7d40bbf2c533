"""The tables of a report: totals, shares, entries added up, and names that fit."""

import io
import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from test_report import collected, report_of

from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.format import share_text
from chaperon.report.output_parts.series_table import cut_middle
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.outputs.markdown import markdown_text

BUSY = Failure("http 503", "busy")
WRONG = Failure("check failed")
LATE = Failure("timeout", censored=True)
LONG = "GET /products/:category/:id/reviews/:review/comments/:comment/replies/latest"
WIDE = "check 商品の価格が正しく表示されていることを確認する商品の価格が正しく表示されていることを確認する"


def shop_report(*scenarios, limits=()):
    """Return a report of 10 s: in each scenario 400 requests, 8 of them in error, and checks, visits, values."""
    recorder = Recorder("a", began=0.0)
    for factor, scenario in enumerate(scenarios, 1):
        for n in range(200):
            start = n / 250
            busy = BUSY if n % 25 == 0 else None
            recorder.record(Sample(Key(scenario, "GET /"), start, start + 0.01 * factor))
            recorder.record(Sample(Key(scenario, LONG), start, start + 0.1 * factor, busy))
            recorder.record(Sample(Key(scenario, "step look around at everything", "step"), start, start + 0.2))
            late = LATE if n % 50 == 0 else None
            recorder.record(Sample(Key(scenario, "visit", "visit"), start, start + 0.2, late, due=start - 0.1))
            recorder.record(Sample(Key(scenario, "check has a token", "check"), start, start, WRONG if n < 3 else None))
            recorder.record(Sample(Key(scenario, WIDE, "check"), start, start))
            recorder.record(Sample(Key(scenario, "basket", "value"), start, start, value=3.5))
        recorder.count_visit(scenario, 0.0, "planned")
        recorder.count_visit(scenario, 0.0, "done")
    return report_of(collected([recorder.cut()]), list(limits))


def printed(report, width=120, **options):
    out = io.StringIO()
    print_report(report, Console(file=out, width=width), **options)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def cells(lines, name):
    """Return the cells beside each line that begins with *name*."""
    return [line.strip().removeprefix(name).split() for line in lines if line.strip().startswith(f"{name} ")]


def test_a_long_name_is_shortened_in_sentences_as_in_tables():
    (reason,) = [
        line for line in printed(shop_report("buyers", limits=[f"p95({LONG}) < 1ms"])) if "limit broke" in line
    ]

    assert "limit broke: p95(GET /products/:category/:id/re…" in reason
    assert LONG not in reason


def test_each_scenario_and_all_of_them_have_a_total():
    lines = printed(shop_report("buyers", "visitors"))

    totals = cells(lines, "all requests")
    counts = [["400", "8", "2.0%", "40.0"], ["400", "8", "2.0%", "40.0"], ["800", "16", "2.0%", "80.0"]]
    assert [[each for each in expected if each in row] for expected, row in zip(counts, totals, strict=True)] == counts
    assert [line for line in lines if line in ("buyers", "visitors", "all scenarios")] == [
        "buyers",
        "visitors",
        "all scenarios",
    ]
    assert totals[0][-1] != totals[1][-1]  # the greatest time of each scenario


def test_one_scenario_alone_has_one_total():
    lines = printed(shop_report("buyers"))

    assert len(cells(lines, "all requests")) == 1
    assert "all scenarios" not in lines


def test_a_report_without_requests_has_no_total():
    recorder = Recorder("a", began=0.0)
    recorder.record(Sample(Key("shop", "step pay", "step"), 0.0, 0.1))

    assert not cells(printed(report_of(collected([recorder.cut()]))), "all requests")


def test_every_row_has_its_share_of_errors_and_every_check_its_share_of_passes():
    lines = printed(shop_report("buyers"))

    assert cells(lines, "GET /")[0][:3] == ["200", "0", "0%"]
    assert cells(lines, "check has a token") == [["200", "3", "98.5%"]]
    assert cells(lines, "all checks") == [["400", "3", "99.2%"]]


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "–"),
        (0, 10**9, "0%"),
        (1, 10**9, "<0.1%"),
        (1, 1_000, "0.1%"),
        (1, 3, "33.3%"),
        (9_994, 10_000, "99.9%"),
        (9_996, 10_000, ">99.9%"),
        (10**9 - 1, 10**9, ">99.9%"),
        (7, 7, "100%"),
    ],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part, whole, said):
    assert share_text(part, whole) == said


def test_entries_that_are_merged_add_up():
    report = shop_report("buyers", "visitors")

    lines = printed(report, merge=True)

    assert cells(lines, "GET /")[0][:5] == ["400", "0", "0%", "0", "40.0"]
    assert cells(lines, "all requests")[0][:5] == ["800", "16", "2.0%", "0", "80.0"]
    assert cells(lines, "check has a token") == [["400", "6", "98.5%"]]
    assert "buyers" not in lines
    assert lines.count("all scenarios") == 1
    apart = printed(report)
    assert lines[-1] == apart[-1]


def test_merged_entries_can_be_split_by_phase():
    lines = printed(shop_report("buyers", "visitors"), by=["phase"], merge=True)

    assert "all scenarios · steady" in lines
    assert [row[0] for row in cells(lines, "all requests")] == ["800", "800"]


@pytest.mark.parametrize(
    "scenarios", [("buyers",), ("buyers", "a scenario with a name that is longer than a line" * 2)]
)
@pytest.mark.parametrize("width", [20, 60, 80, 99, 100, 120, 200])
def test_nothing_is_wider_than_the_terminal_and_no_name_is_folded(width, scenarios):
    lines = printed(shop_report(*scenarios, limits=[f"p95({LONG}) < 300ms"]), width)

    assert max(map(cell_len, lines)) <= width
    if width >= 80:
        names = [line for line in lines if line.strip().startswith("GET /p")]
        assert len(names) == len(scenarios)
        assert all(re.search(r"st +200 ", line) for line in names)
        (limit,) = [line for line in lines if line.startswith(" p95(GET")]
        assert "300ms" in limit
        assert "held" in limit


def test_at_80_columns_all_figures_of_a_row_are_there():
    lines = printed(shop_report("buyers"), 80)

    heading = next(line for line in lines if line.startswith(" series"))
    assert heading.split() == ["series", "count", "errors", "err", "%", "cens.", "rate/s", "p50", "p95", "p99"]
    assert any(LONG[:8] in line and "…" in line and LONG[-8:] in line for line in lines)


def test_where_figures_are_wide_the_rate_is_the_last_column_to_go():
    recorder = Recorder("a", began=0.0)
    for n in range(1_000):
        late = LATE if n % 10 == 0 else None
        recorder.record(Sample(Key("shop", LONG), n / 1e4, n / 1e4 + 0.1 + n / 1e3, late))

    lines = printed(report_of(collected([recorder.cut()])), 72)

    heading = next(line for line in lines if line.startswith(" series"))
    assert heading.split()[-4:] == ["rate/s", "p50", "p95", "p99"]


def test_what_from_when_due_means_is_said_once():
    lines = printed(shop_report("buyers", "visitors"))

    assert sum("since it began" in line for line in lines) == 1
    recorder = Recorder("a", began=0.0)
    recorder.record(Sample(Key("shop", "GET /"), 0.0, 0.1))
    assert not any("since it began" in line for line in printed(report_of(collected([recorder.cut()]))))


def test_a_long_name_that_was_due_keeps_its_counts_beside_it_and_its_times_below():
    recorder = Recorder("a", began=0.0)
    for n in range(200):
        recorder.record(Sample(Key("shop", LONG), n / 250, n / 250 + 0.1, due=n / 250 - 0.2))

    lines = printed(report_of(collected([recorder.cut()])), 80)

    at = next(n for n, line in enumerate(lines) if line.startswith(" GET /p"))
    assert lines[at].split()[-4:] == ["200", "0", "0%", "20.0"]
    assert lines[at + 1].startswith("   from when due ")
    assert lines[at + 2].startswith("   from its start ")


@given(st.text(), st.integers(0, 50))
@settings(deadline=None)
def test_a_name_that_is_cut_fits_and_keeps_both_ends(text, width):
    cut = cut_middle(text, width)

    assert cell_len(cut) <= width
    if cell_len(text) <= width:
        assert cut == text
    elif width:
        begin, end = cut.split("…", 1) if text.count("…") == 0 else (cut, "")
        assert "…" in cut
        assert text.count("…") or (text.startswith(begin) and text.endswith(end))


def test_json_has_the_totals_with_every_figure_of_a_series():
    values = json.loads(json.dumps(as_dict(shop_report("buyers", "visitors"))))

    assert [(each["scenario"], each["count"], each["errors"]) for each in values["totals"]] == [
        ("buyers", 400, 8),
        ("visitors", 400, 8),
        ("", 800, 16),
    ]
    assert {each["name"] for each in values["totals"]} == {"all requests"}
    assert all(set(each) == set(values["series"][0]) for each in values["totals"])


def test_the_totals_of_a_report_are_the_sums_of_its_requests():
    report = shop_report("buyers", "visitors")

    *each, everything = report.totals
    assert [row.scenario for row in each] == ["buyers", "visitors"]
    assert everything.count == sum(row.count for row in each) == report.requests.count
    assert everything.p95 == report.requests.p95
    assert each[0].max < each[1].max == everything.max


def test_markdown_has_totals_shares_and_checks():
    lines = markdown_text(shop_report("buyers", "visitors")).splitlines()

    rows = [[text.strip() for text in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    totals = [row[1:5] for row in rows if row[0] == "**all requests**"]
    assert totals == [["400", "8", "2.0%", "40.0"]] * 2 + [["800", "16", "2.0%", "80.0"]]
    assert ["check has a token", "200", "3", "98.5%"] in rows
    widths = [len(row) for row in rows]
    assert all(
        wide == next_wide for (wide, next_wide), row in zip(pairwise(widths), rows, strict=False) if row[0] == "---"
    )


def test_short_names_cost_no_column():
    recorder = Recorder("a", began=0.0)
    for n in range(1_000):
        late = LATE if n % 10 == 0 else None
        recorder.record(Sample(Key("shop", "GET /"), n / 1e4, n / 1e4 + 0.1 + n / 1e3, late))
    short = printed(report_of(collected([recorder.cut()])), 74)
    for n in range(1_000):
        recorder.record(Sample(Key("shop", LONG), n / 1e4, n / 1e4 + 0.1 + n / 1e3))
    long = printed(report_of(collected([recorder.cut()])), 74)

    assert next(line for line in short if line.startswith(" series")).split()[-1] == "max"
    assert next(line for line in long if line.startswith(" series")).split()[-1] == "p99"


def test_a_nested_scenario_has_the_rates_of_the_phases_of_its_entry():
    recorder = Recorder("a", began=0.0)
    for n in range(100):
        recorder.record(Sample(Key("shop/buyer", "GET /"), n / 250, n / 250 + 0.01))
    report = report_of(collected([recorder.cut(phases={("shop", "steady"): 5.0})]))

    lines = printed(report, by=["phase"])

    at = lines.index("shop/buyer · steady")
    assert cells(lines[at:], "GET /")[0][3] == "20.0"
