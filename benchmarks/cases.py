"""What is sent: one request in the words of each peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A request that every peer knows how to send.

    *chaperon* is the line of a step (`session`), *locust* that of a task (`self.client`),
    *wrk* a Lua script, none for a plain GET of *path*. *tls* sends it to the TLS port. It is measured
    *warm* seconds after the first request, when every user has a connection; a peer runs *margin* seconds
    longer than it is measured, for it may count those before its first request. *bare* is what a loop
    on a socket sends, *order* what it encodes as JSON to go after it each time,
    and *login* what every user asks for once, before.
    """

    name: str
    chaperon: str
    locust: str
    path: str = "/"
    wrk: str = ""
    tls: bool = False
    warm: float = 0.5
    margin: float = 1.5
    bare: bytes = b""
    order: str = ""
    login: str = ""


HOST = (
    b"Host: 127.0.0.1\r\nUser-Agent: bare\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    b"Connection: keep-alive\r\n"
)
ORDER = '{"item": 7, "name": "a name", "tags": ["a", "b"]}'
POST = f"""wrk.method = "POST"
wrk.body = [[{ORDER}]]
wrk.headers["Content-Type"] = "application/json"
"""
COOKIE_HEADER = "Cookie: session=abcdef0123456789"
COOKIE = 'wrk.headers["Cookie"] = "session=abcdef0123456789"\n'

CASES = {
    case.name: case
    for case in (
        Case("get", 'session.get("/")', 'self.client.get("/")', bare=b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
        Case(
            "json",
            f'session.post("/json", json={ORDER}).json()',
            f'self.client.post("/json", json={ORDER}).json()',
            path="/json",
            wrk=POST,
            bare=b"POST /json HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (HOST, len(ORDER)),
            order=ORDER,
        ),
        Case(
            "cookies",
            'session.get("/")',
            'self.client.get("/")',
            wrk=COOKIE,
            bare=b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: session=abcdef0123456789\r\n\r\n",
            login="/login",
        ),
        # FastHttpUser loads the authorities anew for each user before its handshake, which takes seconds
        Case("tls", 'session.get("/")', 'self.client.get("/")', tls=True, warm=8.0, margin=6.0),
        Case(
            "large",
            'session.get("/large")',
            'self.client.get("/large")',
            path="/large",
            bare=b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n",
        ),
    )
}
