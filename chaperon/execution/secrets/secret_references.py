"""References to secrets: variables and files that are read when a run begins, not when a scenario is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from chaperon.errors import LoadError

if TYPE_CHECKING:
    from chaperon.execution.plan import RunPlan

LARGEST = 65_536
"""Bytes of a file with a secret."""
_VARIABLE, _FILE = "env:", "@"
_FIELD = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110: the value of a header
_SCHEME = re.compile(r"([A-Za-z][\w-]* +)(?=env:|@)")


class SecretReference:
    """A reference to a secret; a run puts the value in its place. It has no text before: `str` raises LoadError."""

    __slots__ = ("_prefix", "_value", "reference")

    def __init__(self, reference: str, prefix: str = "") -> None:
        self.reference = reference
        self._prefix = prefix
        self._value: str | None = None

    def __repr__(self) -> str:
        return f"secret({self.reference!r})"

    def __str__(self) -> NoReturn:
        raise LoadError(
            f"{self!r} has no text before a run begins: give it as the value of a header, of auth= or of config=, "
            "with what stands before it as in secret('env:TOKEN', prefix='Bearer ')"
        )

    def __format__(self, form: str) -> NoReturn:
        self.__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        return SecretReference, (self.reference, self._prefix)

    def read(self, provided: Mapping[str, str] | None = None) -> str:
        """Return the secret alone: that in *provided*, or else of this machine, read once. Blocks on a file.

        With *provided*, values by reference, nothing is read from this machine. Raises LoadError if it lacks the
        secret, if the variable is missing or empty, or if the file cannot be read.
        """
        if provided is not None:
            if self.reference not in provided:
                raise LoadError(f"the master has sent no secret {self.reference}: its scenario has none of this name")
            return provided[self.reference]
        if self._value is None:
            start, read = (_FILE, _from_file) if self.reference.startswith(_FILE) else (_VARIABLE, _from_variable)
            self._value = read(self.reference.removeprefix(start))
        return self._value

    def text(self, provided: Mapping[str, str] | None = None) -> str:
        """Return the secret after its prefix. Raises LoadError as `read` does."""
        return f"{self._prefix}{self.read(provided)}"


def secret(reference: str, *, prefix: str = "") -> Any:
    """Return a reference to a secret, for values of `headers=`, `auth=` and `config=`.

    *reference* is "env:NAME", an environment variable, or "@PATH", a file, whose last line break is left
    out. *prefix* is put before it, such as "Bearer ". It is read when a run begins, by the master or by the process
    that runs alone, never by workers; `chaperon ls` and `chaperon plan` do not read it. It is masked in all
    output. Raises LoadError where *reference* has another form.
    """
    if not isinstance(reference, str) or not is_reference(reference):
        raise LoadError("secret() takes 'env:NAME' or '@PATH', the place of a secret, not the secret itself")
    return SecretReference(reference, prefix)


def is_reference(text: str) -> bool:
    """Return whether a text of the command line is "env:NAME" or "@PATH"; "env::" and "@@" are escapes."""
    for start in (_VARIABLE, _FILE):
        if text.startswith(start):
            return len(text) > len(start) and text[len(start)] != start[-1]
    return False


def reference_of(text: str) -> Any:
    """Return what a value of the command line means: a `SecretReference`, or the text with "env::" and "@@" undone."""
    if is_reference(text):
        return SecretReference(text)
    for start in (_VARIABLE, _FILE):
        if text.startswith(f"{start}{start[-1]}"):
            return f"{start}{text[len(start) + 1 :]}"
    return text


def header_reference(name: str, text: str) -> Any:
    """Return what the value of a header means, as `reference_of`; one of Authorization may have a scheme before."""
    scheme = _SCHEME.match(text) if name.lower().endswith("authorization") else None
    if scheme is not None and is_reference(text[scheme.end() :]):
        return SecretReference(text[scheme.end() :], scheme[1])
    return reference_of(text)


def resolve(plan: RunPlan, provided: Mapping[str, str] | None = None) -> RunPlan:
    """Return *plan* with every secret in place of its reference; *provided* are those that a master has sent.

    Raises LoadError, which names the reference and where it stands, never a value.
    """
    found: dict[str, str] = {}

    def read(reference: SecretReference, place: str) -> str:
        try:
            text = reference.text(provided)
        except LoadError as exc:
            raise LoadError(f"{place}: {exc}") from exc
        if place.startswith("header ") and not _FIELD.fullmatch(text):
            raise LoadError(f"{place}: {reference.reference} has a line break, or characters beyond Latin-1")
        found[reference.reference] = reference.read(provided)
        return text

    services = {
        name: replace(
            service,
            headers={key: _replaced(value, f"header {key}", read) for key, value in service.headers.items()},
            auth=_replaced(service.auth, "auth", read),
        )
        for name, service in plan.services.items()
    }
    config = _replaced(plan.config, "config", read)
    settings = _replaced(plan.settings, "--set", read)
    entries = tuple(replace(each, config=_replaced(each.config, "config", read)) for each in plan.entries)
    if not found:
        return plan
    return replace(plan, services=services, config=config, settings=settings, entries=entries, resolved_secrets=found)


def _replaced(value: Any, place: str, read: Callable[[SecretReference, str], str]) -> Any:
    if isinstance(value, SecretReference):
        return read(value, place)
    if isinstance(value, Mapping):
        return {key: _replaced(each, f"{place} {key}", read) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_replaced(each, place, read) for each in value)
    return value


def _from_variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        what = "is empty" if value == "" else "is not set"
        raise LoadError(f"the environment variable {name} {what}: set it to the secret (env::{name} means the text)")
    return value


def _from_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode()
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not text in UTF-8"
        raise LoadError(f"cannot read the secret in {path}: {why} (@@{path} means the text)") from None
    if len(content) > LARGEST:
        raise LoadError(f"{path} is no secret: it has more than {LARGEST:,} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise LoadError(f"the secret in {path} is empty")
    return text
