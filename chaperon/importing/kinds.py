"""The kinds of sources that can be imported, and the text of the module made of each."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import Any

from chaperon.errors import LoadError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.exception_text import describe

LARGEST = 256 << 20
"""Bytes of the largest source."""

SPAN_OF_FORMATTING = 20.0
"""Seconds that the formatter may take."""


@lazy_dataclass(frozen=True)
class Imported:
    """The source text of a module, and what could not be carried over, a sentence each."""

    text: str
    remarks: tuple[str, ...] = ()


KINDS: Mapping[str, str] = {
    "curl": "chaperon.importing.curl_command.importer:import_curl",
    "har": "chaperon.importing.har:import_har",
    "openapi": "chaperon.importing.openapi:import_openapi",
    "postman": "chaperon.importing.postman:import_postman",
    "locust": "chaperon.importing.locust_file.importer:import_locust",
}
"""By kind: the function that makes a module of the text of a source."""


def import_source(kind: str, text: str) -> Imported:
    """Return the scenario module that *text*, a source of one of KINDS, is imported as. Raises LoadError."""
    from chaperon.importing.module_writer import module_text
    from chaperon.importing.scenario_model import ImportedModule

    place, _, name = KINDS[kind].partition(":")
    read: Callable[[str], Any] = getattr(import_module(place), name)
    try:
        made = read(text)
        found = Imported(module_text(made), tuple(made.remarks)) if isinstance(made, ImportedModule) else made
        formatted = formatted_text(found.text)
        ast.parse(formatted)
    except RecursionError:
        raise LoadError(f"the {kind} source is nested too deeply") from None
    except (AttributeError, LookupError, TypeError, ValueError) as exc:  # a field of another type than its format says
        raise LoadError(f"it is not as the format {kind} says: {describe(exc)}") from exc
    return Imported(formatted, found.remarks)


def formatter() -> str | None:
    """Return the path of ruff beside this interpreter, or else on the PATH; None if there is none."""
    return which("ruff", path=str(Path(sys.executable).parent)) or which("ruff")


def formatted_text(text: str) -> str:
    """Return Python source as `ruff format` lays it out in the working directory; as it is where there is no ruff."""
    ruff = formatter()
    if ruff is None:
        return text
    try:
        done = subprocess.run(
            [ruff, "format", "--stdin-filename", "imported.py", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=SPAN_OF_FORMATTING,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return text
    return done.stdout.decode()
