"""A server on loopback that answers each request with what a seed draws for it, and logs what it is asked."""

import gzip
import zlib
from random import Random
from typing import NamedTuple

import gevent

from chaperon.testing.hostile import Server

STATUSES = (*[200] * 12, 201, 202, 204, 204, 205, 206, 304, 400, 401, 404, 418, 429, 500, 503)
REDIRECTS = (301, 302, 303, 307, 308)
COOKIES = (
    "a={n}; Path=/",
    "b={n}",
    "c={n}; Path=/; HttpOnly; SameSite=Lax",
    'd="{n} quoted"; Path=/',
    "e={n}; Max-Age=1000; Path=/",
    "a=; Max-Age=0; Path=/",
    "f={n}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
    "g={n}; Secure; Path=/",
    "h={n}; Domain=127.0.0.1; Path=/",
    "i={n}; Domain=elsewhere.example",
    "j={n}; Path=/deeper/",
    "k=v=w={n}; Path=/; Expires=Wed, 01 Jan 2070 00:00:00 GMT",
)
HINTS = (
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nSet-Cookie: hint=1\r\n\r\n",
)
DAMAGES = ("cut", "cut", "reset", "reset", "surplus", "surplus answer", "stalled", "gone", "gone by reset")
REASONS = {200: "OK", 204: "No Content", 302: "Found", 404: "Not Found"}


class Answer(NamedTuple):
    """What is sent for a request, and what happens to the connection then.

    *head* and *body* are bytes as they go out, interim responses before them, *content* the body that a client gets.
    *damage* is what is done to it, "" for nothing. *pieces* is into how many parts it is split. *early* is whether it
    is sent before the body of the request is read. *closes* is whether the connection is closed after it.
    """

    hints: bytes
    head: bytes
    body: bytes
    content: bytes
    status: int
    damage: str
    at: int
    pieces: int
    early: bool
    closes: bool
    open_ended: bool

    @property
    def sent(self):
        """Return all bytes of the answer that are sent."""
        whole = self.hints + self.head + self.body
        if self.damage in ("cut", "reset", "stalled"):
            return whole[: self.at]
        if self.damage == "surplus":
            return whole + b"\r\nsurplus"
        if self.damage == "surplus answer":
            return whole + b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother"
        return b"" if self.damage.startswith("gone") else whole

    @property
    def is_cut(self):
        """Return whether the client cannot have received all of it."""
        return self.damage not in ("", "surplus", "surplus answer")


class Asked(NamedTuple):
    """A request as the server saw it."""

    number: str
    method: str
    target: str
    headers: dict
    body: bytes
    connection: int


def is_strict(seed):
    """Return whether a seed draws what RFC 9110 and 9112 allow, but plain `requests` does not read so."""
    return seed % 5 == 0


def draw(seed, number, method, elsewhere):
    """Return the answer to the request *number*, "3" or, after redirects, "3.1"; the same for the same arguments.

    *elsewhere* is the URL of another origin. One seed in five draws what `http.client` does not read as it should.
    """
    chance, strict = Random(f"{seed} {number}"), is_strict(seed)
    call, _, hop = number.partition(".")
    redirects = chance.random() < (0.15 if not hop else 0.4) and len(hop) < 2
    status = chance.choice(REDIRECTS if redirects else STATUSES)
    content = f"<{number}>".encode() + _content(chance)
    lines = _lines(chance, number)
    if redirects:
        lines.append(_location(chance, call, int(hop or 0) + 1, elsewhere))
    version = chance.choice(["1.1", "1.1", "1.1", "1.1", "1.0"])
    coded, framed, body, open_ended = _framed(chance, content, status, method, version, strict)
    lines += coded + framed
    bodyless = method == "HEAD" or status in (204, 304)
    says = chance.choice(["", "", "", "Connection: close", "Connection: keep-alive"])
    if says:
        lines.insert(chance.randint(0, len(lines)), says)
    chance.shuffle(lines)
    reason = REASONS.get(status, chance.choice(["So It Is", "", "é".encode().decode("latin-1")]))
    head = "\r\n".join([f"HTTP/{version} {status} {reason}", *lines, "", ""]).encode("latin-1")
    hints = b"".join(chance.choice(HINTS[: 3 if strict else 1]) for _ in range(chance.choice([0] * 8 + [1, 3])))
    whole = len(hints) + len(head) + len(body)
    damage = chance.choice(DAMAGES) if chance.random() < 0.25 else ""
    keeps = "keep-alive" in says if version == "1.0" else "close" not in says
    return Answer(
        hints,
        head,
        body,
        b"" if bodyless else content,
        status,
        damage,
        chance.choice([chance.randint(0, whole), chance.randint(0, whole), max(whole - chance.randint(1, 9), 0)]),
        chance.choice([1, 1, 1, 2, 5]),
        chance.random() < 0.1,
        not keeps or open_ended or chance.random() < 0.15,
        open_ended,
    )


def _content(chance):
    size = chance.choice([0, 1, 10, 100, 100, 1000, 70_000])
    kind = chance.choice(["text", "json", "bytes"])
    if kind == "text":
        return ("grüße " * (size // 6 + 1)).encode()[:size]
    if kind == "json":
        return b"[" + b"1," * (size // 2) + b"1]"
    return chance.randbytes(size)


def _lines(chance, number):
    lines = [chance.choice(["Content-Type: text/plain; charset=utf-8", "Content-Type: application/json", "X-No: type"])]
    if chance.random() < 0.3:
        lines += [chance.choice(COOKIES).format(n=number) for _ in range(chance.randint(1, 3))]
        lines[1:] = [f"{chance.choice(['Set-Cookie', 'set-cookie'])}: {line}" for line in lines[1:]]
    if chance.random() < 0.1:
        lines += ["X-Twice: one", "x-twice: two"]
    if chance.random() < 0.05:
        lines.append("X-Folded: two\r\n\t words")
    if chance.random() < 0.05:
        lines.append("X-Huge: " + "x" * chance.choice([5_000, 60_000]))
    if chance.random() < 0.05:
        lines.append("X-Empty:")
    return lines


def _location(chance, call, hop, elsewhere):
    to = f"/{call}.{hop}"
    return "Location: " + chance.choice(
        [to, to, f"{to}#there", f"{call}.{hop}?q=1", f"{elsewhere}{to}", f"./..{to}", f"{to}?é", f"{to}?a b"]
    )


def _framed(chance, content, status, method, version, strict):
    coding = chance.choice(["", "", "", "gzip", "deflate", "raw deflate", "gzip, gzip"])
    data, lines = content, []
    if coding:
        lines = [f"Content-Encoding: {coding.removeprefix('raw ')}"]
        data = _encoded(coding, content)
    if method == "HEAD" or status in (204, 304):
        says = chance.choice(
            [[], [f"Content-Length: {len(data)}"], ["Transfer-Encoding: chunked"][: 1 if strict else 0]]
        )
        return (lines if chance.random() < 0.5 else []), says, b"", False
    if version == "1.1" and chance.random() < 0.4:
        return lines, ["Transfer-Encoding: chunked"], _chunked(chance, data), False
    if chance.random() < 0.1:
        return lines, [], data, True
    return lines, [f"Content-Length: {len(data)}"], data, False


def _encoded(coding, content):
    if coding == "gzip, gzip":
        return gzip.compress(gzip.compress(content, mtime=0), mtime=0)
    if coding == "gzip":
        return gzip.compress(content, mtime=0)
    if coding == "deflate":
        return zlib.compress(content)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


def _chunked(chance, data):
    parts, start = [], 0
    while start < len(data):
        size = chance.randint(1, max(1, len(data) // 2))
        part = data[start : start + size]
        extension = chance.choice(["", "", "", ";a=b", '; q="x;y"'])
        parts.append(f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n")
        start += size
    last = chance.choice(
        ["0\r\n\r\n", "0\r\n\r\n", "000\r\n\r\n", "0;last\r\n\r\n", "0\r\nX-Trailer: t\r\nX-More: u\r\n\r\n"]
    )
    return b"".join(parts) + last.encode()


class DrawnServer(Server):
    """Answers requests for "/NUMBER" with what *draw* says; *log* lists them."""

    def __init__(self, seed, *, authority=None):
        self.seed, self.context = seed, None
        self.log, self.answered = [], {}
        self.elsewhere = ""
        super().__init__(self._serve, authority=authority)

    def _serve(self, peer):
        if self.authority:
            peer.secure(self.context)
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                received += peer.receive()
            head, _, received = received.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            number = target.partition("?")[0].lstrip("/")
            answer = self.answered[number] = draw(self.seed, number, method, self.elsewhere)
            if answer.early:
                self._answer(peer, answer)
            body, received = _body(peer, fields, received)
            self.log.append(Asked(number, method, target, fields, body, peer.number))
            if not answer.early:
                self._answer(peer, answer)
            if answer.damage == "stalled":
                peer.stay()
            if answer.damage in ("reset", "gone by reset"):
                return peer.reset()
            if answer.closes or answer.is_cut:
                return None

    def _answer(self, peer, answer):
        sent = answer.sent
        step = max(1, -(-len(sent) // answer.pieces))
        for start in range(0, len(sent), step):
            peer.say(sent[start : start + step])
            if answer.pieces > 1:
                gevent.sleep(0)


def _body(peer, fields, received):
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            while b"\r\n" not in received:
                received += peer.receive()
            size, _, received = received.partition(b"\r\n")
            while len(received) < int(size, 16) + 2:
                received += peer.receive()
            body, received = body + received[: int(size, 16)], received[int(size, 16) + 2 :]
            if int(size, 16) == 0:
                return body, received
    left = int(fields.get("content-length", "0"))
    while len(received) < left:
        received += peer.receive()
    return received[:left], received[left:]
