"""The first failing requests of each error are kept with their responses: bounded, masked, in windows and reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from gevent.pywsgi import WSGIServer
from requests import Request

from chaperon import Environment, Scenario, iterations, run, step
from chaperon.client.exchange import decoded
from chaperon.cluster.worker.window_redactor import WindowRedactor
from chaperon.cluster.worker.window_size import NO_EXCHANGES, pack_to_fit
from chaperon.errors import WebSocketRefused
from chaperon.measure.encoding import window_codec
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.exchange import BODY, FEW, MOST, WINDOW, Exchange, ExchangeLog, cut_text, first_exchanges
from chaperon.measure.window import Window
from chaperon.measure.window_merge import merge_windows
from chaperon.report.outputs.json import as_dict
from chaperon.report.redaction.redaction import Redactor

SOLD_OUT = {"error": "out of stock", "session_token": "tok-9876543210"}


@pytest.fixture
def shop():
    """A server whose cart is refused in JSON, and whose /bytes are binary."""

    def answer(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/cart":
            start_response("422 Unprocessable Entity", [("Content-Type", "application/json"), ("X-Trace", "t1")])
            return [json.dumps(SOLD_OUT).encode()]
        start_response("500 Oops", [("Content-Type", "text/plain")])
        return [bytes(range(256)) * 100 if path == "/bytes" else "\n\nfirst line\nsecond ü".encode()]

    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.stop(timeout=0.1)


def performed(url, *steps, load=None, **options):
    scenario = Scenario(*steps, name="shop")
    return Environment(url, scenarios=[run(scenario, *([] if load is None else [load]))], **options).execute()


@pytest.mark.parametrize("options", [{}, {"auth": ("me", "hunter22-pass")}, {"transport": "urllib3"}])
def test_a_failing_request_is_kept_with_its_response_and_what_sent_it(shop, options):
    @step
    def buy(session):
        session.post("/cart?size=2", json={"id": 7}, headers={"X-Mine": "yes"})

    report = performed(shop.url, buy, load=iterations(5, users=1), **options)

    (row,) = report.errors
    assert len(row.exchanges) == FEW
    found = row.exchanges[1]
    assert (found.scenario, found.series, found.error) == ("shop", "POST /cart", "http 422")
    assert (found.method, found.url) == ("POST", f"{shop.url}/cart?size=2")
    assert (found.step, found.user, found.visit) == ("step buy", 0, 1)
    assert {"X-Mine: yes", "Content-Type: application/json"} <= set(found.sent_headers)
    assert (json.loads(found.sent_body), found.sent_size) == ({"id": 7}, len(found.sent_body))
    assert (found.status, found.reason) == (422, "Unprocessable Entity")
    assert "X-Trace: t1" in found.headers
    assert json.loads(found.body)["error"] == "out of stock"
    assert found.size == len(json.dumps(SOLD_OUT))
    assert 0 <= found.at - found.took <= report.duration
    assert row.sample == "422 Unprocessable Entity: out of stock"


def test_secrets_are_masked_in_every_part(shop):
    def buy(session):
        session.post("/cart?token=abcdef1234", json={"password": "hunter2222"}, headers={"X-Api-Key": "k-1234567890"})

    report = performed(
        shop.url, buy, headers={"Authorization": "Bearer abc.def-4711"}, config={"pin_token": "pin-12345"}
    )

    shown = repr(report.errors)
    for secret in ("abcdef1234", "hunter2222", "k-1234567890", "abc.def-4711", "tok-9876543210"):
        assert secret not in shown
    assert f"{shop.url}/cart?token=***" in shown


def test_json_and_table_show_status_url_and_the_first_line(shop, command):
    Path("shop.py").write_text("from chaperon import step\n\n@step\ndef look(session):\n    session.get('/else')\n")

    done = command("local", "shop.py", "--url", shop.url, "--json", "out.json", "--markdown", "out.md")

    line = f"GET {shop.url}/else → 500 first line"
    assert line in done.stdout
    assert json.loads(Path("out.json").read_text())["errors"][0]["exchanges"] == [
        {"method": "GET", "url": f"{shop.url}/else", "status": 500, "body": "first line"}
    ]
    assert "→ 500 first line" in Path("out.md").read_text()


def test_a_request_without_a_response_is_kept_as_well(dead_port):
    report = performed(f"http://127.0.0.1:{dead_port}", lambda session: session.put("/a", data="x" * 9_000))

    (found,) = next(row for row in report.errors if row.error == "connect refused").exchanges
    assert (found.method, found.status, found.headers, found.body) == ("PUT", 0, (), "")
    assert (len(found.sent_body), found.sent_size) == (0, 9_000)
    assert found.summary == f"PUT http://127.0.0.1:{dead_port}/a → no response"
    assert as_dict(report)["errors"][0]["exchanges"][0]["status"] is None


def test_a_handshake_that_is_refused_is_kept(shop):
    def listen(session):
        with pytest.raises(WebSocketRefused):
            session.ws("/feed")

    (row,) = performed(shop.url, listen).errors

    (found,) = row.exchanges
    assert (found.series, found.status, found.url) == ("ws connect /feed", 500, f"{shop.url}/feed")
    assert "Content-Type: text/plain" in found.headers
    assert found.first_line == "first line"


@pytest.mark.parametrize(
    "steps",
    [
        lambda session: session.get("/else", stream=True).content,
        lambda session: list(session.get("/else", stream=True).iter_content(3)),
        lambda session: session.get("/else", expect=lambda reply: False),
        lambda session: session.post("/else", files={"f": b"x"}),
        lambda session: session.http.send(session.http.prepare_request(Request("GET", session.config["url"]))),
        lambda session: session.get("/else", timeout=5, proxies={}),
    ],
)
def test_every_way_to_send_keeps_the_exchange(shop, steps):
    report = performed(shop.url, steps, config={"url": f"{shop.url}/else"})

    (found,) = [each for row in report.errors for each in row.exchanges]
    assert (found.first_line, found.url, found.status) == ("first line", f"{shop.url}/else", 500)


def test_a_predicate_that_raises_keeps_the_response_it_was_asked_about(shop):
    report = performed(shop.url, lambda session: session.get("/else", expect=lambda reply: 1 / 0))

    row = next(row for row in report.errors if row.exchanges)
    assert (row.error, row.exchanges[0].status) == ("ZeroDivisionError", 500)


def test_good_requests_are_not_kept(target):
    assert not performed(target.url, lambda session: session.get("/")).errors


def exchange(number=0, **changes):
    values = {"scenario": "s", "series": "GET /", "error": "http 500", "message": "500", "took": 0.1, "step": ""}
    values |= {"user": 0, "visit": number, "method": "GET", "url": "http://h/", "at": float(number)}
    return Exchange(**values | changes)


def test_a_log_keeps_the_first_few_of_each_error_and_is_bounded():
    log = ExchangeLog()
    for number in range(100):
        log.add(exchange(number))
    assert [each.visit for each in log.cut()] == [*range(FEW)]
    assert not log.wants("s", "GET /", "http 500")

    for number in range(2 * MOST):
        log.add(exchange(number, series=f"GET /{number}"))
    assert len(log.cut()) == MOST - FEW


def test_a_window_holds_a_bounded_length():
    log = ExchangeLog()
    for number in range(MOST):
        log.add(exchange(number, series=f"GET /{number}", body="x" * BODY))

    found = log.cut()

    assert WINDOW <= sum(each.length for each in found) <= WINDOW + found[0].length
    assert log.wants("s", "GET /next", "http 500")


def test_a_tap_gets_every_exchange_and_good_ones_are_not_kept():
    log, seen = ExchangeLog(), []
    log.tap = seen.append
    for number in range(5):
        assert log.wants("s", "GET /", "")
        log.add(exchange(number, error=""))

    assert (len(seen), log.cut()) == (5, ())


def test_windows_carry_exchanges_and_merged_ones_the_earliest():
    windows = [
        Window("w", second + 1, second, exchanges=(exchange(second, headers=("A: b",), timings=(("dns", 0.5),)),))
        for second in range(6)
    ]

    again = unpack_window(pack_window(windows[3], began=0.0), "w", began=0.0)

    assert again.exchanges == windows[3].exchanges
    assert merge_windows(windows).exchanges == tuple(w.exchanges[0] for w in windows[:FEW])
    assert first_exchanges(reversed([w.exchanges[0] for w in windows])) == merge_windows(windows).exchanges


def test_a_window_too_large_for_a_message_goes_without_its_exchanges(monkeypatch):
    monkeypatch.setattr(window_codec, "LARGEST", window_codec.ENVELOPE + 400)
    bodies = [exchange(n, series=f"GET /{n}", body="".join(map(chr, range(n, n + 2_000)))) for n in range(9)]

    sent = unpack_window(pack_to_fit(Window("w", 1, 0, exchanges=tuple(bodies)), began=0.0), "w", began=0.0)

    assert (sent.exchanges, sent.notes) == ((), {NO_EXCHANGES: 9})


def test_a_worker_masks_exchanges_and_keeps_them_with_their_errors():
    redact = WindowRedactor(Redactor(), lambda secret: False)
    redact.add({"wort-4711"})
    window = Window(
        "w", 1, 0, exchanges=(exchange(series="GET /wort-4711", body="a wort-4711", headers=("Cookie: a=b",)),)
    )

    (found,) = redact(window).exchanges

    assert (found.series, found.body, found.headers) == ("GET /***", "a ***", ("Cookie: ***",))
    assert found == replace(window.exchanges[0], series="GET /***", body="a ***", headers=("Cookie: ***",))


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [("short", 9, "short"), ("a secret", 5, "a "), ('{"a":"secret"}', 8, '{"a":"'), ("secretsecret", 6, "")],
)
def test_a_cut_never_divides_a_word(text, most, kept):
    assert cut_text(text, most) == kept


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        ("ü".encode(), None, "ü"),
        ("aü".encode()[:2], None, "a"),
        ("ü".encode("latin-1"), "latin-1", "ü"),
        ("ü".encode("latin-1"), None, "\\xfc"),
        (b"\xfc", "no such encoding", "\\xfc"),
        (b"a\0\n\xff", "utf-8", "a\\x00\\n\\xff"),
    ],
)
def test_a_body_is_decoded_or_shown_with_escapes(data, encoding, text):
    assert decoded(data, encoding) == text


@pytest.mark.parametrize("verbose", [False, True])
def test_check_prints_what_was_sent_and_received(shop, target, command, verbose):
    Path("shop.py").write_text(
        "from chaperon import step\n\n@step\ndef buy(session):\n"
        f"    session.get('{target.url}/fine')\n"
        "    session.post('/cart', json={'id': 7, 'password': 'hunter2222'})\n    session.get('/bytes')\n"
    )

    done = command("check", "shop.py", "--url", shop.url, *(["--verbose"] if verbose else []))

    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in (
        f"> POST {shop.url}/cart",
        '> {"id": 7, "password": "***"}',
        "> Content-Type: application/json",
        "< 422 Unprocessable Entity",
        "< X-Trace: t1",
        '< {"error": "out of stock", "session_token": "***"}',
        "< … 25,600 bytes in all",
    ):
        assert line in lines, done.stdout
    assert (f"> GET {target.url}/fine" in lines) == verbose
    longest = max(len(line) for line in lines if line.startswith("< \\x00"))
    assert BODY - 500 < longest <= BODY + 2 if verbose else longest <= 502


def test_a_response_that_the_author_calls_bad_is_kept(target):
    report = performed(target.url, lambda session: session.get("/").fail("no price"))

    (row,) = report.errors
    assert (row.error, row.exchanges[0].error, row.exchanges[0].first_line) == ("no price", "no price", "hello")


def test_check_prints_a_line_for_a_response_that_is_called_bad_afterwards(target, command):
    Path("shop.py").write_text(
        "from chaperon import step\n\n@step\ndef look(session):\n    session.get('/').fail('no price')\n"
        "    session.get('/status/404')\n"
    )

    done = command("check", "shop.py", "--url", target.url)

    lines = done.stdout.splitlines()
    (said,) = [place for place, line in enumerate(lines) if line.startswith("FAIL") and "no price (200 OK)" in line]
    assert f"> GET {target.url}/" in map(str.strip, lines[said + 1 : said + 4])
    assert sum(line.startswith("FAIL") and "GET /status/404" in line for line in lines) == 1
