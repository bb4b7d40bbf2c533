"""No secret is in anything that Chaperon writes, in any of the forms in which it may turn up."""

import gzip
import html
import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64encode
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import gevent
import pytest
import requests
import websocket
from ground import PromptServer
from output_options import paths
from packed_windows import blocks_in
from test_ci_docs import free_port
from thorough import some
from unjudged import unjudged
from waits import came

from chaperon import Environment, Scenario, run, step, users
from chaperon.cli.live_page.launcher import PageLauncher
from chaperon.cli.options import RunOptions
from chaperon.cli.outputs import OUTPUT_NAMES
from chaperon.errors import ActionRefused

HEADER = 'hé/ad+er"1&=x'
SETTING = "s3t t\\ing'<2>%"
PASSWORD = 'pässw/ord+3"&~'
CONFIG = "cönf{ig}-four,5/6"
SECRETS = (HEADER, SETTING, PASSWORD, CONFIG)

LEAKY = """
import base64, json, logging, traceback
from urllib.parse import quote
from chaperon import Environment, Scenario, iterations, run, secret, step, users

production = None


def leak_by_http(session, word):
    encoded = base64.b64encode(word.encode()).decode()
    session.get("/search", params={"q": word, "again": encoded}, name=f"search {word}")
    session.post("/echo", json={"note": [word, encoded]}, headers={"X-Note": word}, cookies={"kept": quote(word)})
    session.post("/echo", data={"note": word})
    session.get("/echo/" + quote(word), auth=("eve", word))
    with session.tagged(place=word):
        session.get("/plain", params={"token-free": json.dumps(word)})


def leak_by_words(session, word):
    logging.getLogger("shop").warning("logged %s and %s", word, {"in json": word})
    session.log.warning("said %r %s", word, json.dumps(word))
    print("printed", word)
    session.check(f"check {word}", False)
    session.record(f"value {word}", 1.0)
    with session.measure(f"measured {word}"):
        pass
    try:
        raise ValueError(word)
    except ValueError:
        traceback.print_exc()
        session.log.exception("caught")


def leak_by_websocket(session, word):
    with session.ws(session.config["sockets"], name=f"socket {word}") as socket:
        socket.send(word)
        socket.recv(timeout="5s")
        socket.send(json.dumps({"word": word}))
        socket.recv_json(timeout="5s")["none of " + word]


@step
def leak(session):
    for word in session.config["words"]:
        leak_by_http(session, word)
        leak_by_words(session, word)
        try:
            leak_by_websocket(session, word)
        except KeyError:
            traceback.print_exc()
    raise RuntimeError(" ".join(session.config["words"]))


scenario = Scenario(leak, name="leaky")
production = Environment(
    headers={"X-Own": secret("env:LEAK_HEADER")},
    auth=("ann", secret("env:LEAK_PASSWORD")),
    config={
        "words": [
            secret("env:LEAK_HEADER"), secret("@setting.txt"), secret("env:LEAK_PASSWORD"), secret("env:LEAK_CONFIG")
        ]
    },
    scenarios=[run(scenario, iterations(2, users=1))],
    limits=["p95(visit) < 9s"],
)
"""


def base64_forms(secret):
    """The secret in base64 at each place that it can have in a longer text, without what its neighbours decide."""
    for raw in (secret.encode(), secret.encode("latin-1")):
        for before in range(3):
            encoded = b64encode(b"\0" * before + raw).decode()
            core = encoded[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
            yield core
            yield core.replace("+", "-").replace("/", "_")


def forms_of(secret):
    plain = {
        secret, quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret.encode("latin-1"), safe=""),
        json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(json.dumps(secret))[3:-3],
        html.escape(secret), repr(secret)[1:-1], secret.encode().decode("latin-1"),
    }  # fmt: skip
    return {*plain, *(re.sub("%..", lambda code: code[0].lower(), form) for form in plain), *base64_forms(secret)}


FORMS = {form.encode(errors="surrogateescape"): secret for secret in SECRETS for form in forms_of(secret)}
FORMS |= {form.encode("latin-1"): form for form in SECRETS}


def layers(data):
    """Yield bytes, and what is compressed or escaped within them."""
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    yield from blocks_in(data)
    yield re.sub(rb"\\u00([0-7][0-9a-f])", lambda code: bytes([int(code[1], 16)]), data)
    yield data.replace(rb"\_", b"_").replace(rb"\*", b"*").replace(rb"\`", b"`")


def leaks(named):
    """The places in which a secret is, with the form and what stands around it."""
    return [
        (name, form.decode("utf-8", "replace"), layer[max(layer.index(form) - 60, 0) :][: len(form) + 120])
        for name, data in named.items()
        for layer in layers(data)
        for form in FORMS
        if form in layer
    ]


class Echo:
    """Answers every request with 500 and all that it was sent, and collects what is pushed to it."""

    def __init__(self):
        self.pushed = {}
        self.seen = {}
        self.journals = {}
        self.modes = set()
        self._server = PromptServer(("127.0.0.1", 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.stop(timeout=0.1)

    def _answer(self, environ, start_response):
        body, path = environ["wsgi.input"].read(), environ["PATH_INFO"]
        if path in ("/v1/metrics", "/api/v2/write"):
            self.pushed[f"{path} {len(self.pushed)}"] = body
            start_response("204 No Content", [])
            return [b""]
        self.look_around()
        sent = {k: str(v) for k, v in environ.items() if k.startswith(("HTTP_", "QUERY", "PATH_INFO"))}
        words = f"{environ.get('QUERY_STRING')} {environ.get('HTTP_AUTHORIZATION')} {body.decode('utf-8', 'replace')}"
        answer = words if path == "/plain" else json.dumps({"error": words, "sent": sent})
        own = environ.get("HTTP_X_OWN", "")
        start_response(
            "500 Oops", [("Content-Type", "application/json"), ("X-Echo", own), ("Set-Cookie", f"s={quote(own)}")]
        )
        return [answer.encode()]

    def look_around(self):
        """Keep the arguments of every process, the files of journals, and who may read their folders."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                self.seen[f"ps {file}"] = file.read_bytes()
        for folder in (Path("/dev/shm"), Path("/tmp")):
            for journals in folder.glob("chaperon-own-*"):
                with suppress(OSError):
                    self.modes.add(journals.stat().st_mode & 0o777)
                    self._read_journals(journals)

    def _read_journals(self, folder):
        """Keep what the files of journals contain: those beside them are of the scenario."""
        for engine in folder.iterdir():
            for file in engine.iterdir() if engine.name.isdigit() else ():
                with suppress(OSError):
                    data = file.read_bytes().rstrip(b"\0")
                    self.journals.setdefault(f"journal {file} {hash(data)}", data)


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


def scraped(port, found):
    def again():
        with suppress(requests.RequestException):
            got = requests.get(
                f"http://127.0.0.1:{port}/metrics", headers={"Authorization": "Bearer scraper"}, timeout=2
            )
            found[f"/metrics {len(found)}"] = got.content

    came(again, within=300, every=0.5)


VIEWED = ("/", "/hello", "/state", "/state?from=0&to=60", "/news?after=0", "/template", "/plan?load=rate(5,hold=1)")


class Viewing:
    """Asks a live page for everything that it has, again and again, and keeps the messages of its WebSocket."""

    def __init__(self, port):
        self.seen = {}
        self._port = port
        self._greenlets = [gevent.spawn(self._ask), gevent.spawn(self._listen)]

    def close(self):
        gevent.killall(self._greenlets)

    def _ask(self):
        came(self._all, within=300, every=0.5)

    def _get(self, path):
        with suppress(requests.RequestException):
            got = requests.get(
                f"http://127.0.0.1:{self._port}{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
            )
            self.seen[f"page {path} {len(self.seen)}"] = got.content
            return got
        return None

    def _all(self):
        state = [self._get(path) for path in VIEWED][2]
        if state is not None and state.ok and "payload" in state.json():
            for row in state.json()["payload"]["report"]["series"]:
                self._get(f"/row?{urlencode({name: row[name] for name in ('scenario', 'name', 'kind')})}")

    def _listen(self):
        came(self._hear, within=300, every=0.5)

    def _hear(self):
        with suppress(OSError, websocket.WebSocketException):
            connection = websocket.create_connection(
                f"ws://127.0.0.1:{self._port}/socket?run=&after=0",
                subprotocols=["chaperon", f"token.{TOKEN}"], suppress_origin=True, timeout=5,
            )  # fmt: skip
            with closing(connection):
                while message := connection.recv():
                    self.seen[f"socket {len(self.seen)}"] = message.encode()


PATHS = paths()
OUTPUTS = (*chain.from_iterable(PATHS.items()), "--github")
SENDING = {"otlp", "influx", "metrics", "metrics_at"}
PAGE = {"page", "page_at", "page_token", "browser", "linger"}
TOKEN = "viewer-7"


def test_every_output_is_searched_for_secrets():
    by_path = {flag.removeprefix("--") for flag in PATHS}

    assert {"json", "csv", "failures"} <= by_path
    assert set(OUTPUT_NAMES) == by_path | {"github", "samples"} | SENDING | PAGE


RUN = ("--run-file", "o.run", "--log", "debug", "--log-file", "o.log")
SEARCH = ("--from", "3", "--to", "3", "--step", "1s", "--settle", "0s")


ENTRANCES = {
    "processes": ("local", ("--processes", "2", *RUN)),
    "local": ("local", ("--samples", "o.csv.gz", *RUN)),
    "check": ("check", ("--verbose", "--samples", "o.csv", "--log", "debug")),
    "find": ("find", (*SEARCH, *RUN)),
}


@pytest.mark.faults
@pytest.mark.parametrize("entrance", some(ENTRANCES, 2))
def test_no_secret_is_in_any_output(tmp_path, echo, websocket_server, entrance):
    verb, more = ENTRANCES[entrance]
    (tmp_path / "leaky.py").write_text(LEAKY)
    (tmp_path / "setting.txt").write_text(SETTING)
    (tmp_path / "summary.md").touch()
    port, page_port, scrapes = free_port(), free_port(), {}
    variables = {
        "LEAK_HEADER": HEADER, "LEAK_PASSWORD": PASSWORD, "LEAK_CONFIG": CONFIG, "CHAPERON_METRICS_TOKEN": "scraper",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    pushing = (
        "--otlp",
        echo.url,
        "--influx",
        f"{echo.url}/api/v2/write?bucket=load",
        "--metrics-at",
        f"127.0.0.1:{port}",
    )
    if verb == "local":
        pushing += ("--page-at", f"127.0.0.1:{page_port}", "--page-token", TOKEN, "--linger", "4s")
    given = ("--url", echo.url, "--set", f"sockets={websocket_server().url}", "--no-brake", *OUTPUTS, *pushing)

    def command(*args):
        return subprocess.run(
            [sys.executable, "-m", "chaperon", *unjudged(args)],
            cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, timeout=100,
        )  # fmt: skip

    scraper, viewing = gevent.spawn(scraped, port, scrapes), Viewing(page_port)
    done = command(verb, "leaky.py:production", *given, *more)
    scraper.kill()
    viewing.close()
    written = {str(file): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    told = {"stdout": done.stdout, "stderr": done.stderr}
    if (tmp_path / "o.run").exists():
        again = command("report", "o.run", *OUTPUTS)
        told |= {"report stdout": again.stdout, "report stderr": again.stderr}
        written |= {f"report {file}": file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    sources = ("leaky.py", "setting.txt")
    outputs = {name: data for name, data in written.items() if not name.endswith((*sources, ".pyc"))}

    assert done.returncode in (4, 5), done.stdout + done.stderr
    assert b"***" in done.stdout
    assert [path for path in PATHS.values() if not any(f"/{path}" in name for name in written)] == []
    assert (tmp_path / "summary.md").stat().st_size > 0
    assert len([name for name in written if "/failures/" in name]) > 5
    assert any("/v1/metrics" in name for name in echo.pushed)
    assert any("/api/v2/write" in name for name in echo.pushed)
    assert (verb == "find") or any(scrapes.values()), "nothing was scraped"
    assert any(b"leaky.py" in data for data in echo.seen.values())
    assert echo.modes <= {0o700}
    assert ("--processes" not in more) or b"search ***" in b"".join(echo.journals.values())
    if verb == "local":
        asked = {name.rpartition(" ")[0].partition("?")[0] for name in viewing.seen}
        assert {"page /row", "page /state", "page /hello", "socket"} <= asked
        assert any(b"leaky" in data for name, data in viewing.seen.items() if name.startswith("socket"))
    assert leaks({**outputs, **told, **scrapes, **viewing.seen, **echo.pushed, **echo.seen, **echo.journals}) == []


@pytest.mark.faults
def test_no_secret_is_in_the_journal_of_a_killed_engine(tmp_path, echo, websocket_server):
    (tmp_path / "leaky.py").write_text(LEAKY.replace("iterations(2, users=1)", "users(2, hold='60s')"))
    (tmp_path / "setting.txt").write_text(SETTING)
    variables = {"LEAK_HEADER": HEADER, "LEAK_PASSWORD": PASSWORD, "LEAK_CONFIG": CONFIG}
    given = ("--url", echo.url, "--set", f"sockets={websocket_server().url}", "--no-brake", "--processes", "2")
    run = subprocess.Popen(
        [sys.executable, "-m", "chaperon", *unjudged(("local", "leaky.py:production", *given))],
        cwd=tmp_path, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    came(lambda: any(file.endswith(".window") for name in echo.journals for file in name.split()), within=100)
    engines = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    run.send_signal(signal.SIGSTOP)  # it has the folder locked, and neither sends nor deletes what it finds there
    written, echo.journals = echo.journals, {}

    def named():
        echo.look_around()
        return any(b"search ***" in content for content in echo.journals.values())

    came(named, within=20, every=0.05)
    for engine in engines:
        os.kill(int(engine), signal.SIGKILL)
    echo.look_around()
    run.kill()
    run.wait()

    assert len(engines) == 2
    assert b"search ***" in b"".join(echo.journals.values()), "no journal was left"
    assert leaks({**written, **echo.journals}) == []


def test_no_secret_is_in_what_the_page_says_of_runs_that_may_be_started():
    @step
    def look(session):
        """Do nothing."""

    label = f"look with {HEADER}"
    environment = Environment(
        "http://127.0.0.1:9", name=f"shop {HEADER}", headers={"X-Own": HEADER}, limits=[f"p95(value {HEADER}) < 1s"],
        scenarios=[run(Scenario(look), users(1), name=label), run(Scenario(look), users(2), name="other")],
    )  # fmt: skip
    options = RunOptions()
    launcher = PageLauncher(options.apply_to(environment), options)

    form = launcher.form()
    said = [form, launcher.drawing({})]
    for asked in ({"only": f"none {HEADER}"}, {"limit": f"p95({HEADER}"}, {"load": f"rate('{HEADER}')"}):
        with pytest.raises(ActionRefused) as refused:
            launcher.drawing(asked)
        said.append(str(refused.value))
    launcher.start({"only": form["entries"][0]["label"]})

    assert form["entries"][0]["label"] == "look with ***"
    assert [entry.label for entry in launcher.wait().entries] == [label]
    assert leaks({str(place): json.dumps(each, ensure_ascii=False).encode() for place, each in enumerate(said)}) == []
