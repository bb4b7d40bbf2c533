"""An API description: OpenAPI 3.0 and 3.1, Swagger 2.0, as JSON or YAML, with its references."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from chaperon.errors import LoadError, UsageError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
DEEPEST_REFERENCE = 20
"""References to references that are followed."""

LOCAL = "http://localhost:8080"
"""The base URL where a description names no server."""


class Document:
    """A description: `root` is the parsed text, `version` 2 or 3."""

    def __init__(self, text: str) -> None:
        self.root = _parsed(text)
        named = str(self.root.get("swagger") or self.root.get("openapi") or "")
        if not named.startswith(("2.", "3.")):
            raise LoadError("this is no OpenAPI description: it has no line  openapi: 3.x  or  swagger: '2.0'")
        self.version = int(named[0])

    def resolve(self, value: Any) -> Any:
        """Return *value*, or what it refers to; fields beside a reference go over it. Raises LoadError."""
        for _ in range(DEEPEST_REFERENCE):
            if not isinstance(value, Mapping) or not isinstance(value.get("$ref"), str):
                return value
            found = self._at(value["$ref"])
            beside = {key: each for key, each in value.items() if key != "$ref"}
            value = {**found, **beside} if beside and isinstance(found, Mapping) else found
        raise LoadError("a reference of the description refers to itself")

    def mapping(self, value: Any) -> Mapping[str, Any]:
        """Return what *value* is or refers to if that is a mapping, else an empty one."""
        found = self.resolve(value)
        return found if isinstance(found, Mapping) else {}

    @property
    def title(self) -> str:
        """The title of the API."""
        return str(self.mapping(self.root.get("info")).get("title") or "An API")

    @property
    def base_url(self) -> tuple[str, bool]:
        """The URL of the first server, and whether the description names its host."""
        if self.version == 2:
            host = self.root.get("host")
            scheme = next(iter(self.root.get("schemes") or ["https"]), "https")
            path = str(self.root.get("basePath") or "").rstrip("/")
            return (f"{scheme}://{host}{path}", True) if host else (f"{LOCAL}{path}", False)
        servers = self.root.get("servers")
        server = self.mapping(servers[0]) if isinstance(servers, list) and servers else {}
        variables = self.mapping(server.get("variables"))
        url = re.sub(
            r"\{([^{}]+)\}",
            lambda found: str(self.mapping(variables.get(found[1])).get("default", found[1])),
            str(server.get("url") or ""),
        ).rstrip("/")
        if urlsplit(url).scheme in ("http", "https"):
            return url, True
        return f"{LOCAL}{'/' * bool(url)}{url.lstrip('/')}", False

    @property
    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], list[Mapping[str, Any]]]]:
        """Yield (path, method, operation, parameters) of each operation, in order of the document."""
        for path, item in self.mapping(self.root.get("paths")).items():
            known = self.mapping(item)
            for method in (each for each in known if str(each).lower() in METHODS):
                operation = self.mapping(known[method])
                parameters: dict[Any, Mapping[str, Any]] = {}
                for each in (*_listed(known.get("parameters")), *_listed(operation.get("parameters"))):
                    parameter = self.mapping(each)
                    parameters[parameter.get("name"), parameter.get("in")] = parameter
                yield str(path), str(method).lower(), operation, list(parameters.values())

    @property
    def security_schemes(self) -> Mapping[str, Any]:
        """The security schemes by name."""
        if self.version == 2:
            return self.mapping(self.root.get("securityDefinitions"))
        return self.mapping(self.mapping(self.root.get("components")).get("securitySchemes"))

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise LoadError(f"the description refers to another document, {reference!r}: bundle them into one first")
        value: Any = self.root
        for part in filter(None, reference[1:].split("/")):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise LoadError(f"the description refers to {reference!r}, which is not in it")
        return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = _yaml(text)
    if not isinstance(value, Mapping):
        raise LoadError("this is no OpenAPI description: it is not a mapping")
    return value


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise UsageError("a description in YAML needs PyYAML: pip install 'chaperon[import]'") from None

    class Plain(yaml.SafeLoader):
        """YAML with the types of JSON: what looks like a date is text."""

    Plain.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Plain)
    except (yaml.YAMLError, ValueError) as exc:
        raise LoadError(f"this is neither JSON nor YAML: {' '.join(str(exc).split())[:200]}") from None
