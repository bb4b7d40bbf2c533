"""The live view of a terminal: what it shows, as a function of the state of a run."""

import io
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chaperon.cli.live_view.layout import BUSIEST, ERRORS, HELP, HIGHEST, WIDEST, view_lines
from chaperon.cli.live_view.recent_series import ErrorFigures, RecentSeries, SeriesFigures
from chaperon.cli.live_view.view_state import ViewState
from chaperon.cli.terminal.capabilities import fits_live_view, redraws
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.percentiles import Bounds
from chaperon.report.totals import LimitState, Pulse, RecentSecond, WorkerStats

SECONDS = tuple(RecentSecond(at, 960, 0, 500, 480, 0.041, 0.12, 0.1 + at / 600) for at in range(83))
CALM = Pulse(
    elapsed=83, users=98, requests_rate=960, visits_rate=480, p50=0.041, p95=0.12, p99=0.41, seconds=SECONDS[-60:],
    limits=(LimitState("p95(GET /) < 300ms", "120ms", "held"), LimitState("errors < 5%", "0.00%", "held")),
)  # fmt: skip
NAMES = ("GET /products", "POST /login", "GET /", "GET /cart", "PUT /basket", "POST /pay", "GET /about")
SERIES = tuple(
    SeriesFigures("shop", name, 480.2 / n, Bounds(0.041, 0.041), Bounds(0.12, 0.12), 1_000 // n, 0)
    for n, name in enumerate(NAMES, 1)
)
HEALTH = {"cpu": 0.42, "late_p99": 0.0002, "lag_max": 0.003, "descriptors": 120.0, "descriptors_limit": 1024.0}
QUIET = ViewState(
    name="production",
    plan="100 users for 5m, ramped up within 30s + 500/s",
    pulse=CALM,
    length=300,
    levels={"visits/s": 500.0, "users": 100.0},
    series=SERIES[:BUSIEST],
    known=7,
    workers=(WorkerStats("local", latest=HEALTH),),
    keys=True,
)
FOUND = (ErrorFigures("http 500", 1_000, "GET /cart", "out of stock"), ErrorFigures("timeout", 42, "POST /pay", "5 s"))
FAILING = replace(
    QUIET,
    pulse=replace(CALM, errors=1_042, error_share=0.08),
    series=(SERIES[0]._replace(errors=1_042), *SERIES[1:BUSIEST]),
    errors=FOUND,
)
BROKEN = replace(
    FAILING,
    pulse=replace(FAILING.pulse, limits=(CALM.limits[1], LimitState("p95(GET /) < 300ms", "412ms", "broken"))),
)
FLEET = replace(
    QUIET,
    workers=tuple(
        WorkerStats(name, visits=100, health=HEALTH, latest=HEALTH, lost=name == "w2", away=name == "w2", losses=7)
        for name in ("w1", "w2", "w3")
    ),
)
STATES = {
    "quiet": QUIET,
    "failing": FAILING,
    "broken": BROKEN,
    "fleet": FLEET,
    "no data": replace(QUIET, pulse=Pulse(), series=(), known=0, workers=(WorkerStats("local"),)),
    "invalid": replace(QUIET, pulse=replace(CALM, invalid=("the event loop stalled for 2.00s, second 4: shop.py:3",))),
    "all at once": replace(
        FLEET,
        pulse=replace(BROKEN.pulse, invalid=("the generator used up its core",), ending="stopped by a key"),
        errors=FOUND * 20,
        notices={"page": "http://127.0.0.1:8089/#a-token", "metrics": "http://127.0.0.1:9090/metrics"},
    ),
    "errors": replace(FAILING, page=ERRORS),
    "help": replace(FAILING, page=HELP),
    "empty": ViewState(name="", plan=""),
}


def text_of(state, width=80, height=23):
    return [line.plain for line in view_lines(state, width, height)]


def line_with(lines, start):
    (line,) = [line for line in lines if line.startswith(start)]
    return line


def styles_of(state, words):
    lines = view_lines(state, 80, 23)
    parts = [(line.plain[part.start : part.end], part.style) for line in lines for part in line.spans]
    return {str(style) for text, style in [*parts, *((line.plain, line.style) for line in lines)] if words in text}


def test_a_quiet_run_on_80_columns():
    assert text_of(QUIET) == [
        "production RUNNING  1:23 of 5:00  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  28%",
        "plan      100 users for 5m, ramped up within 30s + 500/s",
        "asked     500.0 visits/s · 100 users",
        "done      480.0 visits/s · 960.0 requests/s · 0 errors · 98 busy",
        f"p50        41.0ms  {'█' * 60}",
        f"p95         120ms  {'█' * 60}",
        f"p99         410ms  {'▅' * 15 + '▆' * 18 + '▇' * 18 + '█' * 9}",
        "series, 7                                           req/s     p50    p95  errors",
        "  GET /products                                     480.2  41.0ms  120ms       0",
        "  POST /login                                       240.1  41.0ms  120ms       0",
        "  GET /                                             160.1  41.0ms  120ms       0",
        "  GET /cart                                         120.0  41.0ms  120ms       0",
        "  PUT /basket                                        96.0  41.0ms  120ms       0",
        "  POST /pay                                          80.0  41.0ms  120ms       0",
        "limits    p95(GET /) < 300ms  120ms  held",
        "          errors < 5%         0.00%  held",
        "generator cpu 42% of a core · late p99 0.20ms · 120 of 1,024 descriptors",
        "keys      p pause · + - scale · s stop · e errors · ? help",
    ]


def test_a_narrow_and_short_terminal_gets_the_blocks_that_matter_most():
    assert text_of(BROKEN, 60, 9) == [
        "production RUNNING  1:23 of 5:00  ━━━━━━━━━━━━━━━━━━━━━  28%",
        "done      480.0 of 500.0 visits/s · 1,042 errors (8.0% now)",
        "times     p50 41.0ms · p95 120ms · p99 410ms",
        "series, 7                       req/s     p50    p95  errors",
        "  GET /products                 480.2  41.0ms  120ms   1,042",
        "errors    1,000 × http 500 in GET /cart: out of stock",
        "limits    p95(GET /) < 300ms  412ms  broken (+1)",
        "generator cpu 42% of a core · late p99 0.20ms",
        "keys      p pause · + - scale · s stop · e errors · ? help",
    ]


def test_before_the_first_second_it_says_what_is_asked_for_and_that_it_waits():
    lines = text_of(STATES["no data"])

    assert line_with(lines, "asked") == "asked     500.0 visits/s · 100 users"
    assert line_with(lines, "done") == "done      waiting for the first second"
    assert line_with(lines, "p99").split() == ["p99", "–"]
    assert line_with(lines, "generator") == "generator no figures yet"


def test_a_broken_limit_goes_before_one_that_holds_and_is_red():
    lines = text_of(BROKEN)

    assert line_with(lines, "limits") == "limits    p95(GET /) < 300ms  412ms  broken"
    assert "bold red" in styles_of(BROKEN, "broken")


def test_errors_stand_by_class_with_their_newest_words():
    lines = text_of(FAILING)

    place = lines.index("errors    1,000 × http 500 in GET /cart: out of stock")
    assert lines[place + 1] == "             42 × timeout in POST /pay: 5 s"
    assert line_with(lines, "  GET /products").endswith("1,042")


def test_a_fleet_that_lost_a_worker_says_which_and_that_it_did():
    lines = text_of(FLEET)

    assert line_with(lines, "generator").startswith("generator 1 of 3 workers lost · cpu 42% of a core")
    assert line_with(lines, "w2").endswith("lost, 7 visits with it")
    assert line_with(lines, "w3").split() == ["w3", "100", "0.42", "0.20ms", "3.00ms"]
    assert line_with(text_of(FLEET, 60, 9), "generator").startswith("generator 1 of 3 workers lost")
    assert styles_of(FLEET, "w2 ") == {"red"}


@pytest.mark.parametrize(("width", "height"), [(80, 23), (60, 9)])
def test_a_run_that_would_be_invalid_says_why(width, height):
    line = line_with(text_of(STATES["invalid"], width, height), "INVALID")

    assert line.startswith("INVALID   the event loop stalled for 2.00s, second 4: shop.py:3"[: width // 2])


def test_a_paused_scaled_or_ending_run_says_so():
    paused = text_of(replace(QUIET, paused=True, factor=1.1))
    ending = text_of(replace(QUIET, pulse=replace(CALM, ending="ended early by Ctrl-C")))

    assert paused[0].startswith("production PAUSED  1:23")
    assert line_with(paused, "asked") == "asked     paused · 500.0 visits/s · 100 users · 110% of the plan"
    assert "p resume" in line_with(paused, "keys")
    assert ending[0].startswith("production STOPPING  1:23")
    assert line_with(ending, "stopping") == "stopping  ended early by Ctrl-C"


def test_what_outputs_have_to_say_is_shown_whole_as_long_as_it_fits():
    state = replace(FAILING, notices={"page": "http://127.0.0.1:8089/#a-token-of-this-run"})

    assert line_with(text_of(state), "page") == "page      http://127.0.0.1:8089/#a-token-of-this-run"
    assert line_with(text_of(state, 60, 9), "page") == "page      http://127.0.0.1:8089/#a-token-of-this-run"


def test_a_run_without_a_length_shows_its_visits_or_only_the_time():
    counted = replace(QUIET, length=None, visits=1_000, pulse=replace(CALM, visits=250, elapsed=3_723))
    endless = replace(QUIET, length=None)

    assert text_of(counted)[0].startswith("production RUNNING  1:02:03, 250 of 1,000 visits  ━")
    assert text_of(counted)[0].endswith("25%")
    assert text_of(endless)[0] == "production RUNNING  1:23"


def test_censored_percentiles_are_lower_bounds():
    state = replace(QUIET, pulse=replace(CALM, p99=None, p99_at_least=2.0))

    assert line_with(text_of(state), "p99").startswith("p99        ≥2.00s  ")
    assert "p99 ≥2.00s" in line_with(text_of(state, 60, 9), "times")


def test_the_pages_of_errors_and_help_fill_the_screen():
    many = replace(FAILING, page=ERRORS, errors=FOUND * 30)

    assert len(text_of(many)) == 23
    assert text_of(many)[3] == "errors    1,000 × http 500 in GET /cart: out of stock"
    assert line_with(text_of(STATES["help"]), "+ -") == "+ -       send 10 % of the plan more, or less"


def test_without_a_keyboard_no_keys_are_named_and_an_answer_stands_in_their_place():
    assert not [line for line in text_of(replace(QUIET, keys=False)) if line.startswith("keys")]
    assert line_with(text_of(replace(QUIET, answer="resumed")), "keys") == "keys      resumed"


HOSTILE = st.text(max_size=120) | st.sampled_from(
    [
        "\x1b[2J\x1b[31m",
        "\u202eevil",
        "商品" * 40,
        "👩‍👩‍👧‍👦" * 9,
        "e" + "\u0301" * 50,
        "a\tb\nc",
        "a\xa0b\u3000c",
        "\ud800",
        "‮‏\u2066",
    ]
)


@given(
    state=st.sampled_from(list(STATES.values())),
    width=st.integers(1, 200),
    height=st.integers(0, 60),
    words=HOSTILE,
)
def test_it_fits_any_terminal_whatever_its_texts_are(state, width, height, words):
    hostile = replace(
        state,
        name=words,
        plan=words,
        series=tuple(each._replace(name=words, scenario=words) for each in state.series),
        errors=tuple(each._replace(error=words, series=words, words=words) for each in state.errors),
        workers=tuple(replace(each, name=words) for each in state.workers),
        notices={words[:5]: words} if state.notices else {},
        pulse=replace(
            state.pulse, ending=words, limits=tuple(replace(each, text=words) for each in state.pulse.limits)
        ),
    )

    for each in (state, hostile):
        lines = text_of(each, width, height)
        assert len(lines) <= min(height, HIGHEST)
        assert all(cell_len(line) <= min(width, WIDEST) for line in lines)
        assert all(line.isprintable() for line in lines)


@given(height=st.integers(1, 23), state=st.sampled_from([BROKEN, FLEET, STATES["all at once"], STATES["invalid"]]))
def test_a_lower_terminal_has_no_block_of_importance_that_a_higher_one_leaves_out(height, state):
    important = ("INVALID", "done", "errors", "limits", "generator", "series", "keys")
    lower, higher = (
        {word for word in important if any(line.startswith(word) for line in text_of(state, 80, rows))}
        for rows in (height, height + 1)
    )

    assert lower <= higher


def recorded(series, *, seconds=8, bad=None):
    """Return figures of *series* series, the first of which is the busiest."""
    collector, figures = Collector(["w"]), RecentSeries()
    collector.listeners.append(figures.add)
    recorder = Recorder("w", began=0.0)
    for second in range(seconds):
        for n in range(series):
            for _ in range(2 if n else 10):
                failure = Failure(bad, f"{bad}: words of second {second}") if bad and n == 0 else None
                recorder.record(Sample(Key("shop", f"GET /{n}"), second, second + 0.125, failure))
        recorder.record(Sample(Key("shop", "step look", "step"), second, second + 3.0))
        collector.add(recorder.cut())
    return figures


def test_of_500_series_the_busiest_are_shown():
    figures = recorded(500)

    found = figures.busiest(BUSIEST)

    assert (found[0].name, found[0].rate, found[0].total) == ("GET /0", 10.0, 80)
    assert found[0].p95.value == pytest.approx(0.125)
    assert (len(found), figures.known) == (BUSIEST, 500)
    state = replace(QUIET, series=found, known=figures.known)
    assert line_with(text_of(state), "series, 500").split() == ["series,", "500", "req/s", "p50", "p95", "errors"]


def test_errors_have_the_words_of_the_newest():
    figures = recorded(1, bad="http 500")

    assert figures.errors() == [ErrorFigures("http 500", 80, "GET /0", "http 500: words of second 7")]
    assert figures.busiest(1)[0].errors == 80


def test_errors_that_still_occur_stand_before_old_ones_and_the_frequent_first():
    figures, recorder, collector = RecentSeries(), Recorder("w", began=0.0), Collector(["w"])
    collector.listeners.append(figures.add)
    occurring = {"old": range(5), "rare": (15, 19), "often": range(12, 20)}
    for second in range(20):
        for error, seconds in occurring.items():
            if second in seconds:
                for _ in range(9 if error == "old" else 1):
                    recorder.record(Sample(Key("shop", "GET /"), second, second + 0.1, Failure(error, "x")))
        collector.add(recorder.cut())

    assert [(each.error, each.total) for each in figures.errors()] == [("often", 8), ("rare", 2), ("old", 45)]


def test_without_requests_other_timed_series_are_shown():
    figures = recorded(0)

    assert [(each.name, each.rate) for each in figures.busiest(BUSIEST)] == [("step look", 1.0)]


@pytest.mark.parametrize(
    ("environ", "encoding", "shown"),
    [
        ({"TERM": "xterm"}, "utf-8", "the view"),
        ({"TERM": "xterm", "CI": "false", "NO_COLOR": ""}, "utf-8", "the view"),
        ({"TERM": "xterm", "CI": "true"}, "utf-8", "lines"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "utf-8", "one line, redrawn"),
        ({"TERM": "xterm"}, "ascii", "one line, redrawn"),
        ({"TERM": "dumb"}, "utf-8", "lines"),
        ({}, "utf-8", "lines"),
        ({"TERM": "xterm"}, None, "lines"),
    ],
    ids=str,
)
def test_the_view_is_for_a_terminal_that_can_redraw_and_has_its_signs(monkeypatch, environ, encoding, shown):
    """An *encoding* of None stands for a pipe."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding or "utf-8")
    monkeypatch.setattr(stream, "isatty", lambda: encoding is not None, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)

    kinds = {(True, True): "the view", (True, False): "one line, redrawn", (False, False): "lines"}
    assert kinds[redraws(environ), fits_live_view(environ)] == shown
