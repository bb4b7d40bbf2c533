"""What a scenario looks for in a response is found, or said to be missing."""

import json
import sys

import pytest
from scenes import once

from chaperon import Service
from chaperon.client.http.extract import Extractors, Form
from chaperon.errors import NotInReply, UsageError

LOGIN = """<!doctype html><html><head><meta name="csrf-token" content="from-meta"></head><body>
<form id="search"><input name="q" value="ä"></form>
<form name="login" method="post" action="../login?next=1">
  <input type="hidden" name="csrfmiddlewaretoken" value="from-form"><input name="user">
  <input type="checkbox" name="stay" value="yes" checked><input type="checkbox" name="spam" value="yes">
  <select name="lang"><option value="de">German<option value="en" selected>English</select>
  <textarea name="note">hello</textarea><button name="go" value="1">go</button>
  <input type="submit" name="send"><input name="off" disabled>
  <select name="many" multiple><option selected>a<option selected>b<option>c</select>
</form></body></html>"""


class Body:
    def json(self):
        return json.loads(self.text)


class Page(Extractors, Body):
    url = "http://host/shop/start"

    def __init__(self, text):
        self.text = text


def test_a_pattern_gives_its_group_its_groups_or_all_of_it():
    page = Page("order 17 of 3 things")

    assert page.find(r"\d+") == "17"
    assert page.find(r"order (\d+)") == "17"
    assert page.find(r"order (\d+) of (\d+)") == ("17", "3")
    assert page.find("nothing", None) is None
    with pytest.raises(NotInReply, match=r"nothing in the response matches 'x\+': 'order 17"):
        page.find("x+")


def test_a_path_leads_into_json():
    page = Page('{"items": [{"name": "a"}, {"name": null}], "n": 3}')

    assert page.json_at("items.0.name") == "a"
    assert page.json_at("items.1.name", "default") is None
    assert page.json_at("items.-1") == {"name": None}
    for path, says in (
        ("items.2.name", "no '2' in items of the JSON response: it has 2 items"),
        ("other", "no 'other' in the body of the JSON response: it has items, n"),
        ("n.deeper", "no 'deeper' in n of the JSON response: 3"),
        ("items.first", "no 'first' in items"),
    ):
        with pytest.raises(NotInReply, match=says):
            page.json_at(path)
    assert page.json_at("items.2.name", "none") == "none"


def test_a_form_is_what_a_browser_would_send():
    pytest.importorskip("lxml")

    form = Page(LOGIN).form("login")

    assert (form.action, form.method) == ("http://host/login?next=1", "POST")
    assert form.fields == {
        "csrfmiddlewaretoken": "from-form",
        "user": "",
        "stay": "yes",
        "lang": "en",
        "note": "hello",
        "many": ["a", "b"],
    }
    assert form.filled(user="me")["user"] == "me"
    assert Page(LOGIN).form().fields == {"q": "ä"}
    assert Page(LOGIN).form("search").method == "GET"


def test_what_a_page_does_not_have_is_said():
    pytest.importorskip("lxml")

    with pytest.raises(NotInReply, match="no form 'basket' in the response, which has 2"):
        Page(LOGIN).form("basket")
    with pytest.raises(NotInReply, match="no form 0 in the response, which has 0"):
        Page("").form()
    with pytest.raises(NotInReply, match="the form has no field 'usr'; there are q"):
        Form("/", "GET", {"q": ""}).filled(usr="me")
    with pytest.raises(NotInReply, match="no CSRF token"):
        Page("<p>plain").csrf()
    assert Page("").csrf(None) is None


@pytest.mark.parametrize(
    ("page", "token"),
    [
        (LOGIN, "from-meta"),
        ('<input name="authenticity_token" value="rails">', "rails"),
        ('<input name="_token" value="laravel">', "laravel"),
        ('<input name="__RequestVerificationToken" value="net">', "net"),
        ('<?xml version="1.0" encoding="latin-1"?><input name="csrf" value="ä">', "ä"),
    ],
)
def test_the_token_of_the_usual_frameworks_is_found(page, token):
    pytest.importorskip("lxml")

    assert Page(page).csrf() == token


def test_without_the_parser_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)

    with pytest.raises(UsageError, match=r"pip install 'chaperon\[html\]'"):
        Page(LOGIN).csrf()


def test_the_responses_of_a_session_can_be_read_this_way(target):
    def reads(session):
        assert session.post("/", data=LOGIN).form("login").action == f"{target.url}/login?next=1"
        assert session.post("/", json={"a": [{"b": 7}]}).json_at("a.0.b") == 7
        assert session.http.get("/").find("h(.*)o") == "ell"
        assert session.service("old").get("/old").find("hello") == "hello"
        session.get("/").find("nowhere")

    report = once(target, reads, services={"old": Service(target.url, transport="urllib3")})

    (error,) = report.errors
    assert (error.series, error.error) == ("step reads", "NotInReply")
