"""Import of Postman collections, version 2.0 and 2.1: each request is a step, in order of the collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from chaperon.errors import LoadError
from chaperon.importing.bodies import body_arguments, pairs
from chaperon.importing.headers import kept_headers
from chaperon.importing.openapi_document import LOCAL
from chaperon.importing.postman_variables import PostmanVariables
from chaperon.importing.python_code import identifier, text_literal
from chaperon.importing.scenario_model import (
    Capture,
    ImportedModule,
    ImportedRequest,
    ImportedScenario,
    ImportedStep,
)
from chaperon.importing.secret_values import SecretValues
from chaperon.importing.urls import base_of, origin, relative, series_name

RAW_TYPES = {"json": "application/json", "xml": "application/xml", "html": "text/html", "text": "text/plain"}

_SET = re.compile(
    r"(?:\.set|setEnvironmentVariable|setGlobalVariable)\(\s*[\"']([\w.-]+)[\"']\s*,\s*"
    r"(?:pm\.response\.json\(\)|\w+)((?:\.\w+|\[\d+\]|\[[\"']\w+[\"']\])+)\s*\)"
)
_STATUS = re.compile(r"to\.have\.status\((\d{3})\)|response\.code\)\.to\.(?:eql|equal)\((\d{3})\)")


def import_postman(text: str) -> ImportedModule:
    """Return the requests of a collection as steps. Raises LoadError where it is none."""
    try:
        collection = json.loads(text)
        if not (
            isinstance(collection, Mapping) and "item" in collection and isinstance(collection.get("info"), Mapping)
        ):
            raise LoadError("this is not a Postman collection of version 2: it has no info with an item beside it")
        name = str(collection["info"].get("name") or "Requests")
        items = list(_requests(collection["item"], collection.get("auth")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise LoadError(f"this is not a Postman collection of version 2: {type(exc).__name__} {exc}") from None
    if not items:
        raise LoadError("the collection has no request")
    return CollectionReader(collection).module(name, items)


class CollectionReader:
    """Reads the requests of one collection."""

    def __init__(self, collection: Mapping[str, Any]) -> None:
        values = {
            str(each.get("key")): str(each.get("value", ""))
            for each in collection.get("variable") or ()
            if isinstance(each, Mapping) and each.get("value") not in (None, "")
        }
        self._secrets = SecretValues()
        self._variables = PostmanVariables(values, self._secrets)
        self._secrets.stays = self._variables.has_mark
        self._remarks: list[str] = []

    def module(self, name: str, items: list[tuple[Mapping[str, Any], Any]]) -> ImportedModule:
        """Return the module of all requests."""
        steps = [step for item, auth in items if (step := self._step(item, auth)) is not None]
        if not steps:
            raise LoadError("the collection has no request with an http or https URL")
        urls = [str(request.url) for step in steps for request in step.requests]
        base = base_of(urls)
        for step in steps:
            for request in step.requests:
                self._finish(request, base)
        module = ImportedModule(f"{name}, from a Postman collection", base, [ImportedScenario("visitor", steps)])
        module.config = {identifier(each): "" for each in self._variables.unknown}
        unknown = ", ".join(self._variables.unknown)
        module.remarks = [*self._remarks, *([f"the values of {unknown}: see config="] if unknown else [])]
        return module

    def _step(self, item: Mapping[str, Any], auth: Any) -> ImportedStep | None:
        name = str(item.get("name") or "request")
        request = item["request"]
        if isinstance(request, str):
            request = {"method": "GET", "url": request}
        url = self._url(request.get("url"))
        try:
            origin(url)
        except LoadError:
            self._remarks.append(f"{name}: it has no http or https URL")
            return None
        headers = [
            (str(each.get("key")), self._variables.mark(str(each.get("value", ""))))
            for each in _enabled(request.get("header"))
        ]
        made = ImportedRequest(str(request.get("method") or "GET").upper(), url)
        made.arguments = self._body(request.get("body"), headers)
        self._authenticate(request.get("auth", auth), made, headers)
        made.headers = kept_headers(headers, self._secrets, cookies=True)
        self._scripts(item, name, made)
        return ImportedStep(name, [made])

    def _url(self, url: Any) -> str:
        given = url if isinstance(url, Mapping) else {"raw": url}
        raw = str(given.get("raw") or _joined(given))
        variables = [each for each in given.get("variable") or () if isinstance(each, Mapping)]
        values = {str(each.get("key") or each.get("id")): str(each.get("value") or "1") for each in variables}
        raw = re.sub(r"(?<=/):(\w+)(?=[/?]|$)", lambda found: values.get(found[1], found[0]), raw)
        for each in given.get("query") or ():
            if isinstance(each, Mapping) and each.get("disabled") and each.get("key"):
                raw = re.sub(rf"[?&]{re.escape(str(each['key']))}=[^&]*", "", raw, count=1)
        text = self._variables.mark(raw)
        if "://" not in text.partition("?")[0]:
            text = re.sub(r"^\ue0f0\d+\ue0f2", LOCAL, text) if self._variables.has_mark(text[:8]) else f"http://{text}"
        return text

    def _finish(self, request: ImportedRequest, base: str) -> None:
        """Make the URL of a request relative to *base*, and expressions of the marks in all of it."""
        path, params = relative(str(request.url), base, self._secrets)
        plain = self._variables.plain(path)
        name = series_name(request.method, plain) or f"{request.method} {plain.partition('?')[0]}"
        request.name = name if plain != path or series_name(request.method, path) else None
        request.url = self._variables.unmark(path)
        request.params = self._variables.unmark(params)
        request.headers = self._variables.unmark(request.headers)
        request.arguments = self._variables.unmark(request.arguments)

    def _body(self, body: Any, headers: list[tuple[str, str]]) -> dict[str, Any]:
        if not isinstance(body, Mapping) or body.get("disabled"):
            return {}
        mode = body.get("mode")
        given = next((value for name, value in headers if name.lower() == "content-type"), "")
        if mode == "urlencoded":
            given_fields = _enabled(body.get(mode))
            fields = [(str(each["key"]), self._variables.mark(str(each.get("value", "")))) for each in given_fields]
            _remove(headers, "content-type")
            return body_arguments(urlencode(fields), "application/x-www-form-urlencoded", self._secrets)[0]
        if mode == "formdata":
            _remove(headers, "content-type")
            return {"files": pairs([(str(each["key"]), self._part(each)) for each in _enabled(body.get(mode))])}
        if mode == "graphql":
            query = body.get(mode) or {}
            variables = str(query.get("variables") or "{}")
            text = f'{{"query": {json.dumps(str(query.get("query", "")))}, "variables": {variables}}}'
            return body_arguments(self._variables.mark_json(text), "application/json", self._secrets)[0]
        raw = str(body.get("raw") or "") if mode == "raw" else ""
        if not raw:
            return {}
        language = ((body.get("options") or {}).get("raw") or {}).get("language", "text")
        kind = given or RAW_TYPES.get(str(language), "text/plain")
        text = self._variables.mark_json(raw) if "json" in kind else self._variables.mark(raw)
        arguments, implied = body_arguments(text, kind, self._secrets)
        _remove(headers, "content-type")
        if not implied:
            headers.append(("Content-Type", kind))
        return arguments

    def _part(self, field: Mapping[str, Any]) -> tuple[Any, Any]:
        if field.get("type") == "file":
            source = field.get("src")
            file = str(source[0] if isinstance(source, list) and source else source or "file")
            return file.rpartition("/")[2], "content"
        return None, self._secrets.nested(self._variables.mark(str(field.get("value", ""))), str(field["key"]))

    def _authenticate(self, auth: Any, request: ImportedRequest, headers: list[tuple[str, str]]) -> None:
        if not isinstance(auth, Mapping) or auth.get("type") in (None, "noauth"):
            return
        kind = str(auth["type"])
        listed = auth.get(kind)
        given = (
            {str(each.get("key")): str(each.get("value", "")) for each in listed if isinstance(each, Mapping)}
            if isinstance(listed, list)
            else {str(key): str(value) for key, value in (listed or {}).items()}
        )
        values = {key: self._variables.mark(value) for key, value in given.items()}
        if kind == "basic":
            user, password = values.get("username", ""), values.get("password", "")
            marked = self._variables.has_mark(password)
            request.arguments["auth"] = (user, password) if marked else self._secrets.basic(user, password)
        elif kind in ("bearer", "oauth2"):
            token = values.get("token") or values.get("accessToken") or "token"
            headers.append(("Authorization", f"Bearer {token}"))
        elif kind == "apikey" and values.get("in") != "query":
            headers.append((values.get("key", "X-Api-Key"), values.get("value", "")))
        else:
            self._remarks.append(f"authentication by {kind}")

    def _scripts(self, item: Mapping[str, Any], name: str, request: ImportedRequest) -> None:
        """Carry over what the scripts of a request set from its response, and the status that they expect."""
        scripts = [event.get("script") for event in item.get("event") or () if isinstance(event, Mapping)]
        for script in scripts:
            lines = script.get("exec") or [] if isinstance(script, Mapping) else []  # else one that stands elsewhere
            text = "\n".join(map(str, lines)) if isinstance(lines, list) else str(lines)
            for variable, path in _SET.findall(text):
                parts = re.findall(r"\w+", path)
                captured = identifier(variable, default="value")
                self._variables.captured[variable] = captured
                request.captures.append(Capture(captured, f"response.json_at({text_literal('.'.join(parts))})"))
            for one, other in _STATUS.findall(text):
                request.expect = int(one or other)
            if text.strip() and not _SET.search(text) and not _STATUS.search(text):
                self._remarks.append(f"the script of {name}: {text.strip().splitlines()[0][:60]}")


def _text(parts: Any, mark: str) -> str:
    """Return a host or path, which is given as a text or as its parts, with *mark* between these."""
    if not isinstance(parts, list):
        return str(parts or "")
    return mark.join(str(each.get("value") or "") if isinstance(each, Mapping) else str(each) for each in parts)


def _joined(url: Mapping[str, Any]) -> str:
    """Return the text of a URL of which the parts are given alone."""
    host, path = _text(url.get("host"), "."), _text(url.get("path"), "/")
    if not host:
        return ""
    port = f":{url['port']}" if url.get("port") else ""
    query = "&".join(f"{each['key']}={each.get('value') or ''}" for each in _enabled(url.get("query")))
    return f"{url.get('protocol') or 'http'}://{host}{port}/{path.lstrip('/')}{'?' if query else ''}{query}"


def _requests(items: Any, auth: Any) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield every request with the authentication of the folder around it."""
    for item in items:
        if "item" in item:
            yield from _requests(item["item"], item.get("auth") or auth)
        elif "request" in item:
            yield item, auth


def _enabled(fields: Any) -> list[Mapping[str, Any]]:
    return [each for each in fields or () if isinstance(each, Mapping) and each.get("key") and not each.get("disabled")]


def _remove(headers: list[tuple[str, str]], name: str) -> None:
    headers[:] = [each for each in headers if each[0].lower() != name]
