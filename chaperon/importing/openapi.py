"""Import of API descriptions: a scenario a tag, a step an operation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chaperon.errors import LoadError
from chaperon.importing.bodies import pairs
from chaperon.importing.openapi_document import Document
from chaperon.importing.python_code import Code, Template, identifier
from chaperon.importing.scenario_model import ImportedModule, ImportedRequest, ImportedScenario, ImportedStep, Secret
from chaperon.importing.schema_examples import ExampleMaker
from chaperon.importing.secret_values import SecretValues

JSON_KIND = re.compile(r"application/(?:.*\+)?json\b|\*/\*")
FORM_KIND = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def import_openapi(text: str) -> ImportedModule:
    """Return the operations of an OpenAPI or Swagger description as steps. Raises LoadError, UsageError."""
    document = Document(text)
    base, named = document.base_url
    module = ImportedModule(f"{document.title}, from its API description", base)
    if not named:
        module.remarks.append("the description names no host: give the base URL with --url")
    operations = OperationReader(document, module)
    by_tag: dict[str, ImportedScenario] = {}
    for path, method, operation, parameters in document.operations:
        if operation.get("deprecated") is True:
            module.remarks.append(f"{method.upper()} {path}: it is deprecated")
            continue
        tags = operation.get("tags")
        tag = str(tags[0]) if isinstance(tags, list) and tags else "visitor"
        scenario = by_tag.setdefault(tag, ImportedScenario(tag))
        scenario.steps.append(operations.step(path, method, operation, parameters))
    module.scenarios = list(by_tag.values())
    if not module.scenarios:
        raise LoadError("nothing to import: the description has no operation that is not deprecated")
    return module


class OperationReader:
    """Reads the operations of one document; credentials and path parameters go to *module*."""

    def __init__(self, document: Document, module: ImportedModule) -> None:
        self._document = document
        self._module = module
        self._examples = ExampleMaker(document)
        self._secrets = SecretValues()

    def step(
        self, path: str, method: str, operation: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]
    ) -> ImportedStep:
        """Return the step of one operation."""
        label = f"{method.upper()} " + re.sub(r"\{([^{}]+)\}", r":\1", path)
        request = ImportedRequest(method.upper(), self._url(path, parameters), name=label)
        if isinstance(request.url, str):
            request.name = None
        query: list[tuple[str, Any]] = []
        for each in parameters:
            name, place = str(each.get("name")), each.get("in")
            if place in ("query", "header") and self._sent(each):
                value = self._value(each)
                if place == "query":
                    query += [(name, one) for one in value] if isinstance(value, list) else [(name, _plain(value))]
                elif name.lower() not in ("accept", "content-type", "authorization"):
                    request.headers[name] = str(_plain(value))
        request.arguments = self._body(operation, parameters, request.headers)
        self._authenticate(operation, query)
        request.params = pairs(query) if query else None
        request.expect = _expected(operation.get("responses"))
        name = str(operation.get("operationId") or f"{method} {path}")
        return ImportedStep(name, [request], text=str(operation.get("summary") or ""))

    def _sent(self, parameter: Mapping[str, Any]) -> bool:
        return bool(parameter.get("required") or self._examples.given(parameter))

    def _value(self, parameter: Mapping[str, Any]) -> Any:
        if "content" in parameter:
            media = list(self._document.mapping(parameter["content"]).values())
            return self._examples.of_media(self._document.mapping(media[0])) if media else ""
        if "schema" in parameter:
            return self._examples.of_media(parameter)
        return self._examples.of_schema(parameter)  # Swagger 2.0: the parameter is its own schema

    def _url(self, path: str, parameters: Sequence[Mapping[str, Any]]) -> Any:
        """Return the path, with a row of a feed for each of its parameters."""
        known = {str(each.get("name")): each for each in parameters if each.get("in") == "path"}
        parts: list[str | Code] = []
        for place, part in enumerate(re.split(r"\{([^{}]+)\}", path)):
            if place % 2 == 0:
                parts += [part] if part else []
            else:
                parts.append(Code(f"session.take({self._feed(part, known.get(part, {}))})"))
        return Template(tuple(parts)) if any(isinstance(each, Code) for each in parts) else path

    def _feed(self, name: str, parameter: Mapping[str, Any]) -> str:
        """Return the variable of the feed for a path parameter: the same values have the same feed."""
        schema = self._document.mapping(parameter.get("schema", parameter))
        given = self._examples.given(parameter) or self._examples.given(schema) or schema.get("enum")
        values = given if isinstance(given, list) and given else [self._value(parameter)]
        rows = [each if isinstance(each, int) else quote(str(each), safe="") for each in values]
        variable = identifier(f"{name}s", default="rows")
        while self._module.feeds.setdefault(variable, rows) != rows:
            variable = identifier(f"{name}s", self._module.feeds, default="rows")
        return variable

    def _body(
        self, operation: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]], headers: dict[str, Any]
    ) -> dict[str, Any]:
        kind, example = self._content(operation, parameters)
        if kind is None or example is None:
            return {}
        value = self._secrets.nested(example)
        if JSON_KIND.match(kind):
            if not re.match(r"application/json\b|\*", kind):
                headers["Content-Type"] = kind
            return {"json": value}
        if kind == FORM_KIND and isinstance(value, Mapping):
            return {"data": {name: _plain(each) for name, each in value.items()}}
        if kind == MULTIPART and isinstance(value, Mapping):
            return {
                "files": {name: (None, each if isinstance(each, Code) else str(each)) for name, each in value.items()}
            }
        headers["Content-Type"] = kind
        return {"data": example if isinstance(example, str) else str(example)}

    def _content(self, operation: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> tuple[str | None, Any]:
        """Return the media type of the body and its example; of several types JSON is preferred."""
        if self._document.version == 2:
            consumes = operation.get("consumes") or self._document.root.get("consumes") or ["application/json"]
            body = next((each for each in parameters if each.get("in") == "body"), None)
            if body is not None:
                return _preferred(consumes), self._examples.of_media(body)
            form = [each for each in parameters if each.get("in") == "formData" and self._sent(each)]
            if not form:
                return None, None
            kind = MULTIPART if any(each.get("type") == "file" for each in form) else _preferred(consumes, FORM_KIND)
            return kind, {str(each.get("name")): self._examples.of_schema(each) for each in form}
        content = self._document.mapping(self._document.mapping(operation.get("requestBody")).get("content"))
        if not content:
            return None, None
        kind = _preferred(list(content))
        return kind, self._examples.of_media(self._document.mapping(content[kind]))

    def _authenticate(self, operation: Mapping[str, Any], query: list[tuple[str, Any]]) -> None:
        """Give the environment the credentials of the first way to authenticate; a key in a query goes to *query*."""
        wanted = operation.get("security", self._document.root.get("security"))
        if not isinstance(wanted, list) or not wanted or not isinstance(wanted[0], Mapping):
            return
        for name in wanted[0]:
            scheme = self._document.mapping(self._document.security_schemes.get(name))
            kind, place = str(scheme.get("type")), scheme.get("in")
            if kind == "basic" or (kind == "http" and str(scheme.get("scheme")).lower() == "basic"):
                user = Secret('session.config["api_user"]', "api_user")
                self._module.options["auth"] = (user, self._secrets.secret("api_password", "api_password"))
            elif kind in ("oauth2", "openIdConnect", "http"):
                token = self._secrets.secret("api_token", "api_token")
                self._module.headers["Authorization"] = Template(("Bearer ", token))
            elif kind == "apiKey":
                key = self._secrets.secret("api_key", "api_key")
                if place == "query":
                    query.append((str(scheme.get("name")), key))
                elif place == "header":
                    self._module.headers[str(scheme.get("name"))] = key
                else:
                    self._module.headers["Cookie"] = Template((f"{scheme.get('name')}=", key))


def _preferred(kinds: Sequence[Any], other: str | None = None) -> str:
    names = [str(each) for each in kinds]
    wanted = [other] if other else []
    for each in (*names, *wanted):
        if (each == other) if other else JSON_KIND.match(each):
            return each
    return names[0]


def _expected(responses: Any) -> Any:
    """Return the statuses of success that are declared, None where only 2XX or default is."""
    if not isinstance(responses, Mapping):
        return None
    declared = sorted({int(each) for each in map(str, responses) if re.fullmatch("[23][0-9][0-9]", each)})
    if any(str(each).upper() == "2XX" for each in responses) or not declared:
        return None
    return declared[0] if len(declared) == 1 else Code("{" + ", ".join(map(str, declared)) + "}")


def _plain(value: Any) -> Any:
    """Return a value as a query or a form sends it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, (str, int, float, Code)) else str(value)
