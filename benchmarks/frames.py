"""Frame codecs by themselves: the time to encode and decode one message, of Chaperon and of libraries."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import process_time

from benchmarks.machine import cache

SIZES = (16, 4096)
LIBRARIES = ("websocket-client==1.9.2", "wsproto==1.3.2", "websockets==17.4")
ROUNDS = 7
"""The least time of so many rounds is the figure: what else runs only adds to it."""
SPENT = 0.1
"""CPU seconds of a round."""

Deed = Callable[[], object]


def frames() -> str:
    """Return the table, measured in a process with the libraries beside Chaperon; it says what it installs."""
    home = _libraries()
    path = [os.environ.get("PYTHONPATH", ""), *map(str, home.glob("lib/python*/site-packages"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", "benchmarks.frames"]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.rstrip()


def _libraries() -> Path:
    home = cache() / f"frames-py{sys.version_info.major}.{sys.version_info.minor}"
    if not (home / "whole").exists():
        print(f"installing {', '.join(LIBRARIES)} into {home}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", *LIBRARIES], check=True)
        (home / "whole").touch()
    return home


def _chaperon(message: bytes, received: bytes) -> tuple[Deed, Deed]:
    from chaperon.client.websocket.frame_decoder import FrameDecoder
    from chaperon.client.websocket.frames import BINARY, encode

    decoder = FrameDecoder(1 << 20)

    def decode() -> object:
        decoder.feed(received)
        return decoder.next_frame()

    return lambda: encode(message, BINARY), decode


def _websocket_client(message: bytes, received: bytes) -> tuple[Deed, Deed]:
    from websocket import ABNF, frame_buffer

    reader = frame_buffer(lambda size: received, skip_utf8_validation=True)
    return lambda: ABNF.create_frame(message, ABNF.OPCODE_BINARY).format(), reader.recv_frame


def _wsproto(message: bytes, received: bytes) -> tuple[Deed, Deed]:
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import BytesMessage

    connection = Connection(ConnectionType.CLIENT)

    def decode() -> object:
        connection.receive_data(received)
        return list(connection.events())

    return lambda: connection.send(BytesMessage(message)), decode


def _websockets(message: bytes, received: bytes) -> tuple[Deed, Deed]:
    from websockets.frames import Frame, Opcode
    from websockets.protocol import Protocol, Side

    protocol = Protocol(Side.CLIENT)

    def decode() -> object:
        protocol.receive_data(received)
        return protocol.events_received()

    return lambda: Frame(Opcode.BINARY, message).serialize(mask=True), decode


def _translate(data: bytes, key: bytes) -> bytes:
    masked = bytearray(len(data))
    for at in range(4):
        masked[at::4] = data[at::4].translate(_TABLES[key[at]])
    return bytes(masked)


_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]
CODECS = {
    "Chaperon": _chaperon,
    "websocket-client": _websocket_client,
    "wsproto": _wsproto,
    "websockets": _websockets,
}


def _seconds(deed: Deed) -> float:
    """Return the CPU seconds of one call, the least of several rounds."""
    calls = 1
    while (took := _round(deed, calls)) < SPENT / 2:
        calls = max(calls * 2, int(calls * SPENT / max(took, SPENT / 1000)))
    return min(_round(deed, calls) for _ in range(ROUNDS)) / calls


def _round(deed: Deed, calls: int) -> float:
    begun = process_time()
    for _ in range(calls):
        deed()
    return process_time() - begun


def _table() -> str:
    from chaperon.client.websocket import integer_mask, masking

    as_written = "" if find_spec("chaperon.visit__mypyc") else ", as written"
    lines = [f"µs of CPU of one message{as_written}", f"  {'':<34}" + "".join(f"{f'{size:,} B':>10}" for size in SIZES)]
    for name, codec in CODECS.items():
        for what, place in (("encode", 0), ("decode", 1)):
            lines.append(_line(f"{name}, {what}", [codec(bytes(size), _received(size))[place] for size in SIZES]))
    masks = {"integers": integer_mask.apply_mask, "bytes.translate": _translate, "websockets": masking.apply_mask}
    for name, mask in masks.items():
        lines.append(_line(f"mask by {name}", [_masking(mask, bytes(size)) for size in SIZES]))
    return "\n".join(lines)


def _masking(mask: Callable[[bytes, bytes], bytes], data: bytes) -> Deed:
    return lambda: mask(data, b"\1\2\3\4")


def _received(size: int) -> bytes:
    """Return a binary message as a server sends it, of 16 bytes or of 126 and more."""
    head = bytes([0x82, size]) if size < 126 else bytes([0x82, 126, size >> 8, size & 0xFF])
    return head + bytes(size)


def _line(name: str, deeds: list[Deed]) -> str:
    return f"  {name:<34}" + "".join(f"{_seconds(deed) * 1e6:>10.2f}" for deed in deeds)


if __name__ == "__main__":
    print(_table())
