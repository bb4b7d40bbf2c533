"""A target whose answers never change by a byte, so that what reads them does the same each time."""

from __future__ import annotations

import asyncio
import ssl
import sys

import trustme

PLAIN = (
    b"HTTP/1.1 200 OK\r\nServer: fixed\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n%b"
    b"Connection: keep-alive\r\n\r\nhello\n"
)
ANSWERS = {
    b"/": PLAIN % b"",
    b"/login": PLAIN % b"Set-Cookie: session=abcdef0123456789; Path=/\r\n",
    b"/json": b"HTTP/1.1 200 OK\r\nServer: fixed\r\nContent-Type: application/json\r\nContent-Length: 16\r\n"
    b'Connection: keep-alive\r\n\r\n{"stored": true}',
}


class Answering(asyncio.Protocol):
    """One connection: each request is answered by its path. A request is one segment, as small ones are on loopback."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request."""
        self._transport.write(ANSWERS[data.split(b" ", 2)[1]])


async def serve(secure: bool) -> None:
    """Serve on a free loopback port, if *secure* under TLS, print it, end when standard input does."""
    loop = asyncio.get_running_loop()
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await loop.create_server(Answering, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(secure="tls" in sys.argv[1:]))
