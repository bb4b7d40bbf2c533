"""Random frames to WebSockets in simulated time: what is read and reported is what RFC 6455 makes of the bytes.

As a script, for many seeds: python tests/random_talks.py --seeds 2000 [--first 100] [--seconds 300]
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import sys
import zlib
from base64 import b64encode
from hashlib import sha1
from random import Random

from many_seeds import run_seeds
from peer import BINARY, CLOSE, GUID, PING, PONG, TEXT, frame, masked

from chaperon import Environment, Scenario, WebSocketClosed, run
from chaperon.errors import WebSocketError
from chaperon.execution.running import Running
from chaperon.testing import ScriptedNetwork, VirtualClock

LONGEST = 300.0
"""Seconds of simulated time in which each run has ended."""
MOST = 1_000_000
"""Bytes of the largest message that the client takes."""
SIZES = (0, 1, 5, 124, 125, 126, 127, 1000, 65_535, 65_536)
FAULTS = (
    "masked",
    "reserved",
    "opcode",
    "utf-8",
    "big",
    "nested",
    "rest",
    "long ping",
    "cut ping",
    "code",
    "short close",
)


class Talk:
    """What a server sends to one WebSocket, what the client does, drawn from a seed.

    *sent* are the bytes of the server, *expected* the messages in them, *pings* the payloads of its PINGs, *end* the
    close code that the client must see, *violation* whether it must close by itself.
    """

    def __init__(self, seed):
        self.chance = chance = Random(seed)
        self.deflate = chance.random() < 0.4
        self.anew = chance.random() < 0.5
        self._stream = None
        self.expected, self.pings, self.end, self.violation = [], [], None, False
        parts = [self._part() for _ in range(chance.choice([0, 1, 3, 8]))]
        self.sent = b"".join(data for data, _, _ in parts)
        ending = chance.choice(["close", "close", "close", "cut", "cut", "reset", "fault", "fault", "stay"])
        self.ending = ending
        if ending == "close":
            self.end = chance.choice([1000, 1000, 1001, 1011, 3000, 4999, 1005])
            reason = chance.choice([b"", "grüße".encode()]) if self.end != 1005 else b""
            self.sent += frame(CLOSE, (self.end.to_bytes(2, "big") if self.end != 1005 else b"") + reason)
            self.sent += chance.choice([b"", frame(TEXT, "behind the end")])
        elif ending == "fault":
            self._fault(chance.choice(FAULTS))
        elif ending in ("cut", "reset") and parts and chance.random() < 0.7:
            at = chance.randint(0, len(self.sent))
            self.sent = self.sent[:at]
            self.expected, self.pings, place = [], [], 0
            for data, messages, pings in parts:
                place += len(data)
                if place > at:
                    self.pings += pings_of(data[: at - place + len(data)])
                    break
                self.expected += messages
                self.pings += pings
        self.end = self.end or (1006 if ending in ("cut", "reset") else None)
        self.pieces = chance.choice([1, 1, 3, 20, len(self.sent) if len(self.sent) < 500 else 7])
        self.first = chance.random() < 0.4  # with the handshake
        self.says = [chance.choice(["text é", b"bytes", "x" * 70_000]) for _ in range(chance.choice([0, 1, 4]))]
        self.closes = chance.random() < 0.3
        self.asks = chance.random() < 0.3

    def _part(self):
        """Return the bytes of one message, whole or in fragments with control frames between, or a control frame."""
        chance = self.chance
        if chance.random() < 0.15:
            payload = chance.randbytes(chance.choice([0, 3, 125]))
            if chance.random() < 0.5:
                self.pings.append(payload)
                return frame(PING, payload), [], [payload]
            return frame(PONG, payload), [], []
        size = chance.choice(SIZES)
        text = chance.random() < 0.5
        message = ("é" * (size // 2) + "x" * (size % 2)) if text else chance.randbytes(size)
        payload = message.encode() if text else message
        rsv = 0
        if self.deflate and chance.random() < 0.7:
            payload, rsv = self._deflated(payload), 4
        data, pings = b"", []
        pieces = chance.choice([1, 1, 2, 4])
        cuts = sorted(chance.randint(0, len(payload)) for _ in range(pieces - 1))
        for index, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(payload)], strict=True)):
            opcode = (TEXT if text else BINARY) if index == 0 else 0
            data += frame(opcode, payload[a:b], fin=index == pieces - 1, rsv=rsv if index == 0 else 0)
            if index < pieces - 1 and chance.random() < 0.4:
                pings.append(chance.randbytes(4))
                data += frame(PING, pings[-1])
        self.expected.append(message)
        self.pings += pings
        return data, [message], pings

    def _deflated(self, payload):
        if self._stream is None or self.anew:
            self._stream = zlib.compressobj(wbits=-15)
        return (self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def _fault(self, fault):
        """Add a frame that breaks the protocol."""
        self.ending, self.violation = fault, True
        self.end = {"utf-8": 1007, "big": 1009}.get(fault, 1002)
        self.sent += {
            "masked": frame(TEXT, "masked", mask=b"abcd"),
            "reserved": frame(TEXT, "x", rsv=2),
            "opcode": frame(0x3, b"x"),
            "utf-8": frame(TEXT, b"\xff\xfe"),
            "big": frame(BINARY, b"", claim=MOST + 1),
            "nested": frame(TEXT, "a", fin=False) + frame(TEXT, "b"),
            "rest": frame(0, b"rest"),
            "long ping": frame(PING, b"x" * 126),
            "cut ping": frame(PING, b"x", fin=False),
            "code": frame(CLOSE, (1005).to_bytes(2, "big")),
            "short close": frame(CLOSE, b"x"),
        }[fault]

    def serve(self, peer):
        """Shake hands, send everything in pieces, and end as drawn."""
        head = peer.receive().decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        proof = b64encode(sha1((fields["Sec-WebSocket-Key"] + GUID).encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {proof}")
        if self.deflate:
            context = "; server_no_context_takeover" if self.anew else ""
            lines.append(f"Sec-WebSocket-Extensions: permessage-deflate{context}")
        start = "\r\n".join([*lines, "", ""]).encode()
        step = max(1, -(-len(self.sent) // self.pieces)) if self.sent else 1
        sent = [self.sent[at : at + step] for at in range(0, len(self.sent), step)]
        if self.first and sent:
            start += sent.pop(0)
        peer.send(start)
        for piece in sent:
            peer.sleep(0.01)
            peer.send(piece)
        self.peer = peer
        if self.ending == "cut":
            return None
        if self.ending == "reset":
            peer.sleep(0.1)
            return peer.reset()
        return peer.stay()

    def play(self):
        """Let a scenario read until the end; return what it read, how it ended, and the report."""
        clock = VirtualClock()
        read, ended = [], []

        def listen(session):
            ws = session.ws("/feed", timeout=5.0, max_size=MOST, compression="deflate" if self.deflate else None)
            try:
                for message in self.says:
                    ws.send(message)
                    session.sleep(0.005)
                if self.asks:
                    ws.ping(timeout=0.5)
                while len(read) < len(self.expected) + 1:
                    read.append(ws.recv())
            except WebSocketError as exc:
                ended.append(exc)
                while isinstance(exc, WebSocketClosed):  # a send or a ping may have seen the end first
                    try:
                        read.append(ws.recv())
                    except WebSocketError:
                        break
            if self.closes:
                ws.close()
            session.sleep(1.0)
            ended.append(ws.close_code)

        network = ScriptedNetwork(clock, self.serve)
        environment = Environment("http://shop", scenarios=[run(Scenario(listen, name="talk"))], grace=1.0)
        running = Running(environment.plan(), clock=clock, network=network).start()
        late = []
        clock.after(LONGEST, lambda: late.append(True))
        clock.run(lambda: running.ended or late)
        assert not late, "the run does not end"
        assert not network.failures, network.failures
        return read, ended, running.report(), network


def pings_of(data):
    """Return the payload of each PING that is whole in *data*, a sequence of unmasked frames that is cut off."""
    found, place = [], 0
    while place + 10 <= len(data) or (place + 2 <= len(data) and data[place + 1] < 126):
        size, head = data[place + 1], 2
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[place + 2 : place + head], "big")
        payload = data[place + head : place + head + size]
        if data[place] & 0xF == PING and len(payload) == size:
            found.append(payload)
        place += head + size
    return found


def frames_of(data):
    """Return (opcode with reserved bits, payload) of each masked frame of a client. Raises AssertionError."""
    found, place = [], 0
    while place < len(data):
        size, head = data[place + 1] & 0x7F, 2
        assert data[place] & 0x80, "a client fragments nothing here"
        assert data[place + 1] & 0x80, "a client must mask"
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[place + 2 : place + head], "big")
        key = data[place + head : place + head + 4]
        end = place + head + 4 + size
        assert end <= len(data), "half a frame"
        found.append((data[place] & 0x4F, masked(data[place + head + 4 : end], key)))
        place = end
    return found


def talk(seed):
    """Play one seed and check every law; raise AssertionError, with what was drawn, where one does not hold."""
    drawn = Talk(seed)
    try:
        check(drawn, *drawn.play())
    except AssertionError as exc:
        shown = {k: v for k, v in vars(drawn).items() if k not in ("sent", "expected", "chance", "peer")}
        raise AssertionError(f"seed {seed}: {exc}\n{shown!s:.600}") from exc


def check(drawn, read, ended, report, network):
    """Check what was read, said and reported."""
    told = [(e.series, e.error, e.count, e.sample) for e in report.errors], ended, report.reasons
    total = {row.name: row for row in report.rows}
    assert report.visits.done == 1, told
    assert not [reason for reason in report.reasons if "Chaperon" in reason or "recorded" in reason], told
    said = frames_of(network.peers[0].received.partition(b"\r\n\r\n")[2])
    messages = [payload for opcode, payload in said if opcode & 0xF in (TEXT, BINARY)]
    sent = total.get("ws sent /feed")
    assert (sent.total if sent else 0) == len(messages), (sent, len(messages), told)
    received = total.get("ws received /feed")
    code = ended[-1]
    early = drawn.asks and len(ended) == 2 and not isinstance(ended[0], WebSocketClosed)
    if not early:  # a PING that no PONG answered ended the visit before
        assert read == drawn.expected, ("read", len(read), len(drawn.expected), told)
        assert (received.total if received else 0) == len(drawn.expected), (received, len(drawn.expected), told)
    pongs = [payload for opcode, payload in said if opcode == PONG]
    assert pongs == drawn.pings[: len(pongs)], (pongs, drawn.pings)
    if drawn.ending not in ("cut", "reset"):
        assert len(pongs) == len(drawn.pings) or any(opcode == CLOSE for opcode, _ in said), (pongs, drawn.pings)
    if drawn.end is not None and not early:
        assert code == drawn.end, (code, drawn.end, told)
    closed = [row for name, row in total.items() if name.startswith("ws closed ")]
    assert len(closed) == 1, (closed, told)
    assert closed[0].total == 1, (closed, told)
    asked = sum(row.errors for row in report.rows if row.kind == "ws")
    if drawn.end is not None and not early:
        usual = drawn.end in (1000, 1001, 1005)  # it is an error only of a wait that it ends
        assert asked == 1 or (usual and not asked), (asked, told)
    if drawn.violation and not early:
        assert [int.from_bytes(payload[:2], "big") for opcode, payload in said if opcode == CLOSE] == [drawn.end], [
            (o, p[:9]) for o, p in said
        ]
    assert network.peers[0].closed_by_client or drawn.ending in ("cut", "reset"), told


if __name__ == "__main__":
    sys.exit(run_seeds(talk, "talks"))
