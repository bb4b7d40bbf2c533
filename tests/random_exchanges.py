"""Random requests to servers that answer at random: what is reported is what the server saw, as with plain `requests`.

As a script, for many seeds: python tests/random_exchanges.py --seeds 500 [--first 100] [--seconds 300]
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import io
import re
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import requests
import trustme
from drawn_answers import DrawnServer, draw, is_strict
from many_seeds import run_seeds
from unjudged import UNJUDGED
from urllib3.exceptions import HTTPError

from chaperon import Environment, Scenario, Service, iterations, run

PATIENCE, LONG = 0.3, 20.0
"""Seconds that a client waits for an answer that stalls, and for any other."""
EXPECTED = requests.RequestException, HTTPError, ValueError, RuntimeError
NAMES = ("one", "two", "three")


def calls_of(seed):
    """Return the calls that a seed draws: method, number and keywords of each."""
    chance = Random(f"{seed} calls")
    return [_call(chance, seed, number) for number in range(chance.choice([2, 5, 12]))]


def _call(chance, seed, number):
    method = chance.choice(["GET", "GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
    wanted = {}
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        wanted = chance.choice(BODIES)(chance)
    if chance.random() < 0.2:
        wanted["params"] = chance.choice([{"q": "ä b"}, [("a", 1), ("a", 2)], "raw=1"])
    if chance.random() < 0.1:
        wanted["auth"] = ("me", "pass")
    if chance.random() < 0.1:
        wanted["cookies"] = {"own": str(number)}
    if chance.random() < 0.2:
        wanted["headers"] = chance.choice([{"X-Own": "é"}, {"Expect": "100-continue"}, {"Connection": "close"}])
    if chance.random() < 0.15:
        wanted["allow_redirects"] = False
    way = "whole"
    if chance.random() < 0.3:
        wanted["stream"] = True
        way = chance.choice(list(WAYS))
    stalls = any(
        draw(seed, f"{number}{hop}", verb, "").damage == "stalled"
        for hop in ("", *(f".{n}" for n in range(1, 11)))
        for verb in {method, "GET"}
    )
    wanted["timeout"] = PATIENCE if stalls else LONG
    return method, number, wanted, way


BODIES = (
    lambda chance: {"data": "text é".encode() * chance.choice([0, 1, 100])},
    lambda chance: {"data": {"a": "1", "b": ["2", "é"]}},
    lambda chance: {"json": {"a": [1, None, "é"]}},
    lambda chance: {"files": {"file": ("name.txt", b"content" * chance.choice([1, 30_000]))}},
    lambda chance: {"data": [b"one", b"two", b"three"], "again": True},
    lambda chance: {"data": b"x" * 50_000, "again": True, "file": True},
    lambda chance: {"data": b"y" * 1_000_000},
    lambda chance: {},
)
WAYS = {
    "content": lambda reply: reply.content,
    "iter_content": lambda reply: b"".join(reply.iter_content(100)),
    "iter_content None": lambda reply: b"".join(reply.iter_content(None)),
    "iter_lines": lambda reply: b"\n".join(reply.iter_lines()),
    "raw": lambda reply: reply.raw.read(),
    "raw decoded": lambda reply: reply.raw.read(decode_content=True),
    "some": lambda reply: (next(reply.iter_content(1), b""), reply.close())[0],
    "closed": lambda reply: reply.close() or b"",
    "left": lambda reply: b"",
}
"""How a streamed body is read."""


def made(send, base, call):
    """Make a call with *send*, a method like `requests.Session.request`; return its outcome as values."""
    method, number, wanted, way = call
    wanted = dict(wanted)
    if wanted.pop("again", False):
        wanted["data"] = io.BytesIO(wanted["data"]) if wanted.pop("file", False) else iter(wanted["data"])
    try:
        reply = send(method, f"{base}/{number}", **wanted)
        body = WAYS[way](reply) if wanted.get("stream") else reply.content
    except EXPECTED as exc:
        return {"raised": type(exc).__name__.lstrip("_"), "text": str(exc)}
    return {
        "status": reply.status_code,
        "reason": reply.reason,
        "url": _unported(reply.url),
        "headers": [(k, _unported(v)) for k, v in reply.headers.items()],
        "cookies": sorted((c.name, c.value, c.path) for c in reply.cookies),
        "history": [(r.status_code, _unported(r.url)) for r in reply.history],
        "body": body,
        "encoding": reply.encoding,
        "asked": (reply.request.method, _unported(reply.request.url)),
        "next": _unported(reply.next.url) if reply.next else None,
        "links": reply.links,
        "way": way if wanted.get("stream") else "whole",
    }


def _unported(text):
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1", text)


@contextmanager
def serving(seed, *, secure):
    """Yield a server of the seed's answers, over TLS if it is *secure*."""
    if not secure:
        with DrawnServer(seed) as server:
            server.elsewhere = server.url.replace("127.0.0.1", "localhost")
            yield server
        return
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "authority.pem"
        AUTHORITY.cert_pem.write_to_path(bundle)
        context = SSLContext(PROTOCOL_TLS_SERVER)
        CERTIFICATE.configure_cert(context)
        with DrawnServer(seed, authority=str(bundle)) as server:
            server.context = context
            server.elsewhere = server.url.replace("127.0.0.1", "localhost")
            yield server


AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("127.0.0.1", "localhost")


def by_requests(seed, calls, secure):
    """Return the outcomes of plain `requests` and what the server was asked."""
    with serving(seed, secure=secure) as server, requests.Session() as session:
        session.trust_env, session.verify = False, server.authority or True
        outcomes = [made(session.request, server.url, call) for call in calls]
        jar = sorted((c.name, c.value, c.path) for c in session.cookies)
    return outcomes, server.log, jar


def by_chaperon(seed, calls, secure, transport):
    """Return outcomes, the server, the cookies of the session, and the report of a run that makes the calls."""
    outcomes, jars = [], []

    def shop(session):
        for number, call in enumerate(calls):
            send = partial(session.request, name=NAMES[number % 3])
            outcomes.append(made(send, server.url, call))
        jars.append(sorted((c.name, c.value, c.path) for c in session.http.cookies))

    with serving(seed, secure=secure) as server:
        service = Service(server.url, verify=server.authority or True, transport=transport, timeout=LONG)
        report = Environment(
            services={"default": service}, scenarios=[run(Scenario(shop, name="shop"), iterations(1))], trust=UNJUDGED
        ).execute()
        assert server.settled(3.0), f"connections stay open: {server!r}"
    return outcomes, server, jars[0] if jars else None, report


def exchange(seed):
    """Make the calls of a seed over each transport; raise AssertionError where a law does not hold."""
    calls, chance = calls_of(seed), Random(f"{seed} run")
    secure = chance.random() < 0.25
    plain = None if is_strict(seed) else by_requests(seed, calls, secure)
    for transport in ("wire", "urllib3") if plain else ("wire",):
        try:
            drawn = by_chaperon(seed, calls, secure, transport)
            check(transport, calls, *drawn)
            if plain:
                beside(calls, drawn, plain)
        except AssertionError as exc:
            raise AssertionError(f"seed {seed} {transport} {'TLS' if secure else ''}: {exc}") from exc


def check(transport, calls, outcomes, server, jar, report):
    """Check the laws of what is reported against what the server saw and the calls got."""
    assert len(outcomes) == len(calls), (len(outcomes), [(e.series, e.error, e.sample) for e in report.errors])
    assert report.ledger["shop"].done == 1, [(e.series, e.error, e.sample) for e in report.errors]
    assert not [reason for reason in report.reasons if "Chaperon" in reason], report.reasons
    count, errors, vague, redirects, raised = (Counter() for _ in range(5))
    for number, ((_, _, _, way), outcome) in enumerate(zip(calls, outcomes, strict=True)):
        name = NAMES[number % 3]
        count[name] += 1
        raised[name] += "raised" in outcome
        errors[name] += "raised" in outcome or outcome["status"] >= 400
        vague[name] += way.startswith("raw") and (transport == "urllib3" or "raised" not in outcome)
        redirects[name] += len(outcome.get("history", ()))
        _judge(transport, server, outcome)
    for name in count if transport == "wire" else ():
        asked = Counter(asked.number for asked in server.log)
        numbers = [str(call[1]) for index, call in enumerate(calls) if NAMES[index % 3] == name]
        again = sum(asked[number] - 1 for number in numbers if asked[number])
        counted = report[f"retries {name}"].total if f"retries {name}" in report else 0
        assert counted >= again, (name, counted, again)  # more: one that a closed connection never delivered
    for name in count:
        row = report[name]
        assert row.count == count[name], (name, row)
        assert abs(row.errors - errors[name]) <= vague[name], (name, row, errors[name], report.errors)
        counted = report[f"redirects {name}"].total if f"redirects {name}" in report else 0
        least, most = redirects[name], inf if raised[name] else redirects[name]
        assert least <= counted <= most, (name, counted, least)


def _judge(transport, server, outcome):
    """Check one outcome against the answers that the server gave."""
    if "raised" in outcome:
        return
    last = outcome["url"].rpartition("/")[2].partition("?")[0].partition("#")[0]
    answer = server.answered[last]
    told = (last, answer.damage, answer.status, outcome)
    assert outcome["status"] == answer.status, told
    if outcome["way"] in ("whole", "content", "iter_content", "iter_content None"):
        head = len(answer.hints + answer.head)
        if (answer.open_ended and answer.damage) or (transport == "urllib3" and answer.is_cut and answer.at < head):
            return  # the connection ends that body; `http.client` takes a head that is cut off for a whole one
        assert outcome["body"] == answer.content, told
        whole = head + (0 if outcome["asked"][0] == "HEAD" else len(answer.body))
        if transport == "urllib3" and answer.body.endswith(b"\r\n\r\n"):
            whole = head + answer.body.rfind(b"\r\n0")  # and one that is cut off behind its last chunk
        assert not answer.is_cut or answer.at >= whole, told


STANDS_FOR = {"InvalidURL": "UnicodeDecodeError"}
"""Exceptions of `requests` by those of Chaperon that are raised in their place."""


def beside(calls, drawn, plain):
    """Check that outcomes, requests and cookies are those of plain `requests`, as far as both got the same."""
    outcomes, server, jar, _ = drawn
    sent = Counter(asked.number for asked in server.log)
    for call, ours, theirs in zip(calls, outcomes, plain[0], strict=True):
        number = str(call[1])
        told = f"\n{call!s:.300}\nours   {_short(ours)}\ntheirs {_short(theirs)}\n{_answers(server, number)}"
        answers = {n: answer for n, answer in server.answered.items() if n.partition(".")[0] == number}
        if any(sent[n] > 1 for n in answers):
            return  # what was sent again may have another outcome, and the cookies of it
        if any(answer.is_cut for answer in answers.values()):
            if ours.keys() == theirs.keys() == {"raised", "text"} and not _set_cookies(answers):
                continue
            return  # `requests` accepts a head that was cut off, and whether a reset overtakes an answer is chance
        assert STANDS_FOR.get(ours.get("raised"), ours.get("raised")) == theirs.get("raised"), told
        for key in ours.keys() - {"raised", "text"}:
            assert ours[key] == theirs[key], f"{key}: {ours[key]!r:.300} {theirs[key]!r:.300}{told}"
        mine, others = (_requests_of(log, number) for log in (server.log, plain[1]))
        assert mine == others, f"{mine}\n{others}{told}"
    assert jar == plain[2], (jar, plain[2])


def _set_cookies(answers):
    return any(b"set-cookie" in answer.head.lower() for answer in answers.values())


def _requests_of(log, number):
    return [
        (each.number, each.method, each.target, _comparable(each.headers), _without_boundary(each))
        for each in log
        if each.number.partition(".")[0] == number
    ]


def _comparable(headers):
    away = "localhost" in headers["host"]  # cookies= of a call is not sent to another origin
    kept = {k: v for k, v in headers.items() if k not in ("user-agent", "host", "cookie" if away else "host")}
    if "multipart" in kept.get("content-type", ""):
        kept["content-type"] = "multipart"
    return kept


def _without_boundary(asked):
    _, mark, boundary = asked.headers.get("content-type", "").partition("boundary=")
    body = asked.body.replace(boundary.encode(), b"") if mark else asked.body
    return body[:100], len(body), hash(body)


def _short(outcome):
    return {k: v if len(repr(v)) < 300 else f"{repr(v)[:300]}…" for k, v in outcome.items()}


def _answers(server, number):
    return "\n".join(
        f"{n}: {a.damage} at {a.at} early {a.early} closes {a.closes} open {a.open_ended} pieces {a.pieces} "
        f"{(a.hints + a.head)[:700]!r} {len(a.body)} bytes"
        for n, a in server.answered.items()
        if n.partition(".")[0] == number
    )


if __name__ == "__main__":
    sys.exit(run_seeds(exchange, "seeds"))
