"""What a run is judged by is never crowded out by what a target makes up: names, checks, tags, error classes."""

import pytest
from scenes import simulated

from chaperon import Verdict, iterations
from chaperon.cluster.fleet_caps import FleetCaps
from chaperon.measure.caps import DISTINCT, ERRORS, ERRORS_CAPPED, KEYS, NAMES, NAMES_CAPPED, OTHER, TAGS_CAPPED, Caps
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.series import Series
from chaperon.measure.window import ErrorCount, Window
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.reserved import reserved_by

pytestmark = [pytest.mark.long, pytest.mark.compiled]


def request(session, name, *, tags=(), error=None, kind="http"):
    with session.tagged(**dict(tags)), session.measure(name, kind=kind) as reply:
        session.sleep(0.001)
        if error:
            reply.fail(error)


def names(session, n):
    request(session, f"GET /item/{n}")


def checks(session, n):
    session.check(f"has {n}", True)


def errors(session, n):
    request(session, "GET /", error=f"cannot read {n}")


def tagged(session, n):
    request(session, "GET /", tags={"item": str(n)}.items())


def counts(session, n):
    session.count(f"seen {n}")


def kinds_of_their_own(session, n):
    request(session, f"topic {n}", kind=f"kafka{n % 20}")


FLOODS = {
    names: NAMES + 50,
    checks: NAMES + 50,
    errors: ERRORS + 50,
    counts: NAMES + 50,
    kinds_of_their_own: NAMES + 50,
}


@pytest.mark.parametrize("flood", [*FLOODS, tagged])
def test_what_limits_and_authors_name_is_counted_by_itself(flood):
    def visit(session):
        for n in range(FLOODS.get(flood, KEYS + 50)) if session.visit.number == 0 else ():
            flood(session, n)
        request(session, "GET /late", tags={"kind": "search"}.items(), error="http 503")
        session.check("late", False)
        with session.measure("late"):
            session.record("late", 7, unit="ms")

    def after(session):
        with session.measure("looks"):
            session.spawn(lambda child: child.sleep(0.001), task="loads")
        session.spawn(lambda child: child.sleep(0.001), task="late")

    limits = [
        "count(GET /late) == 4", "errors(GET /late: http 503) == 4", "count {kind=search} == 4", "min(late) > 6",
        "errors(check late) == 4", "count(call late) == 4", "count(task late) == 4", "count(step visit) == 4",
        "count(visit) == 4", "all p95(GET /late {kind=search}) < 1s", "count(check late) == 4",
    ]  # fmt: skip
    without_a_limit = ("step after", "call looks", "task loads")

    report = simulated(visit, after, load=iterations(4), limits=limits)

    assert [(limit.limit, limit.shown) for limit in report.limits if not limit.held] == []
    assert {report[name].count for name in without_a_limit} == {4}
    assert (report.visits.done, report.verdict) == (4, Verdict.PASS)


def test_the_notes_count_names_keys_and_classes_not_samples():
    recorder = Recorder("local", began=0.0)
    for _ in range(3):
        for n in range(NAMES + 70):
            recorder.record(Sample(Key("shop", f"GET /{n}"), 0.0, 1.0, Failure(f"error {n}")))
    tagging = Recorder("local", began=0.0)
    for _ in range(3):
        for n in range(KEYS + 70):
            tagging.record(Sample(Key("shop", "GET /", tags=(("n", str(n)),)), 0.0, 1.0))

    notes, more = recorder.cut().notes, tagging.cut().notes

    assert notes[NAMES_CAPPED] == 70
    assert "one name=" in NAMES_CAPPED
    assert notes[ERRORS_CAPPED] == NAMES + 70 - ERRORS
    assert more == {TAGS_CAPPED: 70}


def test_so_do_the_notes_of_a_fleet():
    caps = FleetCaps(reserved_by([parse("errors(GET /late: late) == 0")]))
    notes = {}
    for turn in range(3):
        for k in range(NAMES + 70):
            key = Key("shop", f"GET /{k}")
            bad = {("shop", key.name, f"e{k}"): ErrorCount(1, 0.0, 0.0, "")}
            found = caps.apply(Window(f"w{k}", turn + 1, turn, {key: Series()}, errors=bad))
            for note, times in found.notes.items():
                notes[note] = notes.get(note, 0) + times
    late = caps.apply(Window("w", 9, 9, {}, errors={("shop", "GET /late", "late"): ErrorCount(1, 0.0, 0.0, "")}))

    assert notes == {NAMES_CAPPED: 70, ERRORS_CAPPED: NAMES + 70 - ERRORS}
    assert list(late.errors) == [("shop", "GET /late", "late")]


def test_the_caps_are_bounded_themselves():
    notes = []
    caps = Caps(notes.append, reserved_by([parse("p95(GET /late) < 1s")]))
    for n in range(3 * DISTINCT):
        caps.key(Key("shop", f"GET /{n}"))
        caps.error(("shop", "GET /", f"e{n}"))

    assert len(notes) == DISTINCT
    assert len(caps.keys) == NAMES
    assert len(caps.errors) == ERRORS
    assert caps.key(Key("shop", "GET /late")) == Key("shop", "GET /late")
    assert caps.key(Key("shop", "GET /later")).name == OTHER
