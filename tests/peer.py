"""A WebSocket server written out by hand, so that it can also do what no server should."""

import struct
from base64 import b64encode
from hashlib import sha1

from gevent.server import StreamServer
from waits import came

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=None, claim=None):
    """Return a frame; *claim* is a length to lie about."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload) if claim is None else claim
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    flag = 0x80 if mask else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if mask:
        return head + mask + masked(payload, mask)
    return head + payload


def masked(payload, mask):
    """Return a payload masked, or unmasked, which is the same."""
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


def closing(code, reason=""):
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def headers_of(head):
    lines = head.decode("latin-1").split("\r\n")
    return {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}


def accept(key):
    return b64encode(sha1((key + GUID).encode()).digest()).decode()


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, sock, head):
        self.sock = sock
        self.line = head.split(b"\r\n", 1)[0].decode()
        self.headers = headers_of(head)
        self.file = sock.makefile("rb")

    def agree(self, *more, key=None, status="101 Switching Protocols", drop=()):
        """Answer the handshake."""
        lines = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept(key or self.headers["sec-websocket-key"]),
        }
        said = [f"{k}: {v}" for k, v in lines.items() if k not in drop]
        self.raw("\r\n".join([f"HTTP/1.1 {status}", *said, *more, "", ""]).encode())

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, message, opcode=None):
        opcode = opcode or (TEXT if isinstance(message, str) else BINARY)
        self.raw(frame(opcode, message))

    def read(self):
        """Return (opcode, payload) of the next frame, None at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        assert head[1] & 0x80, "a client must mask"
        mask = self.file.read(4)
        payload = self.file.read(size)
        return head[0] & 0xF, masked(payload, mask)

    def messages(self):
        """Yield what is sent until it closes, which is answered."""
        while (got := self.read()) is not None:
            if got[0] == CLOSE:
                self.raw(frame(CLOSE, got[1]))
                return
            yield got

    def echo(self):
        for opcode, payload in self.messages():
            self.raw(frame(opcode, payload))


class WebSocketServer:
    """Greets each connection with *talk*, after the handshake unless *shakes* is false."""

    def __init__(self, talk, *, shakes=True, **tls):
        self.heads = []
        self.closes = []
        self.open = 0
        self.seen = 0
        self._talk = talk
        self._shakes = shakes
        self._server = StreamServer(("127.0.0.1", 0), self._serve, **tls)
        self._server.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.stop(timeout=0.1)

    def drained(self, within=2.0):
        """Wait until every connection is gone; return whether it is so."""
        return came(lambda: self.open == 0, within)

    def _serve(self, sock, address):
        self.open += 1
        self.seen += 1
        peer = None
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                more = sock.recv(65536)
                if not more:
                    return
                head += more
            peer = Peer(sock, head)
            self.heads.append(peer)
            if self._shakes:
                peer.agree()
            self._talk(peer)
        except OSError:
            pass  # the client has gone
        finally:
            self.open -= 1
            if peer is not None:
                peer.file.close()  # else the socket stays open as long as its file
            sock.close()
