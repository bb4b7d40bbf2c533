"""The exception classes: all in one module, and those that public docstrings name are exported."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re

import pytest
import requests

import chaperon
import chaperon.testing
from chaperon import errors
from chaperon.client.network.exceptions import base_missing, deadline_exceeded, too_large, unreachable

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(chaperon.__path__, "chaperon.")
    if not found.name.endswith("__main__")
]


def classes_of(module):
    return [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__]


CLASSES = {kind.__name__: kind for module in MODULES for kind in classes_of(module)}
ERRORS = {kind.__name__: kind for kind in classes_of(errors) if not kind.__name__.startswith("_")}


def test_no_other_module_defines_an_exception_class():
    elsewhere = [kind for module in MODULES if module is not errors for kind in classes_of(module)]

    assert not [kind for kind in elsewhere if issubclass(kind, BaseException)]


def test_the_classes_stand_in_four_groups():
    source = inspect.getsource(errors)
    parts = re.split(r"^# \d\. (Yours|The plan's|Ours|Control flow):? .*$", source, flags=re.MULTILINE)
    groups = {title: {n.name for n in ast.parse(part).body if isinstance(n, ast.ClassDef)}
              for title, part in zip(parts[1::2], parts[2::2], strict=True)}  # fmt: skip

    assert list(groups) == ["Yours", "The plan's", "Ours", "Control flow"]
    assert set().union(*groups.values()) >= set(ERRORS) - {"ChaperonError"}
    assert not [name for name in groups.pop("Control flow") if issubclass(ERRORS[name], errors.ChaperonError)]
    assert all(issubclass(getattr(errors, name), errors.ChaperonError) for name in set().union(*groups.values()))


def public_members():
    """Yield (name, member) of everything an author can reach: what is exported, its members, what those return."""
    waiting = [getattr(module, name) for module in (chaperon, chaperon.testing) for name in module.__all__]
    seen = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen or not callable(each) or not hasattr(each, "__qualname__"):  # a compiled property
            continue
        seen.add(id(each))
        yield each.__qualname__, each
        members = []
        if inspect.isclass(each):
            held = [n for n in dir(each) if not n.startswith("_") or n in ("__getitem__", "__iter__", "__call__")]
            members = [inspect.getattr_static(each, name) for name in held]
            members = [getattr(m, "fget", None) or getattr(m, "__func__", m) for m in members]
        for member in members:
            if getattr(member, "__module__", "").startswith("chaperon"):
                waiting.append(member)
        returned = getattr(each, "__annotations__", {}).get("return", "")
        waiting += [CLASSES[word] for word in re.findall(r"\w+", str(returned)) if word in CLASSES]


PUBLIC = dict(public_members())


def errors_named(member):
    """Yield the classes that the sentences of a docstring say are raised, with the dotted names of other packages."""
    text = " ".join((inspect.getdoc(member) or "").split())
    for sentence in re.findall(r"[Rr]aises? (.*?)(?:\. |\.$|$)", text):
        named = re.findall(r"(?<![\w.])(?:[a-z_]+\.)*[A-Z][a-z]+[A-Z]\w*|\b[A-Z]{2}Error\b", sentence)
        yield from (name for name in named if name in ERRORS or name not in CLASSES)


def test_the_walk_reaches_what_an_author_uses():
    reached = {"WebSocketMethods.ws", "WebSocket.expect", "Response.json", "Report.__getitem__", "Run.scale"}

    assert not reached - set(PUBLIC)
    assert {"WebSocketTimeout", "NotInReply", "NoSuchSeries", "TaskMissing"} <= {
        name for member in PUBLIC.values() for name in errors_named(member)
    }


@pytest.mark.parametrize("name", sorted(n for n, member in PUBLIC.items() if list(errors_named(member))))
def test_an_error_that_a_public_docstring_names_can_be_imported(name):
    for error in errors_named(PUBLIC[name]):
        package, _, last = error.rpartition(".")
        home = importlib.import_module(package) if package else builtins if hasattr(builtins, last) else chaperon

        assert home is not chaperon or last in chaperon.__all__, error
        assert issubclass(getattr(home, last), BaseException)


def sentences_on_errors():
    for module in MODULES:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                text = " ".join((ast.get_docstring(node) or "").split())
                yield from re.findall(r"[Rr]aises (.*?)(?:\. |\.$|$)", text)


@pytest.mark.as_written
@pytest.mark.long
def test_an_error_that_any_docstring_names_exists():
    named = set(re.findall(r"\b[A-Z]\w+(?:Error|Timeout|Missing)\b", " ".join(sentences_on_errors())))

    assert named & set(ERRORS)
    assert not named - {*ERRORS, *vars(builtins), *vars(requests.exceptions), "SSLError"}


@pytest.mark.parametrize(
    ("raised", "ours", "theirs"),
    [
        (deadline_exceeded("late"), chaperon.DeadlineExceeded, requests.exceptions.ReadTimeout),
        (too_large(10), chaperon.BodyTooLarge, requests.RequestException),
        (base_missing("no base"), chaperon.BaseMissing, requests.exceptions.MissingSchema),
        (base_missing("no base"), chaperon.errors.UsageError, requests.exceptions.MissingSchema),
        (unreachable(OSError(24, "files"), None, "", 1.0), chaperon.DescriptorsExhausted, requests.ConnectionError),
        (unreachable(OSError(99, "ports"), None, "", 1.0), chaperon.PortsExhausted, requests.ConnectionError),
    ],
)
def test_an_error_of_a_request_is_caught_by_our_name_and_by_that_of_requests(raised, ours, theirs):
    assert isinstance(raised, ours)
    assert isinstance(raised, theirs)
    assert type(raised).__name__ in ERRORS
    assert type(raised).__module__ == "chaperon.errors"
