"""Import of curl commands, as a person types them or a browser copies them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from chaperon.clock import seconds
from chaperon.errors import LoadError, PlanError
from chaperon.importing.bodies import body_arguments
from chaperon.importing.curl_command.form_parts import form_files
from chaperon.importing.curl_command.options import MEANT, OF_OUTPUT, options
from chaperon.importing.curl_command.shell_words import ShellCommand, commands
from chaperon.importing.headers import kept_headers
from chaperon.importing.python_code import Code, flat, identifier
from chaperon.importing.scenario_model import ImportedModule, ImportedRequest, ImportedScenario, ImportedStep
from chaperon.importing.secret_values import SecretValues, basic_credentials
from chaperon.importing.urls import base_of, relative, route_of, series_name, userinfo, variable_part
from chaperon.lazy_dataclass import lazy_dataclass

AROUND = frozenset(
    {"time", "sudo", "command", "exec", "!", "if", "then", "else", "while", "do", "{", "}", "done", "fi"}
)
"""Words of a shell that stand before or after commands."""
FORM = "application/x-www-form-urlencoded"
LARGEST_FILE = 64 << 10
"""Bytes of a body that is read from a file."""


@lazy_dataclass
class CurlCommand:
    """One transfer of a curl command line, in the words of its options."""

    urls: list[str] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def last(self, name: str) -> str | None:
        """Return the last argument of an option, None if it was not given."""
        return self.given[name][-1] if name in self.given else None


def import_curl(text: str) -> ImportedModule:
    """Return the requests of the curl commands in *text*, a step each. Raises LoadError."""
    if '^"' in text or "^\n" in text:
        raise LoadError('a command for the Windows shell: use "Copy as cURL (bash)" of the browser')
    found: list[CurlCommand] = []
    others: list[ShellCommand] = []
    for command in commands(text):
        words = _without_shell(command.words)
        if words and Path(words[0]).name in ("curl", "curl.exe"):
            transfers = _transfers(words)
            transfers[0].remarks += [
                f"line {command.line}: ${each} of the shell, which is sent as it is written: put a value in its place"
                for each in command.variables
            ]
            found += transfers
        elif words and not command.piped:
            others.append(command)
    if not found and others:
        raise LoadError(f"{others[0].words[0]!r} is not curl: a line must have a curl command")
    if not found:
        raise LoadError("no curl command: write one like  curl http://localhost:8080/")
    secrets = SecretValues()
    base = base_of(_with_scheme(url) for each in found for url in each.urls)
    requests = [_request(each, _with_scheme(url), base, secrets) for each in found for url in each.urls]
    module = ImportedModule(
        f"{urlsplit(base).hostname}, from {'a curl command' if len(requests) == 1 else 'curl'}", base
    )
    steps = [ImportedStep(step_name(each.method, each.url), [each]) for each in requests]
    module.scenarios.append(ImportedScenario("visitor", steps))
    auths = [each.arguments.get("auth") for each in requests]
    if auths[0] is not None and all(each == auths[0] for each in auths):
        module.options["auth"] = auths[0]
        for each in requests:
            del each.arguments["auth"]
    if any("insecure" in each.given for each in found):
        module.options["verify"] = False
    for transfer in found:
        module.options.update(_certificates(transfer))
    module.remarks = [remark for each in found for remark in each.remarks]
    module.remarks += [f"line {each.line}: {' '.join(each.words)[:60]}" for each in others]
    return module


def step_name(method: str, url: Any) -> str:
    """Return a name for the step of one request: "get products", "post login"."""
    words = [each for each in route_of(str(url)).split("/") if each and not variable_part(each)]
    return identifier(" ".join([method.lower(), *words[-3:]])) if words else identifier(f"{method.lower()} start")


def _without_shell(words: list[str]) -> list[str]:
    """Return the words of a command without those around it: `time`, `do`, `done`, `NAME=value`."""
    start = 0
    while start < len(words) and (words[start] in AROUND or re.match(r"[A-Za-z_]\w*=(?!\$\()", words[start])):
        start += 1
    return words[start:]


def _transfers(words: Sequence[str]) -> list[CurlCommand]:
    found = [CurlCommand()]
    for name, value in options(words[1:]):
        current = found[-1]
        if name == "next":
            found.append(CurlCommand())
        elif name == "url":
            current.urls.append(value)
        elif name == "header":
            _add_header(current, value)
        elif name in ("data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json"):
            current.data.append(_data(name, value))
            current.given.setdefault(name, []).append(value)
        else:
            if name not in MEANT and name not in OF_OUTPUT:
                current.remarks.append(f"curl's --{name}{' ' * bool(value)}{value}")
            current.given.setdefault(name, []).append(value)
    missing = [each for each in found if not each.urls]
    if missing and len(found) == len(missing):
        raise LoadError("a curl command without a URL")
    return [each for each in found if each.urls]


def _add_header(command: CurlCommand, value: str) -> None:
    name, colon, text = value.partition(":")
    if not colon and name.endswith(";"):
        command.headers.append((name[:-1].strip(), ""))
    elif value.startswith("@"):
        command.remarks.append(f"curl's --header {value}: write the headers of that file yourself")
    elif colon and text.strip() and name.strip():
        command.headers.append((name.strip(), text.strip()))
    elif colon and name.strip():
        command.remarks.append(f"curl's --header {value}, which leaves out what curl sends by itself")


def _data(option: str, value: str) -> str:
    if option == "data-urlencode":
        return _urlencoded(value)
    if value.startswith("@") and option != "data-raw":
        text = _file(value[1:])
        return text if option in ("data-binary", "json") else text.replace("\r", "").replace("\n", "")
    return value


def _urlencoded(value: str) -> str:
    """Return what `--data-urlencode` and `--url-query` make of a value: text, =text, name=text, @file, name@file."""
    name, equals, text = value.partition("=")
    if not equals and "@" in value:
        name, _, file = value.partition("@")
        text = _file(file)
    elif not equals:
        name, text = "", value
    return f"{name}={quote_plus(text)}" if name else quote_plus(text)


def _with_file_name(url: str, file: str) -> str:
    """Return where `--upload-file` sends a file: below a URL that ends in a slash or has no path, by its name."""
    parts = urlsplit(url)
    if parts.path and not parts.path.endswith("/"):
        return url
    return parts._replace(path=f"{parts.path or '/'}{quote(Path(file).name)}").geturl()


def _file(name: str) -> str:
    try:
        with open(name, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        where = "standard input: write it into the command" if name == "-" else f"{name}: {exc.strerror}"
        raise LoadError(f"curl reads its body from {where}") from None
    if len(content) > LARGEST_FILE:
        raise LoadError(f"{name} is larger than {LARGEST_FILE >> 10} KiB: give curl a smaller body")
    return content.decode("utf-8", "replace")


def _request(command: CurlCommand, url: str, base: str, secrets: SecretValues) -> ImportedRequest:
    data = ("" if "json" in command.given else "&").join(command.data)
    if ("get" in command.given and data) or "url-query" in command.given:
        further = [each[1:] if each[:1] == "+" else _urlencoded(each) for each in command.given.get("url-query", ())]
        query = "&".join([*([data] if "get" in command.given and data else []), *further])
        url += ("&" if "?" in url else "?") + query
    has_body = bool(command.data) and "get" not in command.given
    headers = [*command.headers, *_headers_of_options(command)]
    named = {name.lower(): value for name, value in headers}
    arguments: dict[str, Any] = {}
    if has_body:
        kind = named.get("content-type", "application/json" if "json" in command.given else FORM)
        arguments, implied = body_arguments(data, kind, secrets)
        headers = [each for each in headers if each[0].lower() != "content-type"]
        if not implied:
            headers.append(("Content-Type", kind))
    elif "form" in command.given or "form-string" in command.given:
        arguments["files"] = form_files(command.given)
        headers = [each for each in headers if each[0].lower() != "content-type"]
    elif (upload := command.last("upload-file")) is not None:
        url = _with_file_name(url, upload)
        arguments["data"] = Code(f"Path({flat(upload)}).read_bytes()")
    default = "POST" if has_body or "files" in arguments else "PUT" if "data" in arguments else "GET"
    method = command.last("request") or ("HEAD" if "head" in command.given else default)
    headers, auth = _auth(command, headers, url)
    if auth is not None:
        arguments["auth"] = secrets.basic(*auth)
    arguments.update(_limits(command))
    path, params = relative(url, base, secrets)
    return ImportedRequest(
        method, path, params, kept_headers(headers, secrets, cookies=True), arguments, series_name(method, path)
    )


def _headers_of_options(command: CurlCommand) -> list[tuple[str, str]]:
    made = []
    for option, name in (("user-agent", "User-Agent"), ("referer", "Referer")):
        if value := command.last(option):
            made.append((name, value.removesuffix(";auto")))
    for value in command.given.get("cookie", ()):
        if "=" in value:
            made.append(("Cookie", value))
    if bearer := command.last("oauth2-bearer"):
        made.append(("Authorization", f"Bearer {bearer}"))
    if spans := command.last("range"):
        made.append(("Range", f"bytes={spans}"))
    if "json" in command.given and not any(name.lower() == "accept" for name, _ in command.headers):
        made.append(("Accept", "application/json"))
    return made


def _auth(
    command: CurlCommand, headers: list[tuple[str, str]], url: str
) -> tuple[list[tuple[str, str]], tuple[str, str] | None]:
    """Return the headers without Basic credentials, and user and password where there are any."""
    user = command.last("user")
    if user is not None:
        name, _, password = user.partition(":")
        return headers, (name, password)
    for each in headers:
        if each[0].lower() == "authorization" and (found := basic_credentials(each[1])):
            return [other for other in headers if other is not each], found
    return headers, userinfo(url)


def _limits(command: CurlCommand) -> dict[str, Any]:
    made: dict[str, Any] = {}
    longest = command.last("max-time") or command.last("connect-timeout")
    if longest:
        try:
            made["timeout"] = seconds(float(longest))
        except (ValueError, PlanError):
            raise LoadError(f"{longest!r} is not a time in seconds for curl") from None
    if proxy := command.last("proxy"):
        made["proxies"] = {"http": proxy, "https": proxy}
    return made


def _certificates(command: CurlCommand) -> dict[str, Any]:
    """Return `cert=` and `verify=` where files for them are given."""
    made: dict[str, Any] = {}
    cert, key = command.last("cert"), command.last("key")
    if cert is not None:
        made["cert"] = cert if key is None else (cert, key)
    if (authority := command.last("cacert")) is not None:
        made["verify"] = authority
    return made


def _with_scheme(url: str) -> str:
    text = url if "://" in url else f"http://{url}"
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]")
