"""The server of the live page: who may see and change a run, what viewers get, and what a bad one costs."""

import http.client
import json
import re
import signal
import socket
import urllib.error
import urllib.request
from contextlib import closing, suppress
from dataclasses import replace
from itertools import product

import gevent
import pytest
import websocket
from browser import CHROMIUM, Browser
from test_ci_outputs import HOSTILE, report_of
from test_fleet import Ground
from test_page import data_of_page, second_of
from thorough import some
from unjudged import UNJUDGED
from waits import came, until

from chaperon import Environment, Scenario, rate
from chaperon import run as run_of
from chaperon.errors import UsageError
from chaperon.live_page import viewers
from chaperon.live_page.access import Access, Tokens
from chaperon.live_page.control import MOST_BYTES
from chaperon.live_page.output import PageOutput
from chaperon.live_page.server import LivePage
from chaperon.live_page.viewers import QUEUED, Viewer
from chaperon.measure.window import RunEvent
from chaperon.report.limits.limit_result import LimitResult
from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.html import HtmlOutput
from chaperon.report.outputs.output import PlannedRun
from chaperon.report.totals import LimitState, Pulse, WorkerStats


class FakeRun:
    """A run that records what is asked of it."""

    def __init__(self):
        self.asked, self.ended, self.ending = [], False, None
        self.paused, self.factor, self.began, self.levels = False, 1.0, 0.0, {}
        self.crew = [WorkerStats("local")]

    def pulse(self):
        return Pulse(users=5, requests_rate=20.0, p95=0.05)

    def limits_so_far(self):
        return ()

    def stretch(self, start, end):
        return iter(())

    def histories(self):
        return iter(())

    def __getattr__(self, name):
        if name not in ("scale", "pause", "resume", "stop", "note"):
            raise AttributeError(name)
        return lambda *given, by: self.asked.append((name, *given, by))


@pytest.fixture
def run():
    return FakeRun()


@pytest.fixture
def page(run):
    """Serve the page of a run of which three seconds are closed."""
    with LivePage().listen() as page:
        page.feed.begin(PlannedRun("shop", 7, "50/s", ("shop",), (), length=60.0, run=run))
        for at in range(3):
            page.feed.second(second_of(at))
        yield page


def port_of(page):
    return int(page.address.rstrip("/").rpartition(":")[2])


def ask(page, path, *, token=None, method="GET", body=None, host=None, **headers):
    """Send one request and return (status, text)."""
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=10)) as link:
        given = {"Host": host or f"127.0.0.1:{port_of(page)}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        link.request(method, path, body, given)
        answer = link.getresponse()
        return answer.status, answer.read().decode()


def act(page, action, *, token=None, kind="application/json", **values):
    body = json.dumps({"action": action, **values})
    return ask(page, "/control", token=token or page.tokens.control, method="POST", body=body, Content_Type=kind)


def connect(page, token=None, *, after=None, run_id=None, **options):
    number = page.feed._number if after is None else after
    url = f"ws://127.0.0.1:{port_of(page)}/socket?run={run_id or page.feed._run}&after={number}"
    protocols = ["chaperon", f"token.{token or page.tokens.control}"]
    options.setdefault("suppress_origin", True)
    # JSON is decoded from UTF-8 anyway; before that, this library checks it by a loop of its own
    options = {"skip_utf8_validation": True, **options}
    return websocket.create_connection(url, subprotocols=protocols, timeout=10, **options)


def payload_of(page):
    status, text = ask(page, "/state", token=page.tokens.read)
    assert status == 200
    return json.loads(text)


# ---- who may see it


def test_the_shell_is_all_that_is_served_without_a_token(page):
    status, shell = ask(page, "/")

    assert status == 200
    assert '<script id="data" type="application/json">null</script>' in shell
    assert "shop" not in shell
    assert page.tokens.control not in shell
    assert page.tokens.read not in shell


PATHS = (
    "/state", "/state?from=0&to=2", "/row?scenario=shop&name=GET+/&kind=http", "/news", "/hello", "/template",
    "/metrics", "/plan", "/socket", "/control", "/favicon.ico", "/%2e%2e/state", "//state",
)  # fmt: skip


@pytest.mark.parametrize(("path", "token"), some(product(PATHS, [None, "", "wrong", "x" * 4000]), 3))
def test_nothing_else_is_served_without_a_token(page, path, token):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        status, text = ask(page, path, token=token, method=method)
        assert status == 401, (method, path)
        assert "shop" not in text


FOREIGN = (
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.7",
    "169.254.169.254", "127.0.0.1@evil.example", "", "[::1", "localhost:0",
)  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
def test_a_host_name_that_is_not_the_pages_is_refused_before_anything_else(page, host):
    for path in ("/", "/state"):
        status, text = ask(page, path, token=page.tokens.control, host=host or " ")
        assert status == 421
        assert "script" not in text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "localhost."])
def test_names_of_this_machine_are_the_pages(page, host):
    assert ask(page, "/state", token=page.tokens.read, host=f"{host}:{port_of(page)}")[0] == 200


def test_a_page_at_every_address_is_asked_for_by_any_address_but_by_no_other_name():
    access = Access(Tokens("secret"), "0.0.0.0", ["farm.example"])

    for host, refused in (
        ("10.0.0.7:1", False),
        ("[fd00::1]:1", False),
        ("farm.example:1", False),
        ("evil.example", True),
    ):
        assert (access.refusal({"HTTP_HOST": host, "REQUEST_METHOD": "GET"}) is not None) is refused


ORIGINS = (
    "https://evil.example",
    "null",
    "http://127.0.0.1:1",
    "http://localhost",
    "file://",
    "chrome-extension://x",
    "",
)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_request_from_another_site_is_refused(page, run, origin):
    body = json.dumps({"action": "stop"})
    told = {"token": page.tokens.control, "method": "POST", "body": body, "Content_Type": "application/json"}

    assert ask(page, "/control", Origin=origin, **told)[0] == 403
    assert ask(page, "/state", token=page.tokens.control, Origin=origin)[0] == 403
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(page, suppress_origin=False, origin=origin or "x")
    assert run.asked == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_of_where_a_request_is_from_counts(page, run, site):
    assert ask(page, "/state", token=page.tokens.control, Sec_Fetch_Site=site)[0] == 403
    assert ask(page, "/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 200, "a link to the shell"
    assert ask(page, "/control", method="POST", body="{}", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 403


def test_no_answer_allows_another_site_to_read_it(page):
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=10)) as link:
        link.request("OPTIONS", "/state", headers={"Authorization": f"Bearer {page.tokens.control}"})
        headers = {name.lower() for name, _ in link.getresponse().getheaders()}

    assert not any(name.startswith("access-control") for name in headers)
    assert {"x-frame-options", "cache-control", "x-content-type-options", "cross-origin-resource-policy"} <= headers


# ---- who may change it


ACTIONS = [
    ("scale", {"factor": 2}, ("scale", 2.0)),
    ("pause", {}, ("pause",)),
    ("resume", {}, ("resume",)),
    ("note", {"text": " deployed 1.2 "}, ("note", "deployed 1.2")),
]


@pytest.mark.parametrize(("action", "values", "asked"), ACTIONS)
def test_an_action_is_done_and_says_who_asked(page, run, action, values, asked):
    assert act(page, action, **values)[0] == 202

    assert run.asked == [(*asked, "the page (127.0.0.1)")]


def test_a_stop_has_its_reason(page, run):
    act(page, "stop")

    assert run.asked == [("stop", "stopped by the page (127.0.0.1)", "the page (127.0.0.1)")]


def test_the_token_for_reading_sees_everything_and_changes_nothing(page, run):
    assert payload_of(page)["payload"]["report"]["environment"] == "shop"
    assert ask(page, "/hello", token=page.tokens.read) == (200, '{"role":"read","launcher":null}')

    for action, values, _ in ACTIONS:
        status, text = act(page, action, token=page.tokens.read, **values)
        assert (status, "reading" in text) == (403, True)
    assert run.asked == []


BAD = [
    ("not JSON", b"{", 400), ("no object", b"[]", 400), ("no action", b"{}", 400), ("deep", b"[" * 4000, 400),
    ("unknown", b'{"action": "explode"}', 400), ("start", b'{"action": "start"}', 400),
    ("no factor", b'{"action": "scale"}', 400), ("zero", b'{"action": "scale", "factor": 0}', 400),
    ("negative", b'{"action": "scale", "factor": -1}', 400), ("text", b'{"action": "scale", "factor": "2"}', 400),
    ("true", b'{"action": "scale", "factor": true}', 400), ("NaN", b'{"action": "scale", "factor": NaN}', 400),
    ("infinite", b'{"action": "scale", "factor": Infinity}', 400),
    ("huge", b'{"action": "scale", "factor": 1e300}', 400),
    ("empty note", b'{"action": "note", "text": " "}', 400),
    ("long note", b'{"action":"note","text":"' + b"x" * 201 + b'"}', 400),
    ("oversized", b'{"action": "pause", "x": "' + b"x" * MOST_BYTES + b'"}', 413),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_request_for_an_action_gets_one_sentence(page, run, body, status):
    found, text = ask(
        page, "/control", token=page.tokens.control, method="POST", body=body, Content_Type="application/json"
    )

    assert found == status
    assert json.loads(text)["error"]
    assert run.asked == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read(page, run, kind):
    assert act(page, "stop", kind=kind)[0] == 415
    assert run.asked == []


def test_a_body_without_a_length_is_not_read(page, run):
    with closing(socket.create_connection(("127.0.0.1", port_of(page)), timeout=10)) as link:
        head = f"POST /control HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {page.tokens.control}\r\n"
        link.sendall(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        link.sendall(b"12\r\n" + b'{"action": "stop"}' + b"\r\n0\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 411")
    assert run.asked == []


@pytest.mark.parametrize("path", ["/", "/state", "/control", "/control?action=stop", "/hello", "/news"])
def test_no_get_changes_anything(page, run, path):
    ask(page, path, token=page.tokens.control)

    assert run.asked == []


def test_after_the_end_nothing_can_be_asked_for(page, run):
    run.ended = True

    assert act(page, "pause") == (409, '{"error":"no run is going on"}')


# ---- tokens


def test_each_page_has_tokens_of_its_own_that_its_representation_does_not_show():
    pages = [LivePage(), LivePage()]

    assert len({token for page in pages for token in (page.tokens.control, page.tokens.read)}) == 4
    assert all(page.tokens.control not in repr((page, page.tokens)) for page in pages)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "10.0.0.7", "farm.example"])
def test_beyond_loopback_a_token_must_be_given_and_plain_http_is_said(host):
    with pytest.raises(UsageError, match="--page-token"):
        LivePage(host)

    lines = LivePage(host, token="s3cret").lines()
    assert any("plain HTTP" in line for line in lines)
    assert not any("s3cret" in line for line in lines)


def test_a_token_that_was_given_is_in_no_notice_of_the_live_view(run):
    page = LivePage(token="s3cret")
    output = PageOutput(page)
    with page:
        output.start(PlannedRun("shop", 7, "50/s", ("shop",), (), length=60.0, run=run))

        assert output.notices["page"].startswith(page.address)
        assert "s3cret" not in output.notices["page"]


@pytest.mark.parametrize("token", ["a b", "a,b", "a\r\nb", "ä", "x" * 201, "#", "a/b"])
def test_a_token_that_is_no_part_of_a_url_is_refused(token):
    with pytest.raises(UsageError, match="token"):
        LivePage(token=token)


# ---- what viewers get


def apply(state, messages):
    """Return the columns of the requests and the counts of the rows that a viewer has after *messages*."""
    payload = state["payload"]
    at, requests = list(payload["at"]), {name: list(column) for name, column in payload["requests"].items()}
    counts = {row["name"]: row["count"] for row in payload["report"]["series"]}
    names = [row["name"] for row in payload["report"]["series"]]
    for message in messages:
        point = message["point"]
        at.append(point["at"])
        for name, value in zip(requests, point["requests"], strict=True):
            requests[name].append(value)
        for place, row in message["rows"].items():
            if int(place) == len(names):
                names.append(row["name"])
            counts[row["name"]] = row["count"]
        for place, (count, _) in message["counts"].items():
            counts[names[int(place)]] = count
    return at, requests, counts


def test_who_watched_who_reloads_and_who_comes_late_have_the_same_charts_and_counts(page):
    first = payload_of(page)
    link = connect(page, after=first["n"])
    until(lambda: page.feed._viewers)

    messages = []
    for at in range(3, 9):
        page.feed.second(second_of(at, ["GET /", *(["GET /new"] if at > 5 else [])]))
        messages.append(json.loads(link.recv()))
    link.shutdown()

    assert [message["n"] for message in messages] == list(range(first["n"] + 1, first["n"] + 7))
    reloaded = payload_of(page)
    assert apply(first, messages) == apply(reloaded, [])
    assert reloaded["payload"]["at"] == list(range(9))


def test_a_viewer_that_comes_back_gets_what_it_missed(page):
    seen = payload_of(page)["n"]
    for at in range(3, 6):
        page.feed.second(second_of(at))

    link = connect(page, after=seen)
    assert [json.loads(link.recv())["n"] for _ in range(3)] == [seen + 1, seen + 2, seen + 3]
    link.shutdown()
    assert (
        len(json.loads(ask(page, f"/news?run={page.feed._run}&after={seen}", token=page.tokens.read)[1])["messages"])
        == 3
    )


@pytest.mark.parametrize(
    "place", ["run=&after=", "run=x&after=1", "after=99999999", "after=-5", "after=x", "run=%00&after=1e9"]
)
def test_a_viewer_of_another_run_or_time_is_sent_to_the_whole_state(page, place):
    assert json.loads(ask(page, f"/news?{place}", token=page.tokens.read)[1]) == {"messages": None}


def test_a_new_run_on_the_same_page_is_loaded_anew(page, run):
    link = connect(page)
    until(lambda: page.feed._viewers)
    page.feed.begin(PlannedRun("other", 7, "1/s", ("shop",), (), run=run))

    message = json.loads(link.recv())
    link.shutdown()
    assert message["reload"] is True
    assert payload_of(page)["run"] == message["run"]
    assert payload_of(page)["payload"]["report"]["environment"] == "other"


def test_who_asks_once_a_second_learns_of_the_end(page):
    seen = payload_of(page)["n"]

    page.feed.finish(report_of())

    news = json.loads(ask(page, f"/news?run={page.feed._run}&after={seen}", token=page.tokens.read)[1])
    assert news == {"messages": None}
    assert payload_of(page)["payload"]["finished"] is True
    assert payload_of(page)["payload"]["state"]["word"] == "ended"


def test_hostile_names_are_data(page):
    page.feed.second(second_of(3, HOSTILE))

    payload = payload_of(page)["payload"]
    shown = {row["name"] for row in payload["report"]["series"]}
    assert "</testcase>]]>" in shown
    assert {len(name) for name in shown} >= {10_000}
    assert all(
        payload["series"][str(place)]["rate"][3] == 20 for place, row in enumerate(payload["report"]["series"]) if place
    )


# ---- bad viewers


MALFORMED = [
    ("version", {"Sec-WebSocket-Version": "8"}, 426), ("no version", {"Sec-WebSocket-Version": None}, 426),
    ("key", {"Sec-WebSocket-Key": "!"}, 400), ("no key", {"Sec-WebSocket-Key": None}, 400),
    ("short key", {"Sec-WebSocket-Key": "AAAA"}, 400), ("connection", {"Connection": "close"}, 400),
    ("another path", {"path": "/state"}, 200), ("no token", {"Sec-WebSocket-Protocol": "chaperon"}, 401),
    ("no protocol", {"Sec-WebSocket-Protocol": None}, 401), ("HTTP/1.0", {"protocol": "HTTP/1.0"}, 400),
    ("POST", {"method": "POST"}, 405),
]  # fmt: skip


@pytest.mark.parametrize(("change", "status"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_upgrade_is_refused_and_never_a_fault(page, capfd, change, status):
    fields = {
        "Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": f"chaperon, token.{page.tokens.control}", **change,
    }  # fmt: skip
    method, path = fields.pop("method", "GET"), fields.pop("path", "/socket")
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None and name != "protocol"]
    head = "\r\n".join([f"{method} {path} {fields.get('protocol', 'HTTP/1.1')}", *lines, "", ""])
    with closing(socket.create_connection(("127.0.0.1", port_of(page)), timeout=10)) as link:
        link.sendall(head.encode())
        first = link.recv(1000).decode()

    assert first.split()[1] == str(status)
    assert capfd.readouterr() == ("", "")
    assert payload_of(page)


@pytest.mark.parametrize(
    "sent", [b"\x00" * 100, b"GET", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000, b"\x16\x03\x01" * 50]
)
def test_bytes_that_are_no_request_do_not_disturb_the_page(page, capfd, sent):
    with closing(socket.create_connection(("127.0.0.1", port_of(page)), timeout=10)) as link, suppress(ConnectionError):
        link.sendall(sent)  # the server may close before it has all
    assert payload_of(page)
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_a_viewer_that_does_not_read_is_dropped_and_the_others_are_not(page):
    quick = connect(page)
    slow = connect(page, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    until(lambda: len(page.feed._viewers) == 2)

    for n in range(4 * QUEUED):
        page.feed._publish({"padding": "x" * 200_000, "each": n})
        assert json.loads(quick.recv())["each"] == n
        if len(page.feed._viewers) == 1:
            break

    assert len(page.feed._viewers) == 1
    page.feed.second(second_of(3))
    assert json.loads(quick.recv())["point"]["at"] == 3
    quick.shutdown()
    slow.shutdown()


def test_a_viewer_has_a_bounded_queue():
    class Stuck:
        aborted = False

        def send(self, text):
            raise AssertionError("nothing is sent")

        def abort(self):
            self.aborted = True

    stuck = Stuck()
    viewer = Viewer(stuck)
    for n in range(QUEUED):
        viewer.put(str(n))
    assert not viewer.dropped
    viewer.put("one more")

    assert viewer.dropped
    assert stuck.aborted
    assert viewer.idle
    viewer.serve()  # returns at once


def test_two_hundred_viewers_get_every_message_and_one_text(page):
    links = [connect(page) for _ in range(200)]
    until(lambda: len(page.feed._viewers) == 200, within=20)

    page.feed.second(second_of(3))
    got = {link.recv() for link in links}

    assert len(got) == 1
    for link in links:
        link.shutdown()


def test_there_are_not_more_viewers_than_allowed(page, monkeypatch):
    monkeypatch.setattr("chaperon.live_page.feed.MOST", 2)
    links = [connect(page) for _ in range(3)]
    until(lambda: len(page.feed._viewers) == 2)

    assert links[2].recv() == ""  # closed
    for link in links:
        link.shutdown()
    assert viewers.MOST >= 200


def test_viewers_learn_of_the_end_and_are_closed():
    page = LivePage().listen()
    page.feed.begin(PlannedRun("shop", 7, "50/s", ("shop",), ()))
    link = connect(page)
    until(lambda: page.feed._viewers)

    page.close()

    assert json.loads(link.recv())["closing"] is True
    assert link.recv() == ""  # closed
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(page)), timeout=1)


def test_a_long_run_is_reloaded_once_when_its_steps_become_longer(page):
    link = connect(page)
    until(lambda: page.feed._viewers)
    reloads = 0
    for at in range(3, 640):
        page.feed.second(ClosedSecond(at=at, time=1.7e9 + at) if at % 50 else second_of(at, samples=2))
        gevent.sleep(0)
        reloads += "reload" in json.loads(link.recv())
    link.shutdown()

    assert reloads == 1
    payload = payload_of(page)["payload"]
    assert (payload["step"], len(payload["at"])) == (10, 64)


# ---- the page in a browser


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


def shop(target, hold="60s"):
    return Environment(
        target.url,
        scenarios=[run_of(Scenario(lambda session: session.get("/"), name="shop"), rate(20, hold=hold))],
        limits=["p95(GET /) < 1s"],
        name="shop",
        trust=UNJUDGED,
    )


def state_of(browser):
    return browser.value("document.documentElement.dataset.state")


@pytest.mark.page
@pytest.mark.processes
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
class TestInChromium:
    def test_a_run_is_seen_changed_ended_and_saved(self, browser, target, tmp_path):
        page, kept = LivePage(), HtmlOutput(tmp_path / "kept.html")
        browser.requests.clear()
        browser.messages.clear()
        with page, shop(target).start(outputs=[PageOutput(page), kept]) as running:
            browser.open(page.url)
            browser.until("AT.length >= 2 && document.querySelectorAll('#rows tr.row').length >= 2")
            assert state_of(browser) == "running"

            browser.key("p")
            browser.until("document.documentElement.dataset.state === 'paused'")
            assert running.paused
            assert browser.value("document.getElementById('pause').textContent") == "Resume"
            browser.key("p")
            browser.until("document.documentElement.dataset.state === 'running'")
            browser.value("control('scale', {factor: 2})")
            browser.until("document.getElementById('headline').textContent.includes('2 × the plan')")
            browser.key("s")
            browser.until("document.querySelector('dialog[open] #question') !== null")
            assert running.ending is None, "it asks first"
            browser.value("document.querySelector('dialog[open] button.primary').click()")
            until(lambda: running.ended, within=20)
            report = running.finish()
            browser.until("DATA.finished && document.documentElement.dataset.state === 'ended'")

        browser.until("CLOSED && !document.getElementById('banner').hidden")
        assert "process has ended" in browser.value("document.getElementById('banner').textContent")
        assert [event.text for _, event in report.happenings if event.kind == "change"] == [
            "paused, by the page (127.0.0.1)", "resumed, by the page (127.0.0.1)",
            "scaled to 2 times the plan, by the page (127.0.0.1)", "stopped, by the page (127.0.0.1)",
        ]  # fmt: skip
        saved = tmp_path / "saved.html"
        saved.write_text(browser.value("savedPage()"), encoding="utf-8")
        assert browser.messages == []
        assert {url.partition("?")[0] for url in browser.requests if url != "about:blank"} <= {
            f"{page.address}{path}" for path in ("", "state", "hello", "template", "control")
        } | {page.url}
        assert data_of_page(saved) == data_of_page(tmp_path / "kept.html"), "what is saved is what --html writes"

        browser.open(saved.as_uri())
        assert browser.value("document.querySelector('#verdict .word').textContent") == "■ ABORTED"
        assert browser.messages == []

    def test_new_events_are_read_aloud_at_most_once_in_five_seconds(self, browser, page):
        browser.open(page.url)
        browser.until("document.documentElement.dataset.state === 'running'")
        text = "byId('said').textContent"
        assert browser.value(text) == "PASS so far"
        assert browser.value("byId('verdict').getAttribute('aria-live')") == "off"
        browser.value("spoken = 0")
        for at, word in enumerate(("first", "second"), 3):
            page.feed.second(replace(second_of(at), events=[("local", RunEvent(at, "change", word))]))
            browser.until(f"REPORT.happenings.length === {at - 2}")
        assert browser.value(text) == "first"
        assert browser.value("byId('said').getAttribute('aria-live')") == "polite"
        browser.value("spoken = 0")
        page.feed.second(second_of(5))
        browser.until(f"{text} === 'second'")

    def test_verdict_limits_length_and_heat_map_are_of_the_newest_second(self, browser, page, run):
        browser.size(1280)
        browser.open(page.url)
        row, count = "byId('limits').tBodies[0].rows[1]", LimitResult("count > 900", False, 80.0, "80")
        run.pulse = lambda: Pulse(users=5, limits=(LimitState("count > 900", "80", "open"),))
        for at in (3, 4):
            shown = f"6{at}ms"
            run.limits_so_far = lambda shown=shown: [LimitResult("p95 < 50ms", False, 0.06, shown, unit="s"), count]
            page.feed.second(replace(second_of(at), health={"responses_2xx": 70.0 + 5 * at}))
            browser.until(f"REPORT.duration === {at + 1}")
            assert f"p95 < 50ms is {shown}" in browser.value("byId('verdict').innerText")
            assert shown in browser.value("byId('limits').innerText")
            assert "count > 900 open until the end 80" in browser.value(f"{row}.innerText.replace(/\\s+/g, ' ')")
            assert "900" not in browser.value("byId('verdict').innerText")
            assert f"{at + 1}.0 s so far" in browser.value("byId('about').innerText")
            plots = "['.heat canvas', '.half .u-over'].map((each) => document.querySelector(each).clientWidth)"
            heat, chart = browser.value(plots)
            assert heat == chart > 400
        browser.value("zoomTo(3, 4)")
        chart = "charts.find(([, , title]) => (title || '').startsWith('HTTP responses'))[0]"
        assert browser.value(f"{chart}.scales.y.min") == 0, "bars begin at 0"
        assert browser.messages == []

    def test_the_page_for_reading_has_no_buttons_that_change_the_run(self, browser, page):
        browser.open(page.read_only_url)
        browser.until("document.documentElement.dataset.state === 'running'")

        shown = browser.value(
            "[...document.querySelectorAll('.controls button')].filter(b => !b.hidden).map(b => b.id)"
        )
        assert shown == ["save", "help", "theme"]
        browser.key("s")
        assert browser.value("document.querySelector('dialog[open]')") is None

    def test_a_wrong_token_and_none_say_so(self, browser, page):
        for url in (page.address, f"{page.address}#wrong"):
            browser.call("Page.navigate", url="about:blank")
            browser.call("Page.navigate", url=url)
            browser.until(
                "document.getElementById('banner') && document.getElementById('banner').textContent.includes('token')"
            )
            assert browser.value("document.querySelector('main').offsetHeight") == 0
        browser.messages.clear()  # the browser itself reports the status 401

    def test_what_is_zoomed_into_has_the_figures_of_the_server(self, browser, target):
        page = LivePage()
        with page, shop(target).start(outputs=[PageOutput(page)]):
            browser.open(page.url)
            browser.until("AT.length >= 4")
            browser.value("zoomTo(1, 2)")
            browser.until("view.exact !== null")
            rows = browser.value("[...view.exact.values()].filter(row => row.name === 'GET /')")
            assert 35 <= rows[0]["count"] <= 45
            assert rows[0]["p50"] is not None
            assert rows[0]["approximate"] is False
            assert "without warm-up" in browser.value("document.getElementById('series-note').textContent")

    def test_an_opened_row_is_fetched_with_its_heat_map_and_intervals(self, browser, target):
        page = LivePage()
        with page, shop(target).start(outputs=[PageOutput(page)]):
            browser.open(page.url)
            browser.until("AT.length >= 4")
            browser.value("window.opened = REPORT.series.findIndex((row) => row.name === 'GET /')")
            assert browser.value("REPORT.series[opened].intervals.p50") is None
            browser.value("lineOf(opened).click()")
            browser.until("document.querySelector('#rows .detail canvas[role=img]') !== null")
            browser.until("REPORT.series[opened].intervals.p50 !== null")
            low, high = browser.value("REPORT.series[opened].intervals.p50")
            assert 0 < low <= high < 1
            titles = browser.value("[...document.querySelectorAll('#rows .detail h3')].map((each) => each.textContent)")
            assert sum(title.startswith(("Times of GET /", "Distribution of times of GET /")) for title in titles) == 2
            fetched = browser.value("[...FETCHED.values()][0].length")
            browser.until(f"AT.length > {fetched} + 1")
            browser.value("fetchOpened()")
            browser.until(f"[...FETCHED.values()][0].length > {fetched}")
        assert browser.messages == []

    @pytest.mark.parametrize("width", [390, 1024, 1600])
    def test_nothing_is_wider_than_the_window(self, browser, page, width):
        browser.size(width)
        browser.open(page.url)
        browser.until("document.documentElement.dataset.state === 'running'")

        assert browser.value("document.documentElement.scrollWidth") <= width
        browser.size(1200)


def test_an_opened_row_has_the_histograms_of_its_steps_and_the_figures_of_the_report(tmp_path):
    stage = Ground(rate(20, hold=40))
    stage.worker("w0")
    page = LivePage(clock=stage.clock)
    stage.fleet(1, outputs=[PageOutput(page, served=False)])
    stage.clock.run(lambda: page.feed._number >= 30)

    def opened(name="visit"):
        asking = gevent.spawn(page.feed.opened, "shop", name, "visit")
        stage.clock.run(asking.ready)
        return json.loads(asking.get())

    found = opened()
    assert sum(sum(flat[1::2]) for flat in found["histograms"]) == found["row"]["count"]
    assert found["row"]["design_effect"]["p50"] is not None
    low, high = found["row"]["intervals"]["p50"]
    assert low <= found["row"]["p50"] <= high
    assert opened("none of these") == {"row": None, "histograms": []}
    report = stage.play()
    found = opened()
    assert found["row"] is None, "the final report has it"
    assert sum(sum(flat[1::2]) for flat in found["histograms"]) == report["visit"].count


def test_what_makes_a_run_invalid_or_broken_is_said_while_it_goes_on(page, run):
    def said():
        page.feed._cached = None
        report = payload_of(page)["payload"]["report"]
        return report["verdict"], report["reasons"], report["warnings"]

    assert said() == ("PASS", [], [])
    broken = LimitResult("p95 < 1s", False, 2.0, "2.00s")
    run.limits_so_far = lambda: [broken]
    assert said() == ("FAIL", ["p95 < 1s is 2.00s"], [])
    few = "20 of 72 samples needed: the maximum is used instead"
    run.limits_so_far = lambda: [replace(broken, shown="max 2.00s", note=few)]
    assert said() == ("FAIL", [f"p95 < 1s: the maximum is 2.00s ({few})"], [])
    growing = LimitState("p95 < 1s", "2.00s", "open")
    run.pulse = lambda: Pulse(users=5, limits=(growing,))
    assert said() == ("PASS", [], []), "only the end decides on it"
    run.limits_so_far = lambda: [broken]
    run.pulse = lambda: Pulse(users=5, invalid=("the generator used up its core",))
    run.ending = "stopped"
    run.crew = [WorkerStats("w1"), WorkerStats("w2", lost=True)]
    verdict, reasons, (warning,) = said()
    assert (verdict, reasons) == ("INVALID", ["the generator used up its core", "p95 < 1s is 2.00s", "stopped"])
    assert warning.startswith("worker w2 was lost")


def test_an_opened_row_is_computed_once_for_all_who_ask_and_again_after_five_seconds(page):
    def row():
        status, text = ask(page, "/row?scenario=shop&name=GET+%2F&kind=http", token=page.tokens.read)
        assert status == 200
        return json.loads(text)["row"]["count"]

    assert row() == 60
    for at in range(3, 7):
        page.feed.second(second_of(at))
        assert row() == 60
    page.feed.second(second_of(7))
    assert row() == 160
    for n in range(200):
        ask(page, f"/row?scenario=shop&name={n}&kind=http", token=page.tokens.read)
    assert len(page.feed._rows) <= 64


@pytest.mark.parametrize("query", ["", "?name=x&kind=http", "?scenario=shop"])
def test_an_opened_row_needs_the_whole_name_of_a_series(page, query):
    status, text = ask(page, f"/row{query}", token=page.tokens.read)

    assert status == 400
    assert "name a series" in text


def test_the_page_of_a_fleet_is_that_of_one_process():
    found = []
    for n in (1, 3):
        stage = Ground(rate(20, hold=10))
        for k in range(n):
            stage.worker(f"w{k}")
        page = LivePage(clock=stage.clock)
        stage.fleet(n, outputs=[PageOutput(page, served=False)])
        stage.clock.run(lambda: page.feed._state._totals.seconds >= 8)  # noqa: B023 - it runs at once
        computing = gevent.spawn(page.feed.state)
        stage.clock.run(computing.ready)
        payload = json.loads(computing.get())["payload"]
        counts = [(row["name"], row["count"]) for row in payload["report"]["series"]]
        found.append((payload["at"], counts, round(sum(payload["run"]["planned"]), -1)))
        stage.play()

    assert found[0] == found[1]
    assert found[0][1]


@pytest.mark.page
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_live_page_of_a_fleet_has_a_row_for_each_worker_and_shows_a_lost_one(browser):
    stage, page, seconds = Ground(rate(10, hold=60)), LivePage(), set()
    for name in ("w0", "w1"):
        stage.worker(name)

    def run(until):
        """Let simulated time pass, and in each of its seconds real time, in which the page computes."""

        def done():
            new = int(stage.clock.now()) not in seconds or len(seconds) > 50
            seconds.add(int(stage.clock.now()))
            return came(until, within=0.005) if new else until()

        stage.clock.run(done)

    with page:
        stage.fleet(2, outputs=[PageOutput(page)])
        run(lambda: page.feed._state._totals.seconds >= 5)
        assert live_workers(browser, page) == {"w0": "✓", "w1": "✓"}
        stage.kill("w1")
        run(lambda: any(worker.lost for worker in stage.master.crew))
        run(lambda: page.feed._state._totals.seconds >= 30)
        found = live_workers(browser, page)
    leaving = gevent.spawn(stage.master.__exit__, None, None, None)
    run(leaving.ready)
    assert found["w0"] == "✓"
    assert re.fullmatch(r"✕ lost at 0:0\d(, [\d,]+ visits)?", found["w1"])
    assert browser.messages == []


def live_workers(browser, page):
    """Open the page while simulated time stands still; return the state of each worker, whose row has figures."""
    browser.call("Page.navigate", url="about:blank")
    browser.messages.clear()
    browser.open(page.url)
    rows = browser.value("[...byId('workers').tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText))")
    browser.call("Page.navigate", url="about:blank")
    for row in rows:
        assert len(row) == 11
        assert "NaN" not in "".join(row)
        assert int(row[2]) > 0
    return {row[0]: row[1] for row in rows}


# ---- the commands


SHOP = """
from chaperon import Environment, Scenario, rate, run, step


@step
def look(session):
    with session.measure("GET /x", kind="rpc"):
        session.sleep(0.01)


shop = Environment(
    scenarios=[run(Scenario(look, name="shop"), rate(20, hold="60s"))], limits=["p95(GET /x) < 5s"], name="shop"
)
"""


def asked(url, path, body=None):
    """Send one request to the page at *url*, as its script does, and return the values it answers with."""
    address, _, token = url.partition("#")
    request = urllib.request.Request(f"{address}{path}", body, {"Authorization": f"Bearer {token}"})
    if body is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.processes
@pytest.mark.faults
class TestCommands:
    def test_runs_are_started_from_the_page_one_after_another(self, shells):
        (shells.folder / "shop.py").write_text(SHOP)
        trust = [f"--trust={rule}=off" for rule in UNJUDGED]
        command = shells.start("page", "shop.py", *trust)
        url = shells.told(command, "the page is at ").split()[-1]

        assert asked(url, "hello")["launcher"]["entries"] == [{"label": "shop", "load": "20/s"}]
        assert "error" in asked(url, "plan?load=nonsense(")
        (drawn,) = asked(url, "plan?load=rate(30,hold=%222s%22)")["loads"]
        assert (drawn["unit"], max(level for _, level in drawn["points"])) == ("visits/s", 30)
        assert "run" in asked(url, "state")
        assert "payload" not in asked(url, "state"), "nothing is sent before it is started"
        for _ in range(2):
            start = json.dumps({"action": "start", "load": 'rate(30, hold="1s")'}).encode()
            assert asked(url, "control", start) == {"done": "start 30/s"}
            with pytest.raises(urllib.error.HTTPError, match="409"):
                asked(url, "control", start)
            until(lambda: asked(url, "state")["payload"]["finished"], within=30, every=0.2)
            until(lambda: not asked(url, "hello")["launcher"]["busy"], within=10, every=0.1)
        command.send_signal(signal.SIGINT)

        assert shells.ends(command) == 0

    def test_a_run_file_is_told_apart_by_its_content_and_shown(self, shells):
        (shells.folder / "shop.py").write_text(SHOP)
        made = shells.start("local", "shop.py", "--hold", "2s", "--run-file", "kept")
        assert shells.ends(made) == 0
        command = shells.start("page", "kept")
        url = shells.told(command, "the page is at ").split()[-1]

        until(lambda: asked(url, "state").get("payload", {}).get("finished"), within=10, every=0.1)
        payload = asked(url, "state")["payload"]
        assert {row["name"]: row["count"] for row in payload["report"]["series"]}["GET /x"] == 40
        assert asked(url, "hello")["launcher"] is None
        command.send_signal(signal.SIGINT)
        assert shells.ends(command) == 0

    def test_the_page_of_a_master_has_its_workers(self, shells):
        (shells.folder / "shop.py").write_text(SHOP)
        trust = [f"--trust={rule}=off" for rule in UNJUDGED]
        master = shells.master("--hold", "60s", "--page", *trust, workers=2)
        url = shells.told(master, "the page is at ").split()[-1]
        for name in ("alpha", "beta"):
            shells.worker(master.address, "--name", name, "--once")

        def workers():
            report = asked(url, "state").get("payload", {}).get("report", {})
            return {row["name"]: row for row in report.get("workers", []) if row["visits"]}

        until(lambda: len(workers()) == 2, within=40, every=0.2)
        assert set(workers()) == {"alpha", "beta"}
        assert all(row["last"] >= 0 and not row["lost"] for row in workers().values())
        assert asked(url, "control", json.dumps({"action": "stop"}).encode()) == {"done": "stop"}
        shells.ends(master)

    def test_a_page_stays_as_long_as_it_is_asked_to_and_serves_metrics(self, shells):
        (shells.folder / "shop.py").write_text(SHOP)
        command = shells.start("local", "shop.py", "--hold", "1s", "--page", "--linger", "30s", "--metrics")
        url = shells.told(command, "the page is at ").split()[-1]
        address, _, token = url.partition("#")
        shells.told(command, "the page stays for")

        assert asked(url, "state")["payload"]["finished"] is True
        request = urllib.request.Request(f"{address}metrics", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert b"chaperon_samples_total" in answer.read()
        command.send_signal(signal.SIGINT)
        assert shells.ends(command) == 0
