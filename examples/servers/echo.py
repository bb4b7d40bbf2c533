"""A WebSocket server that sends back what it gets; its query string makes it less simple.

?greeting=WORDS says something first, ?ping=N sends a PING before each Nth echo, ?slow=SECONDS
waits before each, ?close=N closes after N of them. At /ping every «ping» is answered by «pong».
"""

import struct
from collections import Counter
from contextlib import suppress
from urllib.parse import parse_qsl

from gevent import sleep
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

from . import serve_alone, served

counts = Counter()


def application(environ, start_response):
    ws = environ.get("wsgi.websocket")
    if ws is None:
        start_response("426 Upgrade Required", [("Upgrade", "websocket")])
        return []
    counts["connections"] += 1
    with suppress(WebSocketError):  # the client has gone without a word
        _converse(ws, environ["PATH_INFO"], dict(parse_qsl(environ.get("QUERY_STRING", ""))))
    return []


def _converse(ws, path, how):
    if "greeting" in how:
        ws.send(how["greeting"])
    while (message := ws.receive()) is not None:
        counts["messages"] += 1
        number = counts["messages"]
        sleep(float(how.get("slow", 0)))
        if number % int(how.get("ping", number + 1)) == 0:
            ws.send_frame("still there?", ws.OPCODE_PING)
            counts["pings"] += 1
        ws.send("pong" if path == "/ping" and message == "ping" else message)
        if number == int(how.get("close", 0)):
            ws.send_frame(struct.pack("!H", 1012) + b"restarting", ws.OPCODE_CLOSE)
            return


def serving(port=0):
    """Serve as long as the block lasts."""
    return served(application, port, handler_class=WebSocketHandler)


if __name__ == "__main__":
    serve_alone(serving)
