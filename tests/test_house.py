"""The structure of the package, checked over its imports: floors, circles, doors, sizes."""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.as_written, pytest.mark.long]

HOUSE = Path(__file__).resolve().parent.parent / "chaperon"
FLOORS = [
    {
        "_version",
        "errors",
        "exit_codes",
        "clock",
        "alarms",
        "timers",
        "interrupts",
        "author_frames",
        "descriptors",
        "gc_tuning",
        "lazy_dataclass",
        "signed",
        "forks",
    },
    {"measure"},
    {"load"},
    {"client", "report"},
    {"session"},
    {"scenario"},
    {"execution"},
    {"cluster"},
    {"local", "live_page", "importing", "demo", "demo_scenario", "testing"},
    {"cli"},
    {"__init__", "__main__", "pytest_plugin"},
]
"""Imports go down; rooms of one floor do not see each other, but in the last two rows and the first."""
UNSEEN = {("client", "load"), ("report", "load"), ("client", "report"), ("report", "client")}
DOORS = {
    "requests": {"client", "report.output_parts.push"},
    "prometheus_client": {"report.outputs.prometheus"},
    "urllib3": {"client"},
    "pytest": {"pytest_plugin"},
    "yaml": {"importing.openapi_document"},
    "lxml": {"client.http.extract"},
    "websockets": {"client.websocket.masking"},
    "geventwebsocket": {"live_page.door"},
    "httptools": {"client.http.parser"},
    "zmq": {"cluster.transport"},
    "msgpack": {"measure.encoding.strict_msgpack"},
    "time": {"clock", "timers"},
    "datetime": {
        "clock",
        "client.http.response",
        "report.outputs.csv",
        "report.exchanges.failures_output",
        "report.samples.samples_output",
        "importing.har_entries",
    },
    "click": {"cli"},
    "rich": {"cli", "report.outputs.console", "report.output_parts.series_table"},
    "fastdigest": {"measure.sketch"},
    "tdigest": {"measure.sketch", "report.rows"},
    "random": {"load", "session", "scenario", "cluster"},
}
"""By foreign library: the modules, or folders, that may import it."""


def name_of(path):
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(HOUSE.rglob("*.py"))}
FLOOR = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}


@cache
def tree_of(room):
    """Return a module parsed. No module is parsed while tests are collected: each process does that."""
    return ast.parse(MODULES[room].read_text())


@cache
def imports_of(room):
    """Return the dotted names a module imports, those for typing and inside functions too."""
    nodes = list(ast.walk(tree_of(room)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    dotted = [f"{node.module}.{a.name}" for node in nodes if isinstance(node, ast.ImportFrom) for a in node.names]
    return plain + dotted


def rooms_seen(room):
    own = [name.removeprefix("chaperon.") for name in imports_of(room) if name.split(".")[0] == "chaperon"]
    return {name if name in MODULES else name.rpartition(".")[0] for name in own} - {room, "", "chaperon"}


def all_seen():
    return {room: rooms_seen(room) for room in MODULES if room != "__init__"}


def test_imports_go_down_only():
    folders = {(room.split(".")[0], seen.split(".")[0]) for room, many in all_seen().items() for seen in many}

    assert not [(a, b) for a, b in folders if a != b and FLOOR[b] > FLOOR[a]]
    assert not folders & UNSEEN


def test_no_modules_import_each_other_in_a_circle():
    TopologicalSorter(all_seen()).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_comes_in_by_its_own_door(library):
    bringing = [room for room in MODULES if library in {name.split(".")[0] for name in imports_of(room)}]

    assert bringing
    assert not [r for r in bringing if not any(f"{r}.".startswith(f"{door}.") for door in DOORS[library])]


def test_the_clock_below_a_run_is_handed_in():
    below = [room for room in MODULES if FLOOR[room.split(".")[0]] < FLOOR["execution"] and room != "clock"]

    assert not [room for room in below if "HubClock" in MODULES[room].read_text()]


def test_a_module_is_one_idea_in_a_small_room():
    assert not [room for room, path in MODULES.items() if len(path.read_text().splitlines()) > 400]
    assert not [room for room in MODULES if not ast.get_docstring(tree_of(room))]  # a sentence that says what it is
    assert not [
        room for room in MODULES if {"utils", "common", "helpers", "core", "base", "manager"} & set(room.split("."))
    ]


def test_a_folder_has_18_modules_at_most():
    folders = [path.parent for path in MODULES.values() if path.name != "__init__.py"]

    assert not {folder.name: n for folder in folders if (n := folders.count(folder)) > 18}


LIGHT = """
import sys, threading, signal, socket, logging
before = signal.getsignal(signal.SIGINT), socket.socket, threading.active_count(), list(logging.root.handlers)
from time import perf_counter
start = perf_counter()
import chaperon
took = perf_counter() - start
after = signal.getsignal(signal.SIGINT), socket.socket, threading.active_count(), list(logging.root.handlers)
assert before == after, (before, after)
from chaperon import *
heavy = {"ssl", "requests", "urllib3", "websockets", "zmq", "rich", "click"} & set(sys.modules)
assert not heavy, heavy
print(took)
"""


@pytest.mark.processes
def test_importing_chaperon_is_light_and_changes_nothing():
    took = [
        float(subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]

    assert min(took) < 0.1


def test_no_two_public_classes_have_one_name():
    found = Counter(
        node.name
        for room in MODULES
        for node in tree_of(room).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert not {name: times for name, times in found.items() if times > 1}


VERBS = {"take", "note", "tell", "hear", "settle", "turn"}
"""Verbs that said of too many different things that they were done."""
PUBLIC_VERBS = {
    "session.data:take",
    "execution.run:note",
    "report.page.run_control:note",
    "testing.hostile.server:hear",
}
"""Methods of the public API, and of what stands in for it, that keep such a name."""


def test_a_verb_says_what_is_done():
    found = {
        f"{room}:{node.name}"
        for room in MODULES
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.FunctionDef) and node.name in VERBS
    }

    assert found == PUBLIC_VERBS


def test_dataclasses_are_lazy():
    eager = [
        f"{room}:{node.name}"
        for room in MODULES
        for node in ast.walk(tree_of(room))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(each).partition("(")[0] == "dataclass" for each in node.decorator_list)
    ]

    assert not eager
