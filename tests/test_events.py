"""Events of a run as a person reads them: equal ones are one line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ci_outputs import PLAN, report_of
from test_live_view import QUIET, text_of
from test_outputs import Kept, environment

from chaperon import Running, rate
from chaperon.cli.live_view.recent_series import RecentSeries
from chaperon.measure.window import RunEvent, Window
from chaperon.report.collector import Collector
from chaperon.report.events.event_groups import event_groups, event_line
from chaperon.report.outputs.console import table_text
from chaperon.report.outputs.markdown import markdown_text
from chaperon.report.page.payload import page_payload
from chaperon.report.page.steps import RunSteps
from chaperon.testing import VirtualClock

CORES = "other processes kept the cores"
STARVED = [("w1" if n % 2 else "w2", RunEvent(n / 2, "starved", CORES, 0.1)) for n in range(43)]
PAUSED = [("", RunEvent(at, "change", text)) for at, text in ((3.0, "paused"), (4.0, "resumed"), (9.0, "paused"))]
EVENTS = STARVED + PAUSED
ONE = f"43 × {CORES}"
LINES = [
    ([("w1", RunEvent(3.0, "change", "paused"))], 1, "at 3.0 s: paused"),
    ([("w1", RunEvent(3.0, "blocked", "a call", 0.5))], 1, "at 3.0 s: a call for 500ms"),
    ([("w1", RunEvent(3.0, "blocked", "a call", 0.5))], 2, "at 3.0 s: a call for 500ms on w1"),
    (STARVED, 1, f"{ONE}, from 0.0 to 21.0 s, the longest 100ms"),
    (STARVED, 2, f"{ONE} on 2 workers, from 0.0 to 21.0 s, the longest 100ms"),
    ([("", RunEvent(at, "stolen", "x")) for at in (2.0, 1.0)], 2, "2 × x, from 1.0 to 2.0 s"),
]


def report_with(events):
    return replace(report_of(), happenings=tuple(events))


@pytest.mark.parametrize(("events", "workers", "line"), LINES)
def test_equal_events_are_one_line_with_number_and_moments(events, workers, line):
    assert [event_line(group, workers) for group in event_groups(events)] == [line]


def test_changes_of_the_load_stay_apart_and_in_order():
    assert [(group.text, group.first) for group in event_groups(PAUSED)] == [
        ("paused", 3.0), ("resumed", 4.0), ("paused", 9.0),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 99), st.sampled_from(["x", "y"]), st.floats(0, 2))))
def test_no_event_is_lost_and_none_counted_twice(found):
    events = [(worker, RunEvent(at, "starved", text, took)) for worker, at, text, took in found]
    groups = event_groups(events)

    assert sum(group.count for group in groups) == len(events)
    assert len({group.text for group in groups}) == len(groups)
    for group in groups:
        moments = [event.at for _, event in events if event.text == group.text]
        assert (group.first, group.last) == (min(moments), max(moments))
        assert set(group.workers) == {worker for worker, event in events if event.text == group.text}


def test_console_markdown_page_and_terminal_have_one_line_of_equal_events():
    report, recent = report_with(EVENTS), RecentSeries()
    recent.add(0, {}, [Window("w1", 1, 0, happenings=[event for _, event in EVENTS])])
    terminal = "\n".join(text_of(replace(QUIET, events=recent.events())))
    page = page_payload(report, PLAN, RunSteps())["report"]["events"]

    for text in (table_text(report, width=200), markdown_text(report), terminal):
        assert text.count(CORES) == 1
        assert ONE in text
    assert [event["count"] for event in page] == [43, 1, 1, 1]
    assert page[0]["workers"] == ["w2", "w1"]


def test_a_change_of_the_load_that_every_worker_reports_is_one_event_of_the_terminal():
    recent, event = RecentSeries(), RunEvent(3.0, "change", "paused")
    recent.add(0, {}, [Window(name, 1, 0, happenings=[event]) for name in ("w1", "w2")])

    assert [(group.text, group.count) for group in recent.events()] == [("paused", 1)]


def test_an_event_before_the_first_second_is_closed_is_shown_live_once():
    collector, recent = Collector(["w1", "w2"]), RecentSeries()
    collector.listeners.append(recent.add)
    collector.add_event(RunEvent(0.4, "lost", "w3 lost: its process ended"))

    for second in range(3):
        for name in ("w1", "w2"):
            collector.add(Window(name, second + 1, second, happenings=[RunEvent(second + 0.5, "change", "paused")]))
        if second == 1:
            collector.add_event(RunEvent(1.9, "left", "w4 left"))

    found = sorted(recent.events(), key=lambda group: group.first)
    assert found == event_groups(collector.totals().happenings)
    assert [(group.text, group.count) for group in found] == [
        ("w3 lost: its process ended", 1), ("paused", 1), ("paused", 1), ("w4 left", 1), ("paused", 1),
    ]  # fmt: skip


def test_an_output_gets_an_event_of_the_first_second_after_that_second():
    kept, clock = Kept(), VirtualClock()
    running = Running(environment(rate(10, hold=3)).plan(), clock=clock).start([kept])
    clock.after(0.3, lambda: running.note("deployed 1.2", by="the page"))

    clock.run(lambda: running.ended)
    running.finish()

    found = [(second.at, event.text) for second in (*kept.seconds, *kept.added) for _, event in second.events]
    assert found == [(0, "note: deployed 1.2, by the page")]


def test_a_secret_in_an_event_is_shown_nowhere():
    report = report_with([("", RunEvent(1.0, "change", "note: token=hunter2hunter2"))])

    for text in (table_text(report, width=200), markdown_text(report)):
        assert "note: token" in text
        assert "hunter2" not in text


def test_events_beyond_those_that_are_listed_are_counted():
    report = report_with([("", RunEvent(float(n), "change", f"scaled to {n}")) for n in range(45)])

    assert "15 further events in the JSON report" in table_text(report, width=200)
    assert "- 15 further events in the JSON report" in markdown_text(report)
