"""Strangers are refused, with any bytes they send; a wrong key is distinguished from a wrong address."""

import os
import socket
import stat
from random import Random

import gevent
import pytest
import zmq.green as zmq
from waits import until

from chaperon.cluster.protocol.codec import encode
from chaperon.cluster.protocol.messages import Bye, Hello, Lease, Offer, Ping, Reject, WindowFrame
from chaperon.cluster.transport import key_files, keys
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.key_files import choose_key, find_key, write_pair
from chaperon.cluster.transport.keys import MasterKey, WorkerKey, make_pair, parse_key, require_key
from chaperon.cluster.transport.link import MALFORMED
from chaperon.cluster.transport.master_socket import MasterSocket
from chaperon.cluster.transport.worker_socket import WorkerSocket
from chaperon.errors import OutputError, UsageError

HERE = Address("127.0.0.1")


class Desk:
    """A bound link that notes what it hears, and answers every Hello."""

    def __init__(self, key=None):
        self.link = MasterSocket(HERE, key)
        self.heard = []
        self.link.listen(self._hear, lambda sender, exc: None)

    def _hear(self, sender, message):
        self.heard.append(message)
        if isinstance(message, Hello):
            self.link.send(sender, Reject("heard"))


@pytest.fixture
def desk():
    opened = []

    def open_one(key=None):
        opened.append(Desk(key))
        return opened[-1]

    yield open_one
    for each in opened:
        each.link.close()


HELLO = Hello("alpha", 1, "0.1", "3.11", "host", 2, 1.0)


def knock(address, key, within=5.0):
    """Try to be let in; return what comes of it first."""
    came = gevent.event.AsyncResult()
    link = WorkerSocket(address, b"alpha/1", key)
    link.listen(
        lambda message: came.set(message.why),
        lambda exc: came.set("foreign"),
        lambda why, final: final and came.set(why),
    )
    link.send(HELLO)
    try:
        return came.get(timeout=within)
    except gevent.Timeout:
        return "nothing"
    finally:
        link.close()


def test_who_has_the_key_is_heard(desk):
    master, worker = make_pair()

    assert knock(desk(master).link.address, worker) == "heard"


def test_without_keys_on_either_side_a_worker_is_heard(desk):
    assert knock(desk().link.address, None) == "heard"


@pytest.mark.parametrize(
    ("masters", "workers", "words"),
    [
        ("its own", "another's", "has another key, or none"),
        ("its own", "unknown", "does not know this worker's key"),
        ("its own", None, "asks for a key"),
        (None, "its own", "has no key, this worker has one|has another key, or none"),
    ],
)
def test_a_wrong_key_is_told_within_five_seconds_and_nothing_is_heard(desk, masters, workers, words):
    master, worker = make_pair()
    other = make_pair()[1]
    keys_of = {"its own": worker, "another's": other, "unknown": WorkerKey(worker.master, other.secret), None: None}
    door = desk(master if masters else None)

    said = knock(door.link.address, keys_of[workers])

    assert any(w in said for w in words.split("|")), said
    assert door.heard == []


def test_a_wrong_address_is_no_wrong_key(dead_port):
    said = []
    link = WorkerSocket(Address("127.0.0.1", dead_port), b"alpha/1", make_pair()[1])
    link.listen(lambda message: None, lambda exc: None, lambda why, final: said.append((why, final)))
    until(lambda: len(said) > 2)
    link.close()

    assert said[0][0].startswith("no connection to")  # before an attempt has ended
    assert set(said[1:]) == {(f"no master answers at tcp://127.0.0.1:{dead_port}", False)}


def test_a_worker_of_the_masters_own_is_let_in_beside_the_others(desk):
    master, worker = make_pair()
    with_own_worker, own = master.with_own_worker()
    address = desk(with_own_worker).link.address

    assert [knock(address, key) for key in (own, worker)] == ["heard", "heard"]


def test_a_workers_key_cannot_pose_as_the_masters(desk):
    _, worker = make_pair()
    pretended = MasterKey(worker.secret, worker.master)

    assert knock(desk(pretended).link.address, worker) != "heard"


def raw(address, data, place=0):
    with socket.create_connection(("127.0.0.1", address.port + place), timeout=2) as stranger:
        stranger.sendall(data)
        stranger.settimeout(0.001)
        try:
            while stranger.recv(4096):
                pass
        except OSError:
            pass


def nonsense(chance):
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    kinds = [
        chance.randbytes(chance.randrange(200)),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        greeting[: chance.randrange(len(greeting))],
        greeting + b"\x02" + (1 << 62).to_bytes(8, "big") + chance.randbytes(50),
        greeting + b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER" + chance.randbytes(chance.randrange(99)),
        b"\x16\x03\x01" + chance.randbytes(100),
    ]
    return chance.choice(kinds)


@pytest.mark.long
def test_thousands_of_hostile_bytes_at_the_door_of_one_with_a_key_change_nothing(desk):
    master, worker = make_pair()
    door, chance = desk(master), Random(7)

    for n in range(3_000):
        raw(door.link.address, nonsense(chance), n % 3)

    assert door.heard == []
    assert knock(door.link.address, worker) == "heard"


def mutated(chance):
    """Return a message as a peer gone mad might send it."""
    lease = Lease("0:1/8", 3, 5)
    message = chance.choice(
        [
            encode(HELLO),
            encode(Ping("a", 1, 2, "sending", 1.0, claims=(lease,))),
            encode(Offer(1, lease)),
            encode(WindowFrame("a", 1, 2, 3, b"body")),
            encode(Bye("a", 1)),
        ]
    )
    raw_bytes = bytearray(message)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(raw_bytes))
        kind = chance.randrange(3)
        if kind == 0:
            raw_bytes[place] = chance.randrange(256)
        elif kind == 1:
            del raw_bytes[place:]
            raw_bytes += chance.randbytes(chance.randrange(1, 30))
        else:
            raw_bytes[place:place] = chance.randbytes(chance.randrange(9))
    return bytes(raw_bytes) if chance.random() < 0.9 else chance.randbytes(chance.randrange(400))


@pytest.mark.long
def test_thousands_of_mutated_messages_on_open_ports_are_counted_and_dropped(desk):
    door, chance, context = desk(), Random(11), zmq.Context()
    control, sink = context.socket(zmq.DEALER), context.socket(zmq.PUSH)
    for stranger, endpoint in ((control, door.link.address.control), (sink, door.link.address.sink)):
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(endpoint)
    sent = 8_000

    def received():
        return sum(door.link.dropped.values()) + len(door.heard)

    for n in range(sent):
        pieces = [mutated(chance)] if n % 50 else [b"in", b"pieces"]
        (control if n % 2 else sink).send_multipart(pieces)
        until(lambda n=n: n - received() < 400)  # fewer than the sockets hold, beyond which they would drop some
    until(lambda: received() == sent, within=20)
    context.destroy(0)

    assert door.link.dropped[MALFORMED] > sent * 0.8
    assert set(door.link.dropped) <= {MALFORMED, "messages of another protocol"}
    assert knock(door.link.address, None) == "heard"


def test_keys_are_for_their_owner_alone_and_never_overwritten(tmp_path):
    paths = write_pair(tmp_path / "keys")

    assert [path.name for path in paths] == ["master.key", "worker.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert len(paths[0].read_text().splitlines()) == 1
    with pytest.raises(OutputError, match="is there already"):
        write_pair(tmp_path / "keys")


def test_a_key_survives_its_line_and_shows_no_secret():
    for key in make_pair():
        assert parse_key(str(key)) == key
        assert keys._base64(key.secret) not in repr(key)


@pytest.mark.parametrize("text", ["", "chp1-master", "chp1-master:abc:def", "chp2-worker:" + "A" * 43 + ":" + "A" * 43])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(UsageError, match="no key of Chaperon's"):
        parse_key(text)


def test_a_key_is_found_in_a_file_or_in_the_environment(tmp_path):
    master, worker = write_pair(tmp_path)
    line = worker.read_text()

    assert find_key(str(master), {}, MasterKey) == parse_key(master.read_text())
    assert find_key(None, {"CHAPERON_KEY_FILE": str(worker)}, WorkerKey) == parse_key(line)
    assert find_key(None, {"CHAPERON_KEY": line}, WorkerKey) == parse_key(line)
    assert find_key(None, {}, WorkerKey) is None


@pytest.mark.parametrize("form", ["{}", "{}\r\n", "  {} \n\n", "\ufeff{}\n", "\ufeff{}\r\n"])
def test_what_editors_add_to_a_key_is_ignored(tmp_path, form):
    line = write_pair(tmp_path)[0].read_text().strip()
    path = tmp_path / "edited.key"
    path.touch(0o600)
    path.write_bytes(form.format(line).encode())

    assert find_key(str(path), {}, MasterKey) == parse_key(line)


BROKEN = {
    "empty": "", "blank": " \n\n", "cut": "{:.40}", "quoted": '"{}"', "with a comment": "# mine\n{}",
    "twice": "{0}\n{0}", "with a zero byte": "{}\0", "with a letter more": "{}A", "without its kind": "x{}",
}  # fmt: skip


@pytest.mark.parametrize("form", BROKEN)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_file_without_a_key_is_refused_by_its_name_and_never_replaced_by_another_key(tmp_path, form, by):
    path = tmp_path / "broken.key"
    path.touch(0o600)
    path.write_text(BROKEN[form].format(write_pair(tmp_path)[0].read_text().strip()))
    given = (str(path), {}) if by == "option" else (None, {"CHAPERON_KEY_FILE": str(path)})
    user = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}

    with pytest.raises(UsageError, match=r"broken\.key: this is no key of Chaperon's"):
        choose_key(given[0], {**given[1], **user}, MasterKey, Address.parse("tcp://127.0.0.1"), "bind")

    assert not (tmp_path / "settings").exists()


@pytest.mark.parametrize("parts", [(), ("chp1-master:",)], ids=["nothing", "no end"])
def test_a_pipe_that_brings_no_key_is_given_up(tmp_path, monkeypatch, parts):
    monkeypatch.setattr(key_files, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe", 0o600)
    end = os.open(tmp_path / "pipe", os.O_RDWR)  # a writer that never closes
    for part in parts:
        os.write(end, part.encode())
    try:
        with pytest.raises(UsageError, match=r"key in .*pipe: nothing more was written to this pipe within"):
            find_key(str(tmp_path / "pipe"), {}, MasterKey)
    finally:
        os.close(end)


def test_a_pipe_without_a_writer_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(key_files, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(UsageError, match="nothing more was written"):
        find_key(None, {"CHAPERON_KEY_FILE": str(tmp_path / "pipe")}, WorkerKey)


def test_a_key_comes_through_a_pipe(tmp_path):
    master, _ = make_pair()
    reading, writing = os.pipe()
    os.write(writing, f"{master}\n".encode())
    os.close(writing)
    try:
        assert str(find_key(f"/dev/fd/{reading}", {}, MasterKey)) == str(master)
    finally:
        os.close(reading)


def test_a_device_without_text_is_no_key():
    with pytest.raises(UsageError, match="/dev/null: this is no key"):
        find_key("/dev/null", {}, MasterKey)


@pytest.mark.parametrize("text", ["xyz", " ", "chp1-master:"])
def test_a_variable_without_a_key_is_refused_by_its_name(text):
    with pytest.raises(UsageError, match="CHAPERON_KEY: this is no key"):
        find_key(None, {"CHAPERON_KEY": text}, MasterKey)


def test_a_key_others_can_read_is_refused_with_the_remedy(tmp_path):
    path = write_pair(tmp_path)[1]
    os.chmod(path, 0o640)

    with pytest.raises(UsageError, match="chmod 600"):
        find_key(str(path), {}, WorkerKey)


def test_the_other_sides_key_is_refused(tmp_path):
    master, worker = write_pair(tmp_path)

    with pytest.raises(UsageError, match=r"takes master\.key"):
        find_key(str(worker), {}, MasterKey)
    with pytest.raises(UsageError, match=r"takes worker\.key"):
        find_key(str(master), {}, WorkerKey)


@pytest.mark.parametrize(
    "text", ["tcp://*:5570", "tcp://0.0.0.0", "tcp://192.0.2.7:1", "tcp://build-7", "tcp://[::]:9"]
)
def test_nothing_beyond_loopback_without_a_key(text):
    address = Address.parse(text)

    with pytest.raises(UsageError, match="chaperon keygen"):
        require_key(address, None, "bind")
    require_key(address, make_pair()[0], "bind")


@pytest.mark.parametrize("text", ["tcp://127.0.0.1", "tcp://localhost:7", "tcp://[::1]:7", "ipc:///tmp/x", "[::1]"])
def test_loopback_needs_no_key(text):
    require_key(Address.parse(text), None, "bind")


@pytest.mark.parametrize("text", ["", "udp://x", "tcp://", "tcp://a:b", "tcp://a:65534", f"ipc://{'x' * 103}"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        Address.parse(text)
