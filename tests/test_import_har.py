"""`chaperon import har`: recordings of three browsers, written for these tests against the shop of the examples."""

import ast
import json
import re
from pathlib import Path

import pytest

from chaperon.errors import LoadError
from chaperon.importing.kinds import import_source

RECORDINGS = Path(__file__).parent / "recordings"
SHOP = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.usefixtures("formatting")


@pytest.fixture
def shop(monkeypatch):
    """The shop of the examples, as it is served; with how often each page was asked for."""
    monkeypatch.syspath_prepend(str(SHOP))
    from servers import served
    from servers import shop as module

    module.counts.clear()
    with served(module.application) as given:
        module.url = given["url"]
        yield module


def recording(browser):
    return (RECORDINGS / f"{browser}.har").read_text()


def entry(url, method="GET", start="2026-01-01T00:00:00Z", status=200, answer="", kind="application/json", **request):
    return {
        "startedDateTime": start,
        "time": 1,
        "request": {"method": method, "url": url, "headers": [], **request},
        "response": {"status": status, "headers": [], "content": {"mimeType": kind, "text": answer}},
    }


def har(*entries):
    return json.dumps({"log": {"entries": entries}})


@pytest.mark.processes
@pytest.mark.parametrize(
    ("browser", "steps", "asked"),
    [
        ("chrome", 4, {"GET /": 1, "GET /login": 1, "POST /login": 1, "GET /products": 1, "POST /checkout": 1}),
        ("firefox", 2, {"GET /products": 1, "GET /products/3": 1, "GET /products/99": 1, "HEAD /": 1}),
        ("safari", 2, {"GET /login": 1, "POST /login": 1, "POST /checkout": 1}),
    ],
)
def test_a_recording_of_each_browser_runs_against_the_shop(importing, shop, browser, steps, asked):
    text = importing("har", recording(browser), secrets=["PASSWORD"], url=shop.url)

    assert text.count("@step") == steps
    assert {page: shop.counts[page] for page in asked} == asked
    assert "analytical" not in text
    assert "static" not in text.partition("import")[2]


@pytest.mark.processes
def test_a_token_of_one_page_is_read_from_it_again(importing, shop):
    text = importing("har", recording("chrome"), secrets=["PASSWORD"], url=shop.url)

    assert """session.assign(csrf_token=response.find('name="csrf_token"[^>]*value="([^"]+)"'))""" in text
    assert '"csrf_token": session.assigned.csrf_token' in text
    assert "5f2c9e01ab34cd77" not in text
    assert shop.counts["login of ada"] == 1


@pytest.mark.parametrize(
    "tag",
    [
        '<input type="hidden" name="csrf" value="5f2c9e01ab34">',
        "<input type='hidden' name='csrf' value='5f2c9e01ab34'>",
        "<input type=hidden name=csrf value=5f2c9e01ab34>",
        '<input value=5f2c9e01ab34 type="hidden" name=csrf>',
        "<input name=\"csrf\" value='5f2c9e01ab34' type=HIDDEN />",
        "<meta name=csrf-token content=5f2c9e01ab34>",
    ],
)
def test_a_hidden_field_is_read_from_the_page_again_with_quotes_of_any_kind_and_without(tag):
    sent = {"text": "csrf=5f2c9e01ab34", "mimeType": "application/x-www-form-urlencoded"}
    page = f"<form>{tag.replace('csrf', 'csrf_of_another_form').replace('5f2c9e01ab34', 'another')}\n{tag}</form>"

    text = import_source(
        "har", har(entry("http://x/", answer=page, kind="text/html"), entry("http://x/in", "POST", postData=sent))
    ).text

    (pattern,) = [call.args[0].value for call in ast.walk(ast.parse(text)) if is_find(call)]
    assert re.findall(pattern, page) == ["5f2c9e01ab34"]
    assert "5f2c9e01ab34" not in text


def is_find(node):
    """Return whether a node is a call of response.find(…)."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "find"


@pytest.mark.processes
def test_pauses_between_steps_are_those_of_the_recording(importing, shop):
    text = importing("har", recording("firefox"), url=shop.url)

    assert '@step(think=between("2.8s", "8.5s"))' in text
    assert text.count("think=") == 1


@pytest.mark.processes
def test_a_value_of_a_json_response_is_followed_into_paths_headers_and_bodies():
    made = json.dumps({"order": {"id": 8123}, "token": "tok-abc-123456"})
    text = import_source(
        "har",
        har(
            entry(
                "http://x/orders",
                "POST",
                status=201,
                answer=made,
                postData={"text": "{}", "mimeType": "application/json"},
            ),
            entry(
                "http://x/orders/8123/items?of=8123",
                headers=[{"name": "Authorization", "value": "Bearer tok-abc-123456"}],
            ),
            entry("http://x/pay", "PUT", postData={"text": '{"order": 8123}', "mimeType": "application/json"}),
        ),
    ).text

    assert 'response.json_at("order.id")' in text
    assert 'f"/orders/{session.assigned.order_id}/items"' in text
    assert 'f"Bearer {session.assigned.token}"' in text
    assert '"order": session.assigned.order_id' in text
    assert 'name="GET /orders/:order_id/items"' in text
    assert "8123" not in text


@pytest.mark.processes
def test_what_a_user_typed_is_no_value_of_a_response():
    text = import_source(
        "har",
        har(
            entry("http://x/search?q=umbrella", answer='{"query": "umbrella"}'),
            entry("http://x/search?q=umbrella&page=2"),
        ),
    ).text

    assert "assign" not in text
    assert text.count('"umbrella"') == 2


@pytest.mark.processes
def test_the_target_of_a_redirect_is_not_sent_twice():
    redirect = entry("http://x/old", status=302)
    redirect["response"]["headers"] = [{"name": "Location", "value": "/new"}]

    text = import_source("har", har(redirect, entry("http://x/new"), entry("http://x/next"))).text

    assert 'session.get("/old")' in text
    assert "/new" not in text
    assert 'session.get("/next")' in text


@pytest.mark.processes
def test_other_sites_are_left_out_and_named():
    made = import_source("har", har(entry("http://a.x.test/"), entry("http://b.x.test/"), entry("http://ads.test/")))

    assert "http://b.x.test/" in made.text
    assert made.remarks == ("requests to http://ads.test: 1",)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"log": {}}', '{"log": {"entries": [1]}}', '{"log": {"entries": []}}', "[" * 100_000, "\x00"],
)
def test_what_is_no_recording_is_a_load_error(text):
    with pytest.raises(LoadError, match=r"recording|HAR file"):
        import_source("har", text)


@pytest.mark.processes
@pytest.mark.parametrize(
    "name", ['"""\nimport os', "\u202eevil", "a'b\"c\\d{x!r}", "\x00\x1b[m", "class", "x" * 10_000]
)
def test_hostile_names_stay_text(importing, target, name):
    body = {"text": json.dumps({name: name}), "mimeType": "application/json"}
    text = har(
        entry("http://x/a", "POST", answer=json.dumps({name: f"{name}123456"}), postData=body),
        entry("http://x/b", params=[], headers=[{"name": "X-A", "value": "v"}], postData={"text": f"{name}123456"}),
    )

    importing("har", text)

    assert target.asked == ["POST /a", "GET /b"]
    assert json.loads(target.bodies[0]) == {name: name}
