"""Import of HAR recordings: steps with think times, values of responses followed, static files left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from chaperon.errors import LoadError
from chaperon.importing.bodies import body_arguments, pairs
from chaperon.importing.correlation import Correlation
from chaperon.importing.curl_command.importer import step_name
from chaperon.importing.har_entries import HarEntry, read_entries
from chaperon.importing.headers import kept_headers
from chaperon.importing.python_code import Code, Template
from chaperon.importing.scenario_model import ImportedModule, ImportedRequest, ImportedScenario, ImportedStep
from chaperon.importing.secret_values import SecretValues, basic_credentials
from chaperon.importing.urls import origin, relative, series_name, variable_part
from chaperon.lazy_dataclass import lazy_dataclass

GAP = 1.0
"""Seconds without a request after which a new step begins, in a recording of one page."""

LONGEST_THINK = 60.0
"""Seconds of the longest pause: what is longer was no thinking."""


@lazy_dataclass
class Visit:
    """The entries of a recording that are kept, and how many were left out, by reason."""

    base: str
    entries: list[HarEntry] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def import_har(text: str) -> ImportedModule:
    """Return the requests of a HAR file in steps, one a page or one after each gap. Raises LoadError."""
    visit = _kept(read_entries(text))
    correlation = Correlation()
    secrets = SecretValues(correlation.captured, correlation.captured_text)
    groups = _steps(visit.entries)
    scenario = ImportedScenario("visitor")
    for number, group in enumerate(groups):
        requests = [_request(each, visit.base, secrets, correlation) for each in group]
        step = ImportedStep(step_name(group[0].method, group[0].url), requests)
        if number + 1 < len(groups):
            step.think = _think(groups[number + 1][0].start - max(each.end for each in group))
        scenario.steps.append(step)
    module = ImportedModule(f"{urlsplit(visit.base).hostname}, from a recording", visit.base, [scenario])
    module.remarks = [f"{reason}: {n}" for reason, n in sorted(visit.left_out.items())]
    return module


def _kept(entries: Sequence[HarEntry]) -> Visit:
    """Return the entries that a scenario sends; redirects are followed by the client, so their targets are not."""
    sendable = [each for each in entries if re.match("https?://", each.url, re.IGNORECASE)]
    dynamic = [each for each in sendable if not each.static and each.method not in ("OPTIONS", "CONNECT")]
    if not dynamic:
        raise LoadError("the recording has no request but static files")
    visit = Visit(origin(dynamic[0].url))
    visit.left_out["static files"] = sum(each.static for each in sendable)
    site = _site(visit.base)
    targets: Counter[str] = Counter()
    for each in dynamic:
        if each.status == 0:
            visit.left_out["requests without a response"] += 1
        elif _site(origin(each.url)) != site:
            visit.left_out[f"requests to {origin(each.url)}"] += 1
        elif targets[each.url] and each.method == "GET":
            targets[each.url] -= 1
        else:
            visit.entries.append(each)
        if 300 <= each.status < 400 and each.location:
            targets[urljoin(each.url, each.location)] += 1
    visit.left_out = +visit.left_out
    if not visit.entries:
        raise LoadError("no request of the recording has a response")
    return visit


def _site(base: str) -> str:
    """Return the last two labels of a host, which the origins of one site have in common."""
    host = urlsplit(base).hostname or ""
    labels = host.split(".")
    return host if labels[-1].isdecimal() else ".".join(labels[-2:])


def _steps(entries: Sequence[HarEntry]) -> list[list[HarEntry]]:
    by_page = len({each.page for each in entries}) > 1
    groups: list[list[HarEntry]] = []
    end = 0.0
    for each in entries:
        new = not groups or (each.page != groups[-1][-1].page if by_page else each.start - end > GAP)
        if new:
            groups.append([])
        groups[-1].append(each)
        end = max(end, each.end)
    return groups


def _think(gap: float) -> tuple[float, float] | None:
    """Return a pause drawn around the recorded one, as (least, most) seconds."""
    if gap < 0.1:
        return None
    middle = min(gap, LONGEST_THINK)
    return round(middle / 2, 1), round(middle * 1.5, 1)


def _request(entry: HarEntry, base: str, secrets: SecretValues, correlation: Correlation) -> ImportedRequest:
    path, params = relative(entry.url, base, secrets)
    url, name = _correlated(entry.method, path, correlation)
    arguments: dict[str, Any] = {}
    headers = [each for each in entry.headers if each[0].lower() not in ("origin", "referer", "x-requested-with")]
    if entry.body_type.startswith("multipart/"):
        arguments["files"] = pairs(_multipart(entry, secrets))
        headers = _without(headers, "content-type")
    elif entry.body:
        arguments, implied = body_arguments(entry.body, entry.body_type, secrets)
        headers = _without(headers, "content-type")
        if not implied and entry.body_type:
            headers.append(("Content-Type", entry.body_type))
    for each in headers:
        if each[0].lower() == "authorization" and (found := basic_credentials(each[1])):
            arguments["auth"] = secrets.basic(*found)
            headers = _without(headers, "authorization")
    request = ImportedRequest(entry.method, url, params, kept_headers(headers, secrets), arguments, name)
    if entry.status >= 400:
        request.expect = entry.status
    correlation.add_sent(request, unquote(f"{entry.url} {entry.body}"))
    created = entry.location if entry.status == 201 else None
    correlation.add_response(request, entry.answer, entry.answer_type, created)
    return request


def _correlated(method: str, path: str, correlation: Correlation) -> tuple[Any, str | None]:
    """Return a path with the values that earlier responses had, and the name of its series."""
    route, question, query = path.partition("?")
    segments = route.split("/")
    codes = [correlation.captured_text(unquote(each)) if each else None for each in segments]
    if not any(codes):
        return path, series_name(method, path)
    parts: list[str | Code] = []
    named = []
    for each, code in zip(segments, codes, strict=True):
        parts += ["/" if parts else "", code or each]
        label = code.text.rpartition(".")[2] if code else "id" if variable_part(each) else None
        named.append(f":{label}" if label else each)
    return Template((*_joined(parts), *([question + query] if question else []))), f"{method} {'/'.join(named)}"


def _joined(parts: Iterable[str | Code]) -> list[str | Code]:
    made: list[str | Code] = []
    for each in parts:
        if isinstance(each, str) and made and isinstance(made[-1], str):
            made[-1] += each
        else:
            made.append(each)
    return made


def _without(headers: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [each for each in headers if each[0].lower() != name]


def _multipart(entry: HarEntry, secrets: SecretValues) -> list[tuple[str, Any]]:
    """Return the parts of a form: of a file only its name is recorded, its content is "content"."""
    if entry.fields:
        return [
            (str(each["name"]), _part(each.get("fileName"), str(each.get("value", "")), str(each["name"]), secrets))
            for each in entry.fields
        ]
    found = re.findall(
        r'Content-Disposition: form-data; name="([^"]*)"(?:; filename="([^"]*)")?[^\r\n]*\r?\n'
        r"(?:[^\r\n]+\r?\n)*\r?\n(.*?)\r?\n--",
        entry.body,
        re.DOTALL | re.IGNORECASE,
    )
    return [(name, _part(file or None, value, name, secrets)) for name, file, value in found]


def _part(file: Any, value: str, name: str, secrets: SecretValues) -> tuple[Any, Any]:
    return (str(file), value or "content") if file else (None, secrets.nested(value, name))
