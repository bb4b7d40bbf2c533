"""`chaperon import openapi`: a pet store described in Swagger 2.0, OpenAPI 3.0 and 3.1."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from ground import Target

from chaperon.errors import LoadError
from chaperon.importing.kinds import import_source

DESCRIPTIONS = Path(__file__).parent / "descriptions"
STATUSES = {"POST /v3/pets": 201, "POST /v2/pets": 201, "DELETE": 204}

pytestmark = pytest.mark.usefixtures("formatting")


class PetStore(Target):
    """Answers with the status that the descriptions declare."""

    def _answer(self, environ, start_response):
        line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        status = STATUSES.get(line, STATUSES.get(environ["REQUEST_METHOD"], 200))
        super()._answer(environ, lambda _, headers: start_response(f"{status} As Declared", headers))
        return [b""]


@pytest.fixture
def store():
    server = PetStore()
    yield server
    server.close()


def description(name):
    return (DESCRIPTIONS / name).read_text()


@pytest.mark.processes
def test_a_description_of_version_3_0_becomes_a_scenario_a_tag(importing, store):
    text = importing(
        "openapi", description("petstore-3.0.yaml"), secrets=["API_TOKEN", "PASSWORD"], url=f"{store.url}/v3"
    )

    asked = dict(zip(store.asked, zip(store.queries, store.bodies, strict=True), strict=True))
    pet = json.loads(asked["POST /v3/pets"][1])
    assert "pets = Scenario(list_pets, create_pet, get_pet_by_id, delete_pet)" in text
    assert "orders = Scenario(place_order)" in text
    assert 'pet_ids = feed([7, 8], order="random")' in text
    assert asked["GET /v3/pets"][0] == "limit=10"
    assert {key: pet[key] for key in ("name", "born", "tags")} == {
        "name": "Rex",
        "born": "2026-01-31",
        "tags": ["dog", "dog"],
    }
    assert "id" not in pet
    assert parse_qs(asked["POST /v3/orders"][1].decode()) == {
        "pet": ["7"],
        "express": ["true"],
        "password": ["value-of-password"],
    }
    assert {line.rpartition("/")[2] for line in asked if line.startswith(("GET /v3/pets/", "DELETE"))} <= {"7", "8"}
    assert store.headers[0]["HTTP_AUTHORIZATION"] == "Bearer value-of-api_token"
    assert '"https://eu.pets.example/v3"' in text
    assert "expect=201" in text
    assert "expect={200, 202}" in text
    assert "PATCH /pets/{petId}: it is deprecated" in importing.remarks


@pytest.mark.processes
def test_a_description_of_version_3_1(importing, store):
    text = importing("openapi", description("petstore-3.1.yaml"), secrets=["API_KEY"], url=f"{store.url}/v31")

    photo, search = store.asked
    assert photo == "POST /v31/pets/123e4567-e89b-42d3-a456-426614174000/photo"
    assert search == "POST /v31/search"
    assert store.queries[1] == "api_key=value-of-api_key"
    assert store.headers[0]["HTTP_X_REASON"] == "it's new"
    assert b"textxxxx" in store.bodies[0]
    assert json.loads(store.bodies[1]) == {"price": 3, "since": "2026-01-01", "kind": "dog"}
    assert "names no host" in importing.remarks
    assert "noted" not in text


@pytest.mark.processes
def test_a_description_of_version_2(importing, store):
    text = importing(
        "openapi",
        description("petstore-2.json"),
        secrets=["API_KEY", "API_USER", "API_PASSWORD"],
        url=f"{store.url}/v2",
    )

    assert store.asked == ["POST /v2/pets", "GET /v2/pets/12", "POST /v2/pets/12/uploads"]
    assert json.loads(store.bodies[0]) == {"name": "Rex", "weight": 0.5, "owner": {"email": "ada@example.com"}}
    assert store.queries[1] == "fields=name"
    assert b'name="file"' in store.bodies[2]
    assert store.headers[0]["HTTP_X_API_KEY"] == "value-of-api_key"
    assert store.headers[0]["HTTP_AUTHORIZATION"].startswith("Basic ")
    assert 'auth=(secret("env:API_USER"), secret("env:API_PASSWORD"))' in text


@pytest.mark.processes
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "example": "a", "default": "b"}, "a"),
        ({"type": "string", "default": "b", "enum": ["c"]}, "b"),
        ({"enum": ["c", "d"]}, "c"),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "email"}]}, "ada@example.com"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "object"}, {}),
    ],
)
def test_a_value_is_the_example_else_the_default_else_of_the_enum_else_of_the_type(schema, value):
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": {"it": schema}}}}}
    text = import_source("openapi", described({"/a": {"post": {"requestBody": body}}})).text

    (call,) = [line for line in text.splitlines() if "session.post" in line]
    assert call.strip() == f'session.post("/a", json={{"it": {json.dumps(value)}}})'.replace("true", "True")


def described(paths, **more):
    return json.dumps(
        {"openapi": "3.0.0", "info": {"title": "x"}, "servers": [{"url": "http://x"}], "paths": paths, **more}
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a mapping"),
        ("a: [", "neither JSON nor YAML"),
        ("a: 1", "no OpenAPI description"),
        (described({"/a": {"$ref": "#/none"}}), "refers to '#/none', which is not in it"),
        (described({"/a": {"$ref": "other.yaml#/a"}}), "bundle them"),
        (described({"/a": {"$ref": "#/paths/~1a"}}), "refers to itself"),
        (described({}), "nothing to import"),
        ("[" * 100_000, "nested too deeply|neither JSON"),
    ],
)
def test_what_is_no_description_is_a_load_error(text, words):
    with pytest.raises(LoadError, match=words):
        import_source("openapi", text)


@pytest.mark.processes
@pytest.mark.parametrize("name", ['"""\nimport os', "\u202eevil", "a'b\"c\\d{x!r}", "\x00\x1b[m", "class", "x" * 2_000])
def test_hostile_names_stay_text(importing, target, name):
    body = {"content": {"application/json": {"example": {name: name}}}}
    operation = {"operationId": name, "summary": name, "tags": [name], "requestBody": body, "parameters": []}

    importing("openapi", described({"/a": {"post": operation, "get": {"operationId": name}}}))

    assert target.asked == ["POST /a", "GET /a"]
    assert json.loads(target.bodies[0]) == {name: name}


def test_without_pyyaml_a_description_in_yaml_names_the_remedy(command, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    (tmp_path / "api.yaml").write_text(description("petstore-3.0.yaml"))

    done = command("import", "openapi", "api.yaml")

    assert done.returncode == 2
    assert "pip install 'chaperon[import]'" in done.stderr
