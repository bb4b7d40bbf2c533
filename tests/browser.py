"""A headless Chromium, driven by its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

import websocket
from waits import until

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)  # fmt: skip
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
CODES = {"Tab": 9, "Escape": 27}
"""Keys that a page does nothing about without the code of a keyboard."""


def contrast(one, other):
    """Return the contrast of two colours, "#rrggbb" or "#fff", by WCAG 2.1."""
    dim, bright = sorted(map(_luminance, (one, other)))
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)] if len(colour) == 7 else [1.0, 1.0, 1.0]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class Browser:
    """One page of a Chromium; *messages* are its console's, *requests* the URLs it asked for."""

    def __init__(self, locale="C"):
        self.folder = tempfile.mkdtemp(prefix="chaperon-chromium-")
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self.folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "HOME": self.folder, "LANG": locale},
        )
        port = self._port()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            target = next(each for each in json.load(answer) if each["type"] == "page")
        self._socket = websocket.create_connection(target["webSocketDebuggerUrl"], timeout=30, suppress_origin=True)
        self._number, self.messages, self.requests = 0, [], []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _port(self):
        place = Path(self.folder) / "DevToolsActivePort"
        until(lambda: place.exists() and "\n" in place.read_text(), 30, "Chromium did not start", every=0.05)
        return int(place.read_text().split()[0])

    def call(self, method, **params):
        """Send one command and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            if "id" not in answer:  # an answer to a call that a test did not wait for any more is no event
                self._on_event(answer)

    def _on_event(self, event):
        params = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.messages.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.messages.append(str(params["args"]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.messages.append(params["entry"]["text"])

    def size(self, width, height=1000, *, dark=False):
        """Set the size of the window and the colours the person prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media="", features=scheme)

    def open(self, url, ready="document.documentElement.dataset.ready === 'yes'"):
        """Open a URL and wait until *ready* is true."""
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.documentElement !== null && {ready}")

    def until(self, condition):
        """Wait until an expression is true."""
        until(lambda: self.value(condition), 20, lambda: f"never true: {condition}; {self.messages}", every=0.05)

    def value(self, expression):
        """Return the value of an expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def key(self, key):
        """Press one key."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        text |= {"windowsVirtualKeyCode": CODES[key]} if key in CODES else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def picture(self, path, height=None):
        """Write the page as PNG: all of it, or the upper *height* pixels."""
        width = self.value("innerWidth")
        part = {} if height is None else {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **part)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def pdf(self):
        """Return the page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self):
        """End the process."""
        self._socket.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
