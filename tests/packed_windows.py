"""Windows in packed form, for tests that change what is in one, or look for what must not be in it."""

import re
from contextlib import suppress

import lz4.block

from chaperon.cluster.journal.journal import SEALED
from chaperon.cluster.journal.journal_file import MAGIC
from chaperon.measure.encoding.strict_msgpack import LARGEST, pack, unpack

_BINARY = re.compile(rb"(?=(?:\xc4(.)|\xc5(..)|\xc6(....)))", re.DOTALL)
"""The headers of byte strings in msgpack, with their lengths."""


def content_of(body):
    """Return the list of values in a packed window."""
    return list(unpack(lz4.block.decompress(body)))


def body_of(content):
    """Return a packed window with these values."""
    return lz4.block.compress(pack(content))


def blocks_in(data):
    """Yield what is in each LZ4 block of a message, of records of a run file, of a journal."""
    for found in _BINARY.finditer(data):
        length = next(each for each in found.groups() if each is not None)
        start = found.start() + 1 + len(length)
        yield from _decompressed(data[start : start + int.from_bytes(length, "big")])
    for found in re.finditer(re.escape(MAGIC), data):
        with suppress(Exception):
            size = SEALED.unpack_from(data, found.start())[2]
            start = found.start() + SEALED.size
            yield from _decompressed(data[start : start + size])


def _decompressed(block):
    if len(block) > 4 and int.from_bytes(block[:4], "little") <= LARGEST:
        with suppress(lz4.block.LZ4BlockError, ValueError):
            yield lz4.block.decompress(block)
