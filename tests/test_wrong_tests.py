"""Tests that are written wrongly fail and say how to write them, in place of passing."""

import re

import pytest
import requests
from scenes import errors_of, once

from chaperon import iterations
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import BATCH, NEWEST, Recorder
from chaperon.measure.sample import Failure, Key
from chaperon.testing import VirtualClock

PAGE = "<html>\n" + "a line of the page\n" * 20


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (True, "has a price", "got bool True: write session.check('has a price', …)"),
        (None, "has a price", "got NoneType None: write session.check('has a price', …)"),
        ([1], "has a price", "got list [1]: write session.check('has a price', …)"),
        (b"name", True, "got bytes b'name': write session.check('has a price', …)"),
        (PAGE, "has a price", "got str '<html>"),
        ("x" * 2_000, "has a price", "got str 'xxx"),
    ],
)
def test_a_check_in_the_wrong_order_says_the_right_one(target, first, second, says):
    report = once(target, lambda session: session.check(first, second))

    (error,) = report.errors
    assert (error.error, report.visits.failed) == ("TypeError", 1)
    assert error.sample.startswith("TypeError: session.check(name, condition) takes the name first, which is text; ")
    assert says in error.sample
    assert not [row for row in report.rows if row.kind == "check"]


@pytest.mark.parametrize("condition", ["text that is there", "", None, 0, [], {"a": 1}])
def test_a_check_takes_any_condition(target, condition):
    report = once(target, lambda session: session.check("it holds", condition))

    assert report["check it holds"].errors == (0 if condition else 1)
    assert report.visits.done == 1


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (True, None),
        (None, None),
        (False, "unexpected reply"),
        ("no price", "no price"),
        ("", "unexpected reply"),
    ],
)
def test_what_a_predicate_returns_decides(target, returned, error):
    report = once(target, lambda session: session.get("/", expect=lambda response: returned))

    assert errors_of(report) == ({} if error is None else {("GET /", error): 1})
    assert report["GET /"].bad.count == (error is not None)


@pytest.mark.parametrize(
    "returned", [1, 0, [], {"price": 7}, re.match("a", "a"), b"no price", 0.5, ..., NotImplemented], ids=repr
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_predicate_that_returns_something_else_is_a_type_error(target, returned, stream):
    def asks(session):
        session.get("/", expect=lambda response: returned, stream=stream).close()

    report = once(target, asks)

    assert ("GET /", "TypeError") in errors_of(report)
    assert "write bool(…) around it" in report.errors[0].sample
    assert report["GET /"].errors == 1


def test_a_predicate_that_returns_true_or_nothing_is_a_type_error(target):
    def has_a_price(response):
        return True if response.url.endswith("/1") else None

    def asks(session):
        session.get("/1", expect=has_a_price)
        session.get("/2", expect=has_a_price)

    report = once(target, asks)

    assert errors_of(report) == {("GET /2", "TypeError"): 1}
    assert "let it return False for a bad one" in report.errors[0].sample


@pytest.mark.parametrize("expect", ["200", b"200", True, 20.0], ids=repr)
def test_what_can_be_no_status_is_a_type_error(target, expect):
    report = once(target, lambda session: session.get("/", expect=expect))

    assert errors_of(report) == {("GET /", "TypeError"): 1}
    assert "expect= takes a status, a collection of them, or a function" in report.errors[0].sample


def test_a_reason_keeps_what_the_status_was(target):
    report = once(target, lambda session: session.get("/status/503", expect=lambda response: "sold out"))

    (error,) = report.errors
    assert (error.error, error.sample) == ("sold out", "sold out (503 As Asked)")


def _plain(session):
    session.get("/").fail("no price")


def _after_a_pause(session):
    response = session.get("/")
    session.sleep(0.05)
    response.fail("no price")


def _after_a_check(session):
    response = session.get("/")
    session.check("it came", response.ok)
    response.fail("no price")


def _after_another_request(session):
    response = session.get("/")
    session.get("/other")
    response.fail("no price")


def _twice(session):
    response = session.get("/")
    response.fail("no price")
    response.fail("no stock")


def _of_a_status(session):
    session.get("/status/500", name="GET /").fail("no price")


def _of_a_redirect(session):
    session.get("/redirect", name="GET /").fail("no price")


def _of_the_first_of_a_redirect(session):
    session.get("/redirect", name="GET /").history[0].fail("no price")


def _of_a_stream(session):
    with session.get("/", stream=True) as response:
        response.fail("no price")


def _of_a_stream_that_ended(session):
    with session.get("/", stream=True) as response:
        assert response.content is not None
    response.fail("no price")


def _within_expect(session):
    session.get("/", expect=lambda response: response.fail("no price"))


def _of_a_prepared_request(session):
    request = requests.Request("GET", f"{session.http.service.url}/")
    session.http.send(session.http.prepare_request(request)).fail("no price")


def _with_tags(session):
    with session.tagged(area="shop"):
        response = session.get("/", tags={"kind": "search"})
    response.fail("no price")


def _in_a_task(session):
    session.spawn(lambda child: child.get("/"), task="asks")
    session.join("asks").fail("no price")


WAYS = [
    _plain, _after_a_pause, _after_a_check, _after_another_request, _twice, _of_a_status, _of_a_redirect,
    _of_the_first_of_a_redirect, _of_a_stream, _of_a_stream_that_ended, _within_expect, _of_a_prepared_request,
    _with_tags, _in_a_task,
]  # fmt: skip


@pytest.mark.parametrize("fail", WAYS)
def test_a_response_that_is_failed_is_bad_within_its_sample(target, fail):
    report = once(target, fail, load=iterations(3))

    row = report["GET /"]
    assert (row.count, row.errors, row.bad.count, row.good.count) == (3, 3, 3, 0)
    assert errors_of(report) == {("GET /", "no price"): 3}
    assert not [each for each in report.rows if each.name.startswith("check no")]
    assert report.visits.done == 3


def test_after_its_second_a_response_that_is_failed_is_a_failed_check(target):
    def late(session):
        response = session.get("/")
        session.sleep(2.1)
        response.fail("no price")

    report = once(target, late)

    assert (report["GET /"].count, report["GET /"].errors) == (1, 0)
    assert errors_of(report) == {("check no price", "no price"): 1}


def test_a_reason_must_be_text(target):
    report = once(target, lambda session: session.get("/").fail(None))

    assert errors_of(report) == {("step <lambda>", "TypeError"): 1}
    assert "response.fail('no price')" in report.errors[0].sample


def test_of_many_samples_the_failed_ones_are_bad_whatever_came_in_between():
    clock = VirtualClock()
    recorder = Recorder("local", began=0.0)
    meter = Meter(recorder, clock, "shop")
    failed = range(0, 3 * NEWEST, 50)
    found = {}
    for number in range(3 * NEWEST):
        meter.record("GET /", "http", number / 1000, number / 1000 + 0.01)
        asked = number - NEWEST + 1
        if asked in failed:
            found[asked] = meter.amend("GET /", asked / 1000, asked / 1000 + 0.01, None, Failure("no price"))

    window = recorder.cut()

    series = window.series[Key("shop", "GET /")]
    assert all(found.values())
    assert (series.count, series.bad.count) == (3 * NEWEST, len(found))
    assert window.errors["shop", "GET /", "no price"].count == len(found)
    assert not meter.amend("GET /", 2.999, 3.009, None, Failure("no price"))


def test_the_unmerged_samples_of_a_series_are_bounded():
    meter = Meter(recorder := Recorder("local", began=0.0), VirtualClock(), "shop")

    for number in range(10 * NEWEST):
        meter.record("GET /", "http", number / 1000, number / 1000 + 0.01)
        meter.record("step looks", "step", number / 1000, number / 1000 + 0.01)

    waiting = {key.name: len(batch) for key, batch in recorder._open.items()}
    assert waiting["GET /"] < NEWEST + BATCH
    assert waiting["step looks"] < BATCH
    assert {series.count for series in recorder.cut().series.values()} == {10 * NEWEST}
