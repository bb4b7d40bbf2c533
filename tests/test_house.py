"""The drawing of the house in CONTRIBUTING.md, as a walk over the imports."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "chaperon"
MODULES = sorted(p for p in HOUSE.rglob("*.py"))

# within a floor, rooms further down may look up the list; a line a room
FLOORS = [
    [
        "_version",
        "errors",
        "descriptors",
        "timers",
        "interrupts",
        "clock",
    ],
    [
        "measure.plain_text",
        "measure.exception_text",
        "measure.sample",
        "measure.confidence",
        "measure.sketch",
        "measure.series",
        "measure.hub_lag",
        "measure.window",
        "measure.closing",
        "measure.recorder",
        "measure.meter",
        "measure.marks",
    ],
    [
        "load.background",
        "load.curve",
        "load.profile",
        "load.shapes",
        "load.expression",
        "load.phases",
        "load.arrivals",
        "load.weights",
        "load.share",
        "load.feeder",
        "load.evidence",
        "load.ticker",
        "load.sentinel",
        "load.machine",
        "load.steering",
        "load.plan",
        "load.health",
        "load.due_time",
        "load.search",
        "load.flight",
        "load.open_load",
        "load.closed_load",
        "load.engine",
    ],
    [
        "client.service",
        "client.timings",
        "client.tls",
        "client.capacity",
        "client.response",
        "client.parser",
        "client.channel",
        "client.faults",
        "client.bounds",
        "client.secure",
        "client.resolver",
        "client.connection",
        "client.stream",
        "client.transport",
        "client.memory",
        "client.json_text",
        "client.heads",
        "client.decoding",
        "client.reading",
        "client.reply",
        "client.counting",
        "client.express",
        "client.stock",
        "client.adapter",
        "client.pools",
        "client.prepared",
        "client.origins",
        "client.wired",
        "client.http",
        "client.dial",
        "client.websocket.frames",
        "client.websocket.waiting",
        "client.websocket.inbox",
        "client.websocket.stream",
        "client.websocket.tally",
        "client.websocket.channel",
        "client.websocket.handshake",
        "client.websocket.correlation",
        "client.websocket.connection",
        "client.websocket.opening",
        "report.secret_names",
        "report.secret_shapes",
        "report.redaction",
        "report.figures",
        "report.percentiles",
        "report.collector",
        "report.generator_part",
        "report.reckoning",
        "report.summary",
        "report.texts",
        "report.split",
        "report.chart",
        "report.capacity",
        "report.limits",
        "report.falsified",
        "report.limit_text",
        "report.sliding",
        "report.trust",
        "report.causes",
        "report.doubts",
        "report.verdict",
        "report.watch",
        "report.output_file",
        "report.records",
        "report.crew",
        "report.text",
    ],
    [
        "script.calling",
        "script.waiting",
        "script.state",
        "script.config",
        "script.series_rules",
        "script.stretch",
        "script.measuring",
        "script.endless",
        "script.tasks",
        "script.bounds",
        "script.steps",
        "script.signals",
        "script.rendezvous",
        "script.scene",
        "script.hands",
        "script.luck",
        "script.verbs",
        "script.sockets",
        "script.flow",
        "script.spreading",
        "script.spawning",
        "script.data",
        "script.session",
        "script.scenario",
        "script.visitor",
        "script.preparation",
        "script.entry",
        "script.known_secrets",
        "script.finding",
        "script.environment",
        "script.garbage",
        "script.sending",
        "script.running",
        "script.beside",
        "script.loader",
    ],
    [
        "cluster.messages",
        "cluster.wire",
        "cluster.packing",
        "cluster.window_size",
        "cluster.facts",
        "cluster.journal",
        "cluster.recovery",
        "cluster.shelter",
        "cluster.address",
        "cluster.key_variables",
        "cluster.keys",
        "cluster.key_files",
        "cluster.parent_pipe",
        "cluster.link",
        "cluster.connections",
        "cluster.standstill",
        "cluster.sockets",
        "cluster.bound",
        "cluster.connected",
        "cluster.memory",
        "cluster.timepiece",
        "cluster.outbox",
        "cluster.parcel",
        "cluster.ledger",
        "cluster.accounts",
        "cluster.fleet_caps",
        "cluster.remnant",
        "cluster.spans",
        "cluster.roster",
        "cluster.muster",
        "cluster.admission",
        "cluster.estate",
        "cluster.supervisor",
        "cluster.joining",
        "cluster.dispatch",
        "cluster.stint",
        "cluster.worker",
        "cluster.conductor",
        "cluster.master",
    ],
    [
        "local",
        "demo",
        "testing.clock",
        "testing.hostile.server",
        "testing.hostile.connections",
        "testing.hostile.heads",
        "testing.hostile.bodies",
        "testing.hostile.secure",
        "testing.hostile",
        "testing",
        "demo_scenario",
    ],
    [
        "cli.streams",
        "cli.console",
        "cli.options",
        "cli.ends",
        "cli.stray_errors",
        "cli.live",
        "cli.perform",
        "cli.keygen",
        "cli.engine",
        "cli.fleet",
        "cli.worker",
        "cli.master",
        "cli.local",
        "cli.check",
        "cli.demo",
        "cli.ls",
        "cli.new",
        "cli.plan",
        "cli.find",
        "cli.main",
        "cli",
    ],
    [
        "__init__",
        "__main__",
    ],
]
PLACE = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}

# seen from below for types alone: what a module says it returns or takes
TYPES_ONLY = {
    ("script.tasks", "script.session"),
    ("script.endless", "script.session"),
    ("script.spreading", "script.session"),
    ("script.spawning", "script.session"),
    ("script.environment", "script.running"),
    ("script.finding", "script.environment"),
}
# neighbours who never see each other, and jumps that are closed
CLOSED = [("client", "report"), ("report", "client"), ("client", "load"), ("report", "load")]

DOORS = {
    "requests": {"client"},
    "urllib3": {"client"},
    "lxml": {"client.reading"},
    "websocket": {"client.websocket"},
    "httptools": {"client.parser"},
    "zmq": {"cluster.sockets", "cluster.bound", "cluster.connected", "cluster.keys"},
    "msgpack": {"cluster.wire"},
    "time": {"clock"},
    "datetime": {"clock", "client.reply"},
    "click": {"cli"},
    "rich": {"cli", "report.text"},
    "fastdigest": {"measure.sketch"},
    "tdigest": {"measure.sketch", "report.summary"},
    "random": {"load.profile", "load.arrivals", "load.feeder", "script", "cluster"},
}
NO_GEVENT = (
    "measure.",
    "report.",
    *(f"load.{room}" for room in ("curve", "profile", "shapes", "expression", "phases")),
    *(f"load.{room}" for room in ("arrivals", "share", "steering", "plan")),
)


def name_of(path):
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def imports_of(path):
    """Return (module, name, only for types) of every import, those inside functions too."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    typing = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name, None, id(node) in typing) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module, alias.name, id(node) in typing) for alias in node.names]
    return found


def rooms_seen(path):
    for module, name, typing in imports_of(path):
        if module.split(".")[0] == "chaperon":
            room = module.removeprefix("chaperon").lstrip(".")
            inner = f"{room}.{name}".lstrip(".")
            yield (inner if inner in PLACE else room), typing


def packages(path):
    return path.name == "__init__.py" and path.parent != HOUSE and name_of(path) not in PLACE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path):
    room = name_of(path)
    if packages(path):
        assert not list(rooms_seen(path))
        return
    assert room in PLACE, f"{room} has no place on the drawing"

    for seen, typing in rooms_seen(path):
        if (room, seen) in TYPES_ONLY or room == "__init__":
            continue
        assert seen in PLACE, f"{room} imports {seen}, which has no place on the drawing"
        assert PLACE[seen] < PLACE[room], f"{room} looks up at {seen}{' for a type' if typing else ''}"
        assert not any(room.startswith(a) and seen.startswith(b) for a, b in CLOSED), f"{room} may not see {seen}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_foreign_libraries_come_in_by_their_own_doors(path):
    room = name_of(path)

    for module, _, typing in imports_of(path):
        library = module.split(".")[0]
        doors = DOORS.get(library)
        if doors is not None and not typing:
            assert any(room == d or room.startswith(d + ".") for d in doors), f"{room} brings in {library}"
        if library == "gevent":
            assert not room.startswith(NO_GEVENT), f"{room} is arithmetic: no gevent"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_one_idea_in_a_small_room(path):
    text = path.read_text()
    said = ast.get_docstring(ast.parse(text))

    assert len(text.splitlines()) <= 400
    assert said, "a module opens with a sentence that says what it is"
    assert " and " not in said.splitlines()[0]
    assert path.stem not in {"utils", "common", "helpers", "core", "base", "manager"}


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
heavy = {"ssl", "requests", "urllib3", "websocket", "zmq", "rich", "click"} & set(sys.modules)
assert not heavy, heavy
print(took)
"""


def test_importing_chaperon_is_light_and_changes_nothing():
    took = [
        float(subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]

    assert min(took) < 0.1
