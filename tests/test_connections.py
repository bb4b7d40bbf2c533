"""A closed connection is known at both ends within milliseconds, over every transport."""

import os
import signal
import socket
import subprocess
import sys
import time

import gevent
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from shells import engines
from test_fleet import Ground
from thorough import some
from waits import lasting, until
from wires import Wire

from chaperon import rate
from chaperon.cluster.protocol.messages import CLOCK_PINGS, Bye, Ping, WindowFrame, WindowsReceived
from chaperon.cluster.transport import zmq_sockets
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.connections import Connections
from chaperon.cluster.transport.keys import make_pair
from chaperon.cluster.transport.link import STRANGERS
from chaperon.cluster.transport.master_socket import GATHER_PER_WORKER, MasterSocket
from chaperon.cluster.transport.worker_socket import BROKEN_HANDSHAKES, WorkerSocket

SOON = 0.25  # seconds; alone it takes 2 ms


class Pair:
    def __init__(self, tmp_path, kind):
        self.keys = make_pair() if kind == "curve" else (None, None)
        address = Address.parse(f"ipc://{tmp_path / 'm'}") if kind == "ipc" else Address("127.0.0.1", 0)
        self.bound = MasterSocket(address, self.keys[0])
        self.heard, self.closed, self.seen, self.direct = [], [], {}, {}
        self.bound.listen(lambda peer, message: self.heard.append(peer), lambda peer, exc: None, self._on_closed)
        self.links = {}

    def _on_closed(self, peer, direct):
        self.closed.append(peer)
        self.direct[peer] = direct

    def connect(self, name, through=None):
        link = self.links[name] = WorkerSocket(through or self.bound.address, name, self.keys[1])
        states = self.seen[name] = []
        link.listen(lambda message: None, lambda exc: None, on_connection=states.append)
        self.say(name)
        until(lambda: states == [True] and name in self.heard)
        return link

    def say(self, name):
        self.links[name].send(Bye("w", 1))

    def close(self):
        for link in (*self.links.values(), self.bound):
            link.close()


@pytest.fixture(params=["tcp", "curve", "ipc"])
def pair(request, tmp_path):
    made = Pair(tmp_path, request.param)
    yield made
    made.close()


def test_the_master_knows_at_once_whose_connection_was_closed(pair):
    for name in (b"alpha/1", b"beta/1"):
        pair.connect(name)

    pair.links.pop(b"alpha/1").close()
    began = time.perf_counter()
    until(lambda: pair.closed)

    assert time.perf_counter() - began < SOON
    assert pair.closed == [b"alpha/1"]


def ping(pair, name):
    heard = len(pair.heard)
    pair.links[name].send(Ping("alpha", 1, 1, "ready", 0.0))
    until(lambda: len(pair.heard) > heard)


def test_messages_are_gathered_once_there_are_windows_and_all_clocks_are_known(tmp_path, monkeypatch):
    gathers = {}
    read = zmq_sockets.Sockets.read

    def reading(self, socket, on_message, *, gather=None, **named):
        gathers[socket.type] = gather
        read(self, socket, on_message, gather=gather, **named)

    monkeypatch.setattr(zmq_sockets.Sockets, "read", reading)
    pair = Pair(tmp_path, "tcp")
    control, sink = gathers[zmq.ROUTER], gathers[zmq.PULL]
    try:
        pair.connect(b"alpha/1")
        ping(pair, b"alpha/1")
        assert (control(), sink()) == (0.0, GATHER_PER_WORKER)  # the offset of a clock is estimated by pings

        heard = len(pair.heard)
        pair.links[b"alpha/1"].send_window(WindowFrame("alpha", 1, 1, 1, b""))
        until(lambda: len(pair.heard) > heard)
        assert (control(), sink()) == (0.0, GATHER_PER_WORKER)

        for _ in range(CLOCK_PINGS - 1):
            ping(pair, b"alpha/1")
        assert (control(), sink()) == (GATHER_PER_WORKER, GATHER_PER_WORKER)

        pair.connect(b"beta/1")  # which joins late
        ping(pair, b"beta/1")
        assert (control(), sink()) == (0.0, 2 * GATHER_PER_WORKER)
        for _ in range(CLOCK_PINGS - 1):
            ping(pair, b"beta/1")
        assert (control(), sink()) == (2 * GATHER_PER_WORKER, 2 * GATHER_PER_WORKER)

        pair.connect(b"gamma/1")
        ping(pair, b"gamma/1")
        assert control() == 0.0
        pair.links.pop(b"gamma/1").close()  # before its clock is known
        until(lambda: pair.closed == [b"gamma/1"])
        assert (control(), sink()) == (2 * GATHER_PER_WORKER, 2 * GATHER_PER_WORKER)
    finally:
        pair.close()


def test_a_connection_without_a_proxy_is_direct(pair):
    pair.connect(b"alpha/1")
    ping(pair, b"alpha/1")

    pair.links.pop(b"alpha/1").close()
    until(lambda: pair.closed)

    assert pair.direct == {b"alpha/1": True}


@pytest.mark.parametrize("kind", ["tcp", "curve"])
def test_a_proxy_that_closes_the_masters_side_alone_is_not_direct(tmp_path, kind):
    pair = Pair(tmp_path, kind)
    wire = Wire(str(pair.bound.address))
    try:
        pair.connect(b"alpha/1", Address.parse(wire.address))
        ping(pair, b"alpha/1")

        wire.close_far()
        until(lambda: pair.closed)

        assert pair.direct == {b"alpha/1": False}
        assert pair.seen[b"alpha/1"] == [True]
    finally:
        pair.close()
        wire.close()


def test_a_worker_knows_at_once_that_its_master_is_gone(pair):
    pair.connect(b"alpha/1")

    pair.bound.close()
    began = time.perf_counter()
    until(lambda: pair.seen[b"alpha/1"] == [True, False])

    assert time.perf_counter() - began < SOON


@pytest.mark.parametrize(("answering", "closed"), [(b"alpha/1", b"alpha/1+1"), (b"alpha/1+1", b"alpha/1")])
def test_of_two_connections_the_one_that_is_answered_is_kept(pair, answering, closed):
    link = pair.connect(b"alpha/1")
    link.reconnect()
    until(lambda: pair.seen[b"alpha/1"] == [True, True])
    pair.say(b"alpha/1")
    until(lambda: sorted(pair.heard) == [b"alpha/1", b"alpha/1", b"alpha/1+1"])  # it had said something before

    pair.bound.send(answering, WindowsReceived("w", 1, 0))
    until(lambda: pair.closed == [closed])
    del pair.heard[:]
    pair.say(b"alpha/1")
    until(lambda: pair.heard)

    assert pair.heard == [answering]
    assert pair.seen[b"alpha/1"] == [True, True]  # the one that is used was never closed


def test_a_second_connection_that_is_silent_as_well_is_replaced(pair):
    link = pair.connect(b"alpha/1")
    link.reconnect()
    until(lambda: len(pair.seen[b"alpha/1"]) == 2)
    pair.say(b"alpha/1")
    until(lambda: b"alpha/1+1" in pair.heard)

    link.reconnect()
    until(lambda: len(pair.seen[b"alpha/1"]) == 3)
    pair.say(b"alpha/1")

    until(lambda: b"alpha/1+2" in pair.heard)
    assert pair.closed == [b"alpha/1+1"]


@pytest.mark.faults
@pytest.mark.parametrize(("answer", "refused"), [("silence", False), ("closing", True)])
def test_a_process_that_does_not_answer_has_not_refused_the_key(monkeypatch, answer, refused):
    monkeypatch.setattr(zmq_sockets, "HANDSHAKE_TIMEOUT", 60)
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = []
        link = WorkerSocket(Address("127.0.0.1", server.getsockname()[1]), b"alpha/1", make_pair()[1])

        def close_all():
            while True:
                server.accept()[0].close()

        closing = gevent.spawn(close_all) if answer == "closing" else None
        try:
            link.listen(lambda message: None, lambda exc: None, lambda why, final: said.append((why, final)))
            until(lambda: len(said) > 1.5 * BROKEN_HANDSHAKES or any(final for _, final in said), within=30)
        finally:
            link.close()
            gevent.killall([closing] if closing else [])

    assert any(final for _, final in said) is refused
    assert any(("refused by the key" if refused else "does not answer") in why for why, _ in said)


@pytest.mark.parametrize("gap", [0.0, 0.9, 1.1, 30.0])
def test_a_handshake_that_ended_early_is_a_strangers_unless_the_master_was_paused(gap):
    stage = Ground(rate(1, hold=9))
    stage.worker("w0")
    master = stage.fleet(1)
    coordinator, dropped = master._coordinator, stage.net.master.dropped
    coordinator._pause_detector._last -= gap

    coordinator.on_broken_handshake()

    assert dropped[STRANGERS] == (gap < 1.0)
    stage.play()


KILLED = """
import sys, time, zmq
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.setsockopt(zmq.ROUTING_ID, b"alpha/1")
socket.connect(sys.argv[1])
socket.send(bytes.fromhex(sys.argv[2]))
time.sleep(60)
"""


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_peer_is_known_within_milliseconds(tmp_path, number):
    from chaperon.cluster.protocol.codec import encode

    pair = Pair(tmp_path, "tcp")
    command = [sys.executable, "-c", KILLED, str(pair.bound.address), encode(Bye("w", 1)).hex()]
    process = subprocess.Popen(command)
    try:
        until(lambda: pair.heard, within=20)
        process.send_signal(number)
        began = time.perf_counter()
        until(lambda: pair.closed)
        assert time.perf_counter() - began < SOON
    finally:
        process.kill()
        process.wait()
        pair.close()


@pytest.mark.faults
def test_a_connection_that_has_the_number_of_a_closed_one_is_not_reported_as_closed(tmp_path, monkeypatch):
    from chaperon.cluster.protocol.codec import encode

    read, numbers = zmq_sockets.Sockets.read, []
    record = Connections.record_message

    def reading(self, socket, on_message, *, gather=None, **named):  # events are read after the messages
        late = 0.3 if socket.type == zmq.PAIR else 0.0
        read(self, socket, on_message, gather=lambda: late, **named)

    def recording(self, peer, number):
        numbers.append(number)
        return record(self, peer, number)

    monkeypatch.setattr(zmq_sockets.Sockets, "read", reading)
    monkeypatch.setattr(Connections, "record_message", recording)
    pair = Pair(tmp_path, "tcp")
    processes = []
    try:
        for name in ("alpha/1", "beta/1", "gamma/1"):
            code = KILLED.replace("alpha/1", name)
            command = [sys.executable, "-c", code, str(pair.bound.address), encode(Bye("w", 1)).hex()]
            processes.append(subprocess.Popen(command))
            until(lambda name=name: name.encode() in pair.heard, within=20)
            if name != "gamma/1":
                processes[-1].kill()
                processes[-1].wait()
        lasting(0.7)
        assert numbers[0] in numbers[1:]  # else this shows nothing
        assert sorted(pair.closed) == [b"alpha/1", b"beta/1"]
    finally:
        for process in processes:
            process.kill()
            process.wait()
        pair.close()


events = st.lists(
    st.tuples(st.sampled_from(["open", "close", "say"]), st.integers(0, 3), st.integers(0, 3)), max_size=40
)


@given(events)
def test_what_is_known_of_connections_is_bounded_by_those_that_are_open(steps):
    connections, opened, owner = Connections(), set(), {}
    for what, number, peer in steps:
        name = b"%d" % peer
        if what == "open" and number not in opened:
            opened.add(number)
            owner.pop(number, None)
            connections.record_opened(number)
        elif what == "close" and number in opened:
            opened.discard(number)
            gone = connections.record_closed(number)
            assert gone in (None, owner.get(number))
            owner.pop(number, None)
        elif what == "say" and number in opened and owner.get(number, name) == name:
            owner[number] = name
            connections.record_message(name, number)
    assert len(connections._numbers) <= len(opened)
    assert len(connections._peers) <= len(opened)


def test_what_was_said_before_the_end_and_is_read_after_it_brings_nobody_back():
    connections = Connections()
    connections.record_opened(7)
    assert connections.record_message(b"a", 7) is None

    assert connections.record_closed(7) == b"a"

    assert connections.record_message(b"a", 7) == b"a"
    connections.record_opened(7)
    assert connections.record_message(b"b", 7) is None


def test_a_number_that_is_used_again_ends_whoever_had_it():
    connections = Connections()
    connections.record_opened(7)
    connections.record_message(b"a", 7)

    assert connections.record_message(b"b", 7) == b"a"
    assert connections.record_closed(7) == b"b"


def test_the_end_of_an_older_connection_is_no_news_of_a_peer_with_a_newer_one():
    connections = Connections()
    connections.record_message(b"a", 7)
    connections.record_message(b"a", 8)

    assert connections.record_closed(7) is None
    assert connections.record_closed(8) == b"a"


# With real processes


@pytest.mark.faults
def test_a_worker_pauses_at_once_when_its_master_is_killed(shells, target):
    master = shells.master("--url", target.url, "--rate", 100, "--hold", "60s", "--quiet", workers=1)
    worker = shells.worker(master.address, "--name", "alpha", "--once")
    shells.until(lambda: len(target.asked) > 50)

    master.kill()
    shells.told(worker, "the connection to the master was closed: it pauses until the master answers", within=0.5)
    asked = len(target.asked)
    lasting(1.5)

    assert len(target.asked) == asked
    assert worker.poll() is None


@pytest.mark.faults
def test_a_killed_host_is_given_up_after_two_beats(shells, target):
    master = shells.master(
        *("--url", target.url, "--rate", 100, "--hold", "6s", "--quiet", "--json", "out.json"),
        *("--max-lost", "100%", "--no-brake"),
    )
    host, _ = (shells.worker(master.address, "--name", name, "--once") for name in ("alpha", "beta"))
    shells.until(lambda: len(target.asked) > 100)

    for pid in (*engines(shells, named="alpha"), host.pid):
        os.kill(pid, signal.SIGKILL)

    assert shells.ends(master) == 0, master.told
    (ledger,) = shells.report()["ledger"]
    assert ledger["planned"] == 600
    assert 0 < ledger["lost"] < 50 * 3.6  # two beats of its half of the load, and what was in no window
    assert max(number for number, _ in times(target).items() if number >= 0) == 599
    assert max(times(target).values()) == 1


@pytest.mark.faults
def test_a_dead_engines_shares_are_dealt_again_at_once(shells, target):
    master = shells.master(
        *("--url", target.url, "--rate", 100, "--hold", "5s", "--quiet", "--json", "out.json"),
        *("--max-lost", "100%", "--no-brake"),
    )
    for name in ("alpha", "beta"):
        shells.worker(master.address, "--name", name)
    shells.until(lambda: len(target.asked) > 100)

    (engine,) = engines(shells, named="alpha")
    os.kill(engine, signal.SIGKILL)

    assert shells.ends(master) == 0, master.told
    (ledger,) = shells.report()["ledger"]
    assert ledger["planned"] == 500
    assert ledger["lost"] <= 25, ledger  # half a second of half the load at the very most, where 0.45 s was usual
    assert max(times(target).values()) == 1


@pytest.mark.faults
def test_two_engines_that_are_killed_at_once_are_replaced(shells, target):
    master = shells.master(
        *("--url", target.url, "--rate", 100, "--hold", "6s", "--quiet", "--json", "out.json"),
        *("--max-lost", "100%", "--no-brake"),
    )
    for name in ("alpha", "beta"):
        shells.worker(master.address, "--name", name)
    shells.until(lambda: len(target.asked) > 100)

    for engine in [engines(shells, named=name)[0] for name in ("alpha", "beta")]:
        os.kill(engine, signal.SIGKILL)

    assert shells.ends(master) == 0, master.told
    report = shells.report()
    (ledger,) = report["ledger"]
    assert ledger["planned"] == 600 == ledger["done"] + ledger["lost"] + ledger["dropped"]
    assert max(times(target).values()) == 1
    assert ledger["done"] <= len(target.asked) <= ledger["done"] + ledger["lost"]
    assert {worker["name"] for worker in report["workers"]} >= {"alpha", "alpha#2", "beta", "beta#2"}


@pytest.mark.faults
@pytest.mark.parametrize("stopped", some([12.0, 1.0, 4.0, 30.0], 4))
def test_a_master_that_was_stopped_gives_nobody_up(shells, target, stopped):
    hold = 5 + stopped
    master = shells.master(
        *("--url", target.url, "--rate", 50, "--hold", f"{hold:g}s", "--quiet", "--json", "out.json"),
        *("--silence", "2s", "--dead-man", "60s", "--no-brake"),
    )
    for name in ("alpha", "beta"):
        shells.worker(master.address, "--name", name, "--once")
    shells.until(lambda: len(target.asked) > 50)

    os.kill(master.pid, signal.SIGSTOP)
    lasting(stopped)
    os.kill(master.pid, signal.SIGCONT)

    shells.ends(master, within=30)
    report = shells.report()
    (ledger,) = report["ledger"]
    assert ledger["planned"] == 50 * hold == ledger["done"] + ledger["dropped"]
    assert ledger["done"] == len(target.asked)
    assert not any(worker["lost"] for worker in report["workers"])
    assert not any(STRANGERS in note for note in report["notes"])
    assert any("in which the master stood still" in note for note in report["notes"])


@pytest.mark.faults
@pytest.mark.parametrize("stopped", some([12.0, 1.0, 4.0, 30.0], 4))
def test_an_engine_that_was_stopped_comes_back_in_order(shells, target, stopped):
    hold, silence = 6 + stopped, 3.0
    master = shells.master(
        *("--url", target.url, "--rate", 50, "--hold", f"{hold:g}s", "--quiet", "--json", "out.json"),
        *("--silence", f"{silence:g}s", "--dead-man", "60s", "--no-brake", "--max-lost", "100%"),
    )
    for name in ("alpha", "beta"):
        shells.worker(master.address, "--name", name)
    shells.until(lambda: len(target.asked) > 50)

    (engine,) = engines(shells, named="alpha")
    os.kill(engine, signal.SIGSTOP)
    lasting(stopped)
    os.kill(engine, signal.SIGCONT)

    shells.ends(master, within=30)
    report = shells.report()
    (ledger,) = report["ledger"]
    assert ledger["planned"] == 50 * hold == ledger["done"] + ledger["dropped"] + ledger["lost"]
    assert max(times(target).values()) == 1
    assert not any(STRANGERS in note for note in report["notes"])
    lost = {worker["name"] for worker in report["workers"] if worker["lost"]}
    assert lost == ({"alpha"} if stopped > silence else set())
    assert len(target.asked) == ledger["done"] + (ledger["lost"] if not lost else 0)


def times(target):
    from collections import Counter

    return Counter(int(headers["HTTP_X_NUMBER"]) for headers in target.headers)
