"""`chaperon import postman`: a collection with folders, variables, scripts and every kind of body."""

import json
from pathlib import Path

import pytest

from chaperon.errors import LoadError
from chaperon.importing.kinds import import_source

COLLECTION = (Path(__file__).parent / "collections" / "shop.json").read_text()

pytestmark = pytest.mark.usefixtures("formatting")


@pytest.mark.processes
def test_a_collection_runs_in_its_order_with_its_variables(importing, target):
    text = importing("postman", COLLECTION, secrets=["PASSWORD", "TOKEN"], url=f"{target.url}")

    assert target.asked == [
        "POST /api/login",
        "PUT /api/orders/8123",
        "POST /api/form",
        "POST /api/upload",
        "POST /api/graphql",
        "GET /api/ping",
    ]
    login, order, form, upload, ask, _ = target.bodies
    assert json.loads(login) == {"session": {"token": "value-of-token"}, "user": "ada", "password": "value-of-password"}
    assert 0 <= json.loads(order)["count"] <= 1000
    assert form == b"a=b+c"
    assert b'filename="a.png"' in upload
    assert json.loads(ask) == {"query": "{ products { id } }", "variables": {"n": 3}}
    assert [each.get("HTTP_AUTHORIZATION") for each in target.headers] == [None, *5 * ["Bearer value-of-token"]]
    assert target.queries[1] == "dry="
    assert 'session.assign(access_token=response.json_at("session.token"))' in text
    assert 'name="PUT /api/orders/:id"' in text
    assert '"analytical"' not in text
    assert "the script of Ask: console.log('hi')" in importing.remarks
    assert "the values of dry, user_count: see config=" in importing.remarks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"info": {"name": "x"}}',
        '{"info": {"name": "x"}, "item": []}',
        '{"info": 1, "item": [1]}',
        "[" * 10**5,
    ],
)
def test_what_is_no_collection_is_a_load_error(text):
    with pytest.raises(LoadError, match="collection"):
        import_source("postman", text)


@pytest.mark.processes
@pytest.mark.parametrize(
    "name", ['"""\nimport os', "\u202eevil", "a'b\"c\\d{x!r}", "\x00\x1b[m", "class", "x" * 10_000]
)
def test_hostile_names_stay_text(importing, target, name):
    body = {"mode": "raw", "raw": json.dumps({name: name}), "options": {"raw": {"language": "json"}}}
    item = {"name": name, "request": {"method": "POST", "url": "http://x/a", "body": body}}

    importing("postman", json.dumps({"info": {"name": name}, "item": [{"name": name, "item": [item]}]}))

    assert json.loads(target.bodies[0]) == {name: name}


def collection_of(*urls, **further):
    items = [{"name": f"r{place}", "request": {"url": url}, **further} for place, url in enumerate(urls)]
    return json.dumps({"info": {}, "item": items})


@pytest.mark.processes
def test_a_url_may_be_given_by_its_parts(importing, target):
    parts = {
        "protocol": "http", "host": ["a", "example"], "port": "8080", "path": ["b", {"type": "any", "value": "c"}],
        "query": [{"key": "d", "value": "1"}, {"key": "e", "disabled": True}], "variable": ["f"],
    }  # fmt: skip

    text = importing("postman", collection_of(parts, {**parts, "path": "/g", "query": []}))

    assert target.asked == ["GET /b/c", "GET /g"]
    assert target.queries == ["d=1", ""]
    assert '"http://a.example:8080"' in text


@pytest.mark.processes
def test_a_request_without_a_url_is_a_remark_and_the_others_are_there(importing, target):
    importing("postman", collection_of("", {}, None, "ftp://x/", "http://x/a", event=[{"script": "elsewhere"}, "none"]))

    assert target.asked == ["GET /a"]
    assert [f"r{place}: it has no http or https URL" in importing.remarks for place in range(5)] == [True] * 4 + [False]


@pytest.mark.processes
def test_variables_in_a_path_are_named_in_the_series():
    urls = ["http://x/a", "http://x/b", "http://y{{z}}/c/12?d=1", "http://x/{{part}}/e", "http://x/f/{{$guid}}"]

    text = import_source("postman", collection_of(*urls)).text

    for name in ("GET /c/:id", "GET /:part/e", "GET /f/:value"):
        assert f'name="{name}"' in text
