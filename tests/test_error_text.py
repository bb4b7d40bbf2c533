"""What an error response says in JSON is in its sample of words."""

import json

import pytest
from requests import Response

from chaperon.client.error_text import LARGEST, LONGEST, error_text
from chaperon.client.outcome import judge


def response(body, status=422):
    found = Response()
    found.status_code, found.reason, found._content = status, "Unprocessable", body
    found._content_consumed = True
    return found


def said(value):
    return error_text(response(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"error": "no such product"}, "no such product"),
        ({"error": {"message": "out of stock", "code": 7}}, "out of stock"),
        ({"error": {"code": 400, "errors": [{"message": "a"}, {"message": "b"}]}}, "a; b"),
        (
            {"title": "Out of credit", "detail": "Your balance is 30", "status": 403},
            "Out of credit: Your balance is 30",
        ),
        ({"type": "about:blank", "title": "Forbidden"}, "Forbidden"),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant: expired"),
        ({"errors": [{"message": "no field x", "path": ["a"]}], "data": None}, "no field x"),
        ({"errors": [{"title": "Bad", "detail": "too long"}]}, "Bad: too long"),
        ({"errors": ["first", "second", "third", "fourth"]}, "first; second; third"),
        ({"errors": {"name": ["is too short"], "price": "is no number"}}, "name: is too short; price: is no number"),
        ({"message": "not here"}, "not here"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ([{"message": "x"}], "x"),
        ({"message": "two\nlines\tof  it"}, "two lines of it"),
        ({"data": {"name": "x"}}, ""),
        ({"error": None, "message": ""}, ""),
        ({"error": 7}, ""),
        ("plain", ""),
    ],
)
def test_the_usual_forms_of_json_errors_are_read(value, text):
    assert said(value) == text


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"{\xff}", b"[" * 10_000, b'{"error":"' + b"x" * LARGEST + b'"}', None, False],
)
def test_any_other_body_says_nothing(body):
    assert error_text(response(body)) == ""


def test_a_long_text_is_shortened():
    assert len(said({"error": "x" * 5_000})) <= LONGEST


@pytest.mark.parametrize("expect", [None, 200, {200, 201}, lambda reply: False])
def test_the_text_stands_behind_the_status(expect):
    failure = judge(response(b'{"error": "no such product"}'), expect)

    assert failure.message.startswith("422 Unprocessable: no such product")
    assert failure.error == "http 422"


def test_a_streamed_body_that_was_not_read_stays_unread():
    unread = Response()
    unread.status_code, unread.raw = 500, object()

    assert judge(unread, None).message == "500 Internal Server Error"
