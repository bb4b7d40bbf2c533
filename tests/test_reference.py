"""docs/reference.md against the code; `python tests/test_reference.py` writes its tables."""

import ast
import inspect
import json
import re
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
from test_report_values import SCHEMA

import chaperon
from chaperon.client.timings import Timings
from chaperon.errors import LimitError
from chaperon.measure.sample import Sample
from chaperon.measure.window import RunEvent, VisitCounts
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.report import ErrorRow, Report, SlowRequest
from chaperon.report.rows import Row
from chaperon.report.samples.observer import SampleRecord
from chaperon.report.totals import Pulse, SecondRow, WorkerStats
from chaperon.report.validity.validity_rules import ValidityRules

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
CLASSES = (Report, Row, ErrorRow, SlowRequest, LimitResult, VisitCounts, SecondRow, WorkerStats, RunEvent, Pulse,
           SampleRecord, Sample)  # fmt: skip


def _annotation(of):
    """The annotation of a field of a named tuple as it is written: `typing.NamedTuple` wraps it."""
    return getattr(of, "__forward_arg__", of)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def first_sentence(thing):
    said = inspect.getdoc(thing) or ""
    return re.match(r"(.*?(?:[.](?=\s|$)|$))", " ".join(said.split("\n\n")[0].split()))[1].rstrip(":")


def names():
    yield "| name | |"
    yield "|---|---|"
    for name in sorted(set(chaperon.__all__) - {"__version__"}, key=str.lower):
        thing = getattr(chaperon, name)
        shown = name if inspect.isclass(thing) else f"{name}(…)"
        yield f"| `{shown}` | {cell(first_sentence(thing))} |"
    yield "| `__version__` | The version, as text. |"


def attributes_of(kind):
    """Return the public attributes of a class with what is said of each: its own sentence, else its type."""
    own = {}
    if is_dataclass(kind):
        own = {field.name: f"`{field.type}`" for field in fields(kind)}
    elif hasattr(kind, "_fields"):
        own = {name: f"`{_annotation(kind.__annotations__[name])}`" for name in kind._fields}
    for name, value in inspect.getmembers(kind):
        if name.startswith("_") or name in own or (name in ("count", "index") and issubclass(kind, tuple)):
            continue
        if isinstance(value, property) or callable(value):
            shown = name if isinstance(value, property) else f"{name}{re.sub(r'^[(]self(, )?', '(', signature(value))}"
            own[shown] = first_sentence(value)
    return own


def signature(function):
    return re.sub(r" -> .*$", "", str(inspect.signature(function))).replace("'", "")


def classes():
    for kind in CLASSES:
        yield f"### {kind.__name__}\n"
        yield f"{inspect.getdoc(kind)}\n"
        yield "| attribute | |"
        yield "|---|---|"
        for name, said in attributes_of(kind).items():
            yield f"| `{cell(name)}` | {cell(said)} |"
        yield ""


def type_text(part):
    if "$ref" in part:
        return part["$ref"].rpartition("/")[2]
    if "anyOf" in part:
        return " or ".join(map(type_text, part["anyOf"]))
    if "enum" in part:
        return ", ".join(part["enum"])
    if "const" in part:
        return f'"{part["const"]}"'
    if part["type"] == "array" and "items" in part:
        return f"array of {type_text(part['items'])}"
    return " or ".join(part["type"]) if isinstance(part["type"], list) else part["type"]


def json_keys():
    for name, part in {"report": SCHEMA, **SCHEMA["$defs"]}.items():
        if "properties" not in part:
            continue
        yield f"### {name}\n"
        yield "| key | type | |"
        yield "|---|---|---|"
        for key, value in part["properties"].items():
            yield f"| `{key}` | {type_text(value)} | {value.get('description', '')} |"
        yield ""


def rules():
    yield "| rule | default |"
    yield "|---|---|"
    for field in fields(ValidityRules):
        yield f"| `{field.name}` | {field.default:g} |"
    yield ""
    yield inspect.getdoc(ValidityRules).split("\n\n", 1)[1]


def constants(tree, module):
    return {name: value for name, value in vars(import_module(module)).items() if isinstance(value, str)}


def text_of(node, known):
    """Return the text of a note in the code with … for what differs, None if it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else text_of(part.value, known) or "…" for part in node.values
        ]
        return "".join(parts)
    return None


COUNTING = ("count_note", "count_exception", "_count")
"""Methods whose first argument is the text of a note."""


def note_texts():
    found = set()
    for path in sorted((ROOT / "chaperon").rglob("*.py")):
        text = path.read_text()
        if not any(f"{name}(" in text for name in COUNTING):
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(text)
        known = constants(tree, module)
        for node in ast.walk(tree):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr
            if called in COUNTING and node.args:
                said = text_of(node.args[0], known)
                if said and said != "…":
                    found.add(f"{said}: …" if called == "count_exception" else said)
    return sorted(found)


def notes():
    for text in note_texts():
        yield f"- {cell(text)}"


PARTS = {"names": names, "classes": classes, "json": json_keys, "rules": rules, "notes": notes}


def page():
    text = PAGE.read_text()
    for name, lines in PARTS.items():
        before, start, rest = text.partition(f"<!-- {name} -->")
        after = rest.partition(f"<!-- end of {name} -->")
        assert start, name
        assert after[1], name
        body = "\n".join(lines()).strip("\n")
        text = f"{before}{start}\n\n{body}\n\n{after[1]}{after[2]}"
    return text


@pytest.mark.as_written
def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == page(), "python tests/test_reference.py writes it"


def test_every_public_name_says_what_it_is():
    assert [line for line in names() if line.endswith("|  |")] == []


def test_the_notes_of_the_code_are_found():
    texts = note_texts()

    assert len(texts) > 10
    assert any("names beyond the first" in text for text in texts)


LIMITS = re.findall(
    r"^    (\S.*)$", PAGE.read_text().partition("Examples, each")[2].partition("\n## ")[0], re.MULTILINE
)


@pytest.mark.parametrize("text", LIMITS)
def test_the_limits_of_the_page_are_limits(text):
    assert parse(text).text == text


def test_the_page_has_every_word_of_the_grammar():
    said = " ".join(LIMITS)

    for word in ("min", "mean", "max", "rate", "count", "errors", "last", "p99.9", "all ", "bad ", "over", "during",
                 "abort", "after", "response", "service", "{", "<=", ">=", "==", "%", "/s", "/m", "ms"):  # fmt: skip
        assert word in said, word
    with pytest.raises(LimitError):
        parse("p95 of GET / < 1s")


SERIES = dict(
    re.findall(
        r"^\| `([^|]+)` \| ([^|]+) \|", PAGE.read_text().partition("## Series")[2].partition("\n## ")[0], re.MULTILINE
    )
)


def begins(path):
    """Return the texts with which names of series begin in a module, up to the first part that differs."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        name = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in ("record", "_record", "measure", "TimedBlock"):
            continue
        for argument in node.args[:2]:
            if isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
                found.add(argument.values[0].value)
    return found


def test_the_page_has_every_series_that_the_code_records():
    folders = ("client", "session", "scenario")
    paths = [path for folder in folders for path in (ROOT / "chaperon" / folder).rglob("*.py")]
    found = set().union(*map(begins, paths))

    assert {"check ", "ws closed ", "retries "} <= found
    for beginning in found:
        assert any(name.startswith(beginning.rstrip()) for name in SERIES), beginning
    for stage in Timings._fields:
        assert any(name.startswith(f"{stage} ") for name in SERIES), stage


@pytest.mark.parametrize("word", ["report.schema.json", "options.md", "websockets.md#"])
def test_the_page_leads_to_the_others(word):
    assert word in PAGE.read_text()
    assert files("chaperon.report").joinpath("report.schema.json").is_file()
    assert json.dumps(SCHEMA)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
