"""What a handshake asks for by header, and where it is redirected, is not dropped in silence."""

import pytest
from scenes import once

from chaperon import Service, WebSocketRefused


def redirecting(location, status="302 Found"):
    """Return a server's part: a redirect from /old with a cookie, an echo elsewhere."""

    def talk(peer):
        if peer.line.split(" ")[1].startswith("/old"):
            head = (
                f"HTTP/1.1 {status}\r\nLocation: {location}\r\nSet-Cookie: seen=1; Path=/\r\nContent-Length: 0\r\n\r\n"
            )
            peer.raw(head.encode())
        else:
            peer.agree()
            peer.echo()

    return talk


def echoed(session, path, **options):
    with session.ws(path, **options) as ws:
        ws.send("hello")
        return ws.recv()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("location", ["/new", "new?b=2", "{ws}/new", "{http}/new"])
def test_a_redirect_to_the_same_origin_is_followed_within_one_sample(websocket_server, location, status):
    servers = []

    def talk(peer):
        url = servers[0].url
        redirecting(location.format(http=url, ws=url.replace("http", "ws")), status)(peer)

    servers.append(websocket_server(talk, shakes=False))
    said = []
    report = once(
        servers[0], lambda session: said.append(echoed(session, "/old", params={"a": 1}, headers={"X-Mine": "1"}))
    )

    first, second = servers[0].heads
    assert said == ["hello"]
    assert first.line == "GET /old?a=1 HTTP/1.1"
    assert second.line.startswith("GET /new")
    assert (second.headers["x-mine"], second.headers["cookie"]) == ("1", "seen=1")
    assert (report["ws connect /old"].count, report["ws connect /old"].errors) == (1, 0)
    assert report["redirects ws connect /old"].count == 1


def test_a_redirect_to_another_origin_is_refused_with_its_location_unless_trusted(websocket_server):
    elsewhere = websocket_server()
    server = websocket_server(redirecting(f"{elsewhere.url}/new"), shakes=False)
    seen = []

    def steps(session):
        seen.append(echoed(session, "/old", service="trusting", headers={"X-Mine": "1"}))
        with pytest.raises(WebSocketRefused) as refused:
            session.ws("/old")
        seen.append(str(refused.value))

    once(server, steps, services={"trusting": Service(server.url, trust_origins=[elsewhere.url])})

    assert seen[0] == "hello"
    assert f"Location: '{elsewhere.url}/new'" in seen[1]
    assert "trust_origins" in seen[1]
    assert [peer.headers.get("x-mine") for peer in elsewhere.heads] == ["1"]


def test_redirects_in_a_circle_are_refused_after_ten(websocket_server):
    server = websocket_server(redirecting("/old"), shakes=False)

    report = once(server, lambda session: session.ws("/old"))

    assert len(server.heads) == 11
    assert [(e.series, e.error) for e in report.errors if e.series.startswith("ws")] == [
        ("ws connect /old", "unexpected http 302")
    ]
    assert server.drained()


ASKED = {
    "by argument": {"subprotocols": ["v1", "v2"]},
    "by header": {"headers": {"Sec-WebSocket-Protocol": "v1, v2"}},
    "by header in small letters": {"headers": {"sec-websocket-protocol": "v1,v2"}},
    "by header as bytes": {"headers": {"Sec-WebSocket-Protocol": b"v1, v2"}},
    "by both": {"subprotocols": ["v1"], "headers": {"sec-websocket-protocol": "v2, v1"}},
}


@pytest.mark.parametrize("way", ASKED)
def test_a_subprotocol_is_asked_for_by_argument_or_by_header(websocket_server, way):
    def talk(peer):
        peer.agree("Sec-WebSocket-Protocol: v2")
        peer.echo()

    server = websocket_server(talk, shakes=False)
    chosen = []
    report = once(server, lambda session: chosen.append(session.ws("/", **ASKED[way]).subprotocol))

    assert (chosen, report.errors) == (["v2"], ())
    assert server.heads[0].headers["sec-websocket-protocol"] == "v1, v2"


def test_a_subprotocol_is_asked_for_by_a_header_of_the_session_or_the_service(websocket_server):
    def talk(peer):
        peer.agree("Sec-WebSocket-Protocol: v1")
        peer.echo()

    server = websocket_server(talk, shakes=False)
    chosen = []

    def steps(session):
        session.headers["Sec-WebSocket-Protocol"] = "v1"
        chosen.append(session.ws("/").subprotocol)
        chosen.append(session.ws("/", service="other").subprotocol)

    once(server, steps, services={"other": Service(server.url, headers={"Sec-WebSocket-Protocol": "v1"})})

    assert chosen == ["v1", "v1"]


def test_an_extension_asked_for_by_header_is_refused_with_the_remedy(websocket_server):
    server = websocket_server(lambda peer: peer.agree("Sec-WebSocket-Extensions: permessage-deflate"), shakes=False)
    said = []

    def steps(session):
        with pytest.raises(WebSocketRefused) as refused:
            session.ws("/", headers={"Sec-WebSocket-Extensions": "permessage-deflate"})
        said.append(str(refused.value))

    once(server, steps)

    assert "send no Sec-WebSocket-Extensions header" in said[0]
