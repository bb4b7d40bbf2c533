"""The command line, as a person meets it: what it prints, how it exits; in a process of its own where that matters."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from thorough import some
from unjudged import unjudged
from waits import until

from chaperon.cli.main import COMMANDS
from chaperon.cli.terminal import standard_streams

ROOT = Path(__file__).resolve().parent.parent
BROWSE = """
from chaperon import step

@step
def browse(session):
    session.get("/")
"""


@pytest.fixture
def process(tmp_path):
    """Run a command in a process of its own, in an empty folder but for shop.py."""

    def run(*args, stdout=subprocess.PIPE):
        (tmp_path / "shop.py").write_text(BROWSE)
        return subprocess.run(
            [sys.executable, ROOT / "bin" / "chaperon", *unjudged(args)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            timeout=40,
        )

    run.folder = tmp_path
    return run


@pytest.fixture
def chaperon(tmp_path, command):
    """Run a command in this process, in an empty folder but for shop.py."""

    def run(*args, file=BROWSE):
        (tmp_path / "shop.py").write_text(file)
        return command(*args)

    run.folder = tmp_path
    return run


@pytest.fixture
def started(tmp_path, target):
    """Start a run that would last a minute, wait until it sends load."""
    made = []

    def start(*args, command="local", path="/slow", then="pass"):
        (tmp_path / "shop.py").write_text(BROWSE.replace('"/"', f'"{path}"') + f"    {then}\n")
        child = subprocess.Popen(
            [sys.executable, ROOT / "bin" / "chaperon", *unjudged([command, "shop.py", "--url", target.url, *args])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        made.append(child)
        for _ in range(400):
            if target.asked:
                break
            try:
                child.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
        return child

    yield start
    for child in made:
        if child.poll() is None:
            child.kill()
            child.wait()


def report_in(folder):
    return json.loads((folder / "out.json").read_text())


def test_local_runs_a_file_and_tells(process, target):
    done = process(
        "local", "shop.py", "--url", target.url, "--users", "3", "--hold", "1s", "--limit", "errors < 1%",
        "--json", "out.json", "--header", "X-Who: me", "--seed", "5",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert "GET /" in done.stdout
    report = report_in(process.folder)
    assert report["seed"] == 5
    assert report["ledger"][0]["done"] == target.count("GET /") > 3
    assert {h["HTTP_X_WHO"] for h in target.headers} == {"me"}


def test_a_limit_that_breaks_exits_4(chaperon, target):
    done = chaperon("local", "shop.py", "--url", target.url, "--limit", "p95(GET /) < 0ms", "--quiet")

    assert done.returncode == 4
    assert done.stdout.splitlines()[0] == "FAIL"


def test_an_unreachable_target_is_a_report_not_a_crash(chaperon, dead_port):
    done = chaperon("local", "shop.py", "--url", f"http://127.0.0.1:{dead_port}", "--iterations", "3")

    assert done.returncode == 4
    assert "connect refused" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


WRONG = {
    "no such file": (["local", "nowhere.py"], BROWSE, 3, "no such file: nowhere.py"),
    "syntax error": (["local", "shop.py"], "import chaperon\ndef broken(:\n", 3, "shop.py, line 2: syntax error"),
    "raises on import": (["local", "shop.py"], "x = 1\ny = 1 / 0\n", 3, "line 2: ZeroDivisionError"),
    "exits on import": (["local", "shop.py"], "raise SystemExit(0)\n", 3, "SystemExit"),
    "no steps": (["local", "shop.py"], "x = 1\n", 3, "holds no @step function"),
    "unknown name": (["local", "shop.py:nope"], BROWSE, 3, "no environment or scenario 'nope'"),
    "a directory": (["local", "."], BROWSE, 3, "is a directory"),
    "two scenarios": (
        ["local", "shop.py"],
        BROWSE + "from chaperon import Scenario\na, b = Scenario(browse), Scenario(browse)\n",
        3,
        "holds several scenarios: a, b",
    ),
    "wrong limit": (["local", "shop.py", "--limit", "p95(GET / < 1s"], BROWSE, 2, "not closed"),
    "wrong unit": (["local", "shop.py", "--users", "1", "--hold", "3 parsecs"], BROWSE, 2, "not a time span"),
    "endless rate": (
        ["local", "shop.py", "--rate", "inf", "--hold", "1s"],
        BROWSE,
        2,
        "a rate must be positive and finite, got 'inf'",
    ),
    "a search downwards": (
        ["find", "shop.py", "--limit", "p95 < 1s", "--from", "60", "--to", "20"],
        BROWSE,
        2,
        "--from 60/s is above --to 20/s: a search goes up",
    ),
    "a worker of another machine without a key": (
        ["worker", "--master", "far.example"],
        BROWSE,
        2,
        "needs the key of its master: give --key keys/worker.key",
    ),
    "negative rate": (
        ["local", "shop.py", "--rate", "-5", "--hold", "1s"],
        BROWSE,
        2,
        "rate must be positive",
    ),
    "rate without hold": (["local", "shop.py", "--rate", "5"], BROWSE, 2, "--hold"),
    "rate with users": (["local", "shop.py", "--rate", "5", "--users", "1"], BROWSE, 2, "--rate excludes --users"),
    "no users": (["local", "shop.py", "--users", "0"], BROWSE, 2, "at least 1"),
    "unknown flag": (["local", "shop.py", "--nope"], BROWSE, 2, "No such option"),
    "a universe of users": (["local", "shop.py", "--users", "9" * 20], BROWSE, 2, "users must be at most 10,000,000"),
    "a universe of visits": (
        ["local", "shop.py", "--rate", "9" * 20, "--hold", "1s"],
        BROWSE,
        2,
        "rate must be at most 10,000,000",
    ),
    "iterations for ever": (["local", "shop.py", "--iterations", "9" * 20], BROWSE, 2, "at most 1,000,000,000"),
    "empty url": (["local", "shop.py", "--url", ""], BROWSE, 2, "--url is empty"),
    "wrong header": (["local", "shop.py", "--header", "nope"], BROWSE, 2, "is not 'NAME: VALUE'"),
    "wrong header name": (["local", "shop.py", "--header", "X Who: me"], BROWSE, 2, "is not 'NAME: VALUE'"),
    "wrong header value": (["local", "shop.py", "--header", "X: €"], BROWSE, 2, "only characters of Latin-1"),
    "header of two lines": (["local", "shop.py", "--header", "X: a\nY: b"], BROWSE, 2, "no line breaks"),
    "wrong setting": (["local", "shop.py", "--set", "nope"], BROWSE, 2, "is not KEY=VALUE"),
    "folder on standard output": (["local", "shop.py", "--csv", "-"], BROWSE, 2, "--csv writes a folder"),
    "two on standard output": (
        ["local", "shop.py", "--json", "-", "--html", "-"],
        BROWSE,
        2,
        "only one output",
    ),
    "null bytes": (["local", "shop.py"], "x = 1\0", 3, "shop.py, line ?: syntax error"),
    "wrong url": (["local", "shop.py", "--url", "localhost:8080"], BROWSE, 3, "is not a base URL"),
    "url with query": (["local", "shop.py", "--url", "http://localhost/?q=1"], BROWSE, 3, "is not a base URL"),
    "wrong bracket": (["local", "shop.py", "--url", "http://[::1"], BROWSE, 3, "is not a base URL"),
    "wrong port": (["local", "shop.py", "--url", "http://localhost:99999"], BROWSE, 3, "is not a base URL"),
    "unknown entry": (["local", "shop.py", "--only", "nope"], BROWSE, 2, "no entry 'nope'"),
    "no kind of source": (["import"], BROWSE, 2, "'KIND'. Choose from: curl, har, openapi, postman, locust; "),
    "bad file name": (["new", "what?"], BROWSE, 2, "is not a name for a Python file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_gets_one_clear_line_and_the_right_code(chaperon, case):
    args, file, code, words = WRONG[case]

    done = chaperon(*args, file=file)

    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.processes
def test_help_speaks_of_every_command_and_loads_none(tmp_path):
    code = (
        "import sys; from chaperon.__main__ import main\n"
        "try: main()\n"
        "finally: print({'requests', 'rich', 'zmq'} & set(sys.modules), [m for m in sys.modules if '.script' in m])"
    )

    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, cwd=ROOT, timeout=40)

    *listed, loaded = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert loaded == "set() []"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(command, name):
    done = command(name, "--help")

    assert done.returncode == 0
    assert f"{name} [OPTIONS]" in done.stdout


@pytest.mark.parametrize("args", [("--help",), ("ls", "shop.py"), ("plan", "shop.py", "--load", "users(3)")])
def test_a_full_disk_behind_standard_output_is_said(process, args):
    with open("/dev/full", "w") as full:
        done = process(*args, stdout=full)

    assert done.returncode == 1
    assert done.stderr == "chaperon: cannot print: No space left on device; redirect the output to another place\n"


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("ls", "shop.py"),
        pytest.param(("import", "curl", "request.curl"), marks=pytest.mark.processes),
    ],
)
def test_a_standard_output_that_is_closed_is_said(chaperon, monkeypatch, args):
    (chaperon.folder / "request.curl").write_text("curl http://127.0.0.1/")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(standard_streams, "_occupy", lambda descriptor: None)

    done = chaperon(*args)

    assert done.returncode == 1
    assert done.stderr == "chaperon: cannot print: standard output is closed; redirect the output to another place\n"


def test_no_base_url_is_said_per_request(chaperon):
    done = chaperon("local", "shop.py")

    assert done.returncode == 4
    assert "pass --url" in done.stdout


def test_several_entries_want_to_know_whose_load_it_is(chaperon, target):
    file = BROWSE + (
        "from chaperon import Environment, Scenario, run, users\n"
        f"e = Environment('{target.url}', scenarios=[run(Scenario(browse), name=n) for n in ('one', 'two')])\n"
    )

    refused = chaperon("local", "shop.py", "--users", "2", file=file)
    done = chaperon("local", "shop.py", "--users", "2", "--only", "two", "--json", "out.json", file=file)

    assert (refused.returncode, "--only 'one', 'two'" in refused.stderr) == (2, True)
    assert done.returncode == 0
    assert [entry["scenario"] for entry in report_in(chaperon.folder)["ledger"]] == ["two"]
    assert len(target.asked) == 2


def test_settings_reach_the_scenario(chaperon):
    file = """
from chaperon import step

@step
def tell(session):
    print(session.config["shop.size"] + 1, session.config["shop.name"])
"""

    done = chaperon("local", "shop.py", "--set", "shop.size=41", "--set", "shop.name=big", "--quiet", file=file)

    assert done.stdout.splitlines()[0] == "42 big"


def test_a_scenario_that_raises_everywhere_fails_but_reports(chaperon, target):
    file = BROWSE + "    raise RuntimeError('on purpose')\n"

    done = chaperon("local", "shop.py", "--url", target.url, "--users", "2", "--hold", "300ms", file=file)

    assert done.returncode == 4
    assert "RuntimeError: on purpose" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_million_names_are_capped_and_it_is_said(chaperon, target):
    file = """
from chaperon import step

@step
def many(session):
    for i in range(5000):
        session.record(f"name {i}", 1)
"""

    done = chaperon("local", "shop.py", "--json", "out.json", "--quiet", file=file)

    assert done.returncode == 0
    report = report_in(chaperon.folder)
    assert len(report["series"]) < 1010
    assert sum(s["count"] for s in report["series"] if s["kind"] == "value") == 5000
    assert any("names beyond the first 1,000" in note for note in report["notes"])


def test_an_output_that_cannot_be_written_exits_1_but_the_table_is_printed(chaperon, target):
    done = chaperon("local", "shop.py", "--url", target.url, "--json", "/dev/full")

    assert done.returncode == 1
    assert "PASS" in done.stdout
    assert (
        done.stderr.splitlines()[-1] == "chaperon: cannot write /dev/full: No space left on device; give another path"
    )


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere/out.json", "there is no folder {folder}/nowhere; make it, or give another path"),
        (".", "it is a folder; give the path of a file"),
        ("shop.py/out.json", "there is no folder {folder}/shop.py; make it, or give another path"),
    ],
)
@pytest.mark.parametrize("which", ["local", "check", "find", "master", "processes"])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_sent(chaperon, target, which, path, why):
    given = {
        "find": ("find", "shop.py", "--limit", "p95 < 9s"),
        "master": ("master", "shop.py", "--workers", "1", "--bind", "tcp://127.0.0.1:*", "--no-key"),
        "processes": ("local", "shop.py", "--processes", "2"),
    }.get(which, (which, "shop.py"))

    done = chaperon(*given, "--url", target.url, "--json", path)

    assert done.returncode == 1
    why = why.format(folder=os.path.realpath(chaperon.folder))
    assert done.stderr.splitlines()[-1] == f"chaperon: cannot write {path}: {why}"
    assert target.asked == []
    assert {*os.listdir(chaperon.folder)} <= {"shop.py", "__pycache__"}


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
@pytest.mark.parametrize("which", ["local", "check"])
def test_a_json_on_standard_output_has_it_for_itself(chaperon, target, which, quiet):
    file = "from chaperon import step\n@step\ndef grüße(session):\n    session.get('/')\n"

    done = chaperon(which, "shop.py", "--url", target.url, "--json", "-", *quiet, file=file)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "PASS"
    assert [row["name"] for row in report["series"] if row["kind"] == "step"] == ["step grüße"]
    assert "PASS" in done.stderr
    assert ("GET /" in done.stderr) == (which == "check" or not quiet)


def test_a_search_writes_its_json_to_standard_output_too(chaperon, target):
    short = ("--from", "5", "--to", "5", "--step", "1s", "--settle", "0s", "--limit", "p50(visit) < 5s")

    done = chaperon("find", "shop.py", "--url", target.url, "--json", "-", *short)

    assert json.loads(done.stdout)["schema"] == "chaperon-capacity/1"
    assert "highest rate that held" in done.stderr


def test_nobody_reading_the_output_is_no_crash(process, target):
    read, write = os.pipe()
    os.close(read)

    done = process("local", "shop.py", "--url", target.url, "--json", "out.json", stdout=write)
    os.close(write)

    assert "Traceback" not in done.stderr
    assert report_in(process.folder)["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_a_signal_lets_visits_finish_and_writes_everything(started, tmp_path, target, number, name):
    child = started("--users", "2", "--hold", "60s", "--json", "out.json", path="/")

    child.send_signal(number)
    out, err = child.communicate(timeout=20)

    assert child.returncode == 130, err
    report = report_in(tmp_path)
    assert report["verdict"] == "ABORTED"
    assert report["reasons"] == [f"ended early by {name}"]
    assert report["ledger"][0]["done"] == report["ledger"][0]["planned"] == target.count("GET /")
    assert "ABORTED" in out


def test_a_second_ctrl_c_ends_it_now_and_still_writes(started, tmp_path):
    child = started("--users", "2", "--hold", "60s", "--json", "out.json", "--grace", "60s")

    child.send_signal(signal.SIGINT)
    while "once more" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)

    ledger = report_in(tmp_path)["ledger"][0]
    assert (ledger["planned"], ledger["interrupted"]) == (2, 2)
    assert child.returncode in (4, 130)


def test_a_third_ctrl_c_ends_a_visit_that_lets_nobody_else_run(started, tmp_path):
    child = started("--users", "2", "--hold", "60s", "--json", "out.json", path="/", then="while True: pass")

    out, err = "", ""
    for _ in range(100):  # signals that come at once are one signal, so keep on asking
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            out, err = child.communicate(timeout=0.2)
            break

    ledger = report_in(tmp_path)["ledger"][0]
    assert (ledger["planned"], ledger["interrupted"]) == (2, 2)
    assert "Traceback" not in out + err
    assert child.returncode in (4, 5, 130)  # 5 where the standstill had time to be noticed


def test_a_script_for_k6_leads_to_the_page_that_translates_it(chaperon, tmp_path):
    (tmp_path / "shop.js").write_text("import http from 'k6/http';\n")

    done = chaperon("local", str(tmp_path / "shop.js"))

    assert done.returncode == 3
    assert "its name must end in .py; docs/from-k6.md has each word of k6 with ours" in done.stderr


BLOCKING = {
    "a loop": "while True: pass",
    "a loop that ignores exceptions": """while True:
        try:
            sum(range(9))
        except BaseException:
            continue""",
    "a loop inside Chaperon": """
    import chaperon.session.state
    chaperon.session.state.StateMethods.assign = lambda *_, **given: [None for _ in iter(int, 1)]
    session.assign(a=1)""",
}


@pytest.fixture
def blocked(started, tmp_path):
    """Start a run, wait until a visit of it blocks: a signal that comes before is one that the hub still handles."""

    def start(*args, code, **options):
        child = started(*args, path="/", then=f"open('blocked', 'w').close()\n    {code}", **options)
        until((tmp_path / "blocked").exists, within=20.0)
        return child

    return start


@pytest.mark.parametrize("case", some(BLOCKING, 3))
def test_a_second_ctrl_c_ends_a_run_whose_visit_never_switches_and_names_the_line(blocked, tmp_path, case):
    child = blocked("--users", "2", "--hold", "60s", "--json", "out.json", code=BLOCKING[case])

    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.communicate(timeout=1.0)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=40)

    report = report_in(tmp_path)
    (ledger,) = report["ledger"]
    assert ledger["planned"] == ledger["interrupted"] > 0
    assert any("ended at once by Ctrl-C; it was blocked at shop.py:" in reason for reason in report["reasons"])
    assert any("blocked every other visit to the end, at shop.py:" in event["text"] for event in report["happenings"])
    assert "Traceback" not in out + err
    assert child.returncode in (4, 5, 130)  # 4: no visit was done, 5: the standstill makes the run INVALID


def test_a_second_ctrl_c_ends_a_search_whose_visit_never_switches(blocked):
    limit = ("--from", "400", "--limit", "p50 < 9s")
    child = blocked(*limit, command="find", code=BLOCKING["a loop"])

    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.communicate(timeout=1.0)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)

    assert "it was blocked at shop.py" in err
    assert "Traceback" not in out + err
    assert child.returncode == 130


@pytest.mark.parametrize("times", [1, 4])
def test_a_third_ctrl_c_while_all_visits_wait_prints_a_line_and_no_traceback(started, tmp_path, times):
    waiting = """try:
        session.sleep("1h")
    finally:
        session.sleep("1h")"""
    child = started("--users", "2", "--hold", "60s", "--json", "out.json", path="/", then=waiting)
    for hint in ("once more ends them now", "once more ends the run"):
        child.send_signal(signal.SIGINT)
        while hint not in child.stderr.readline():
            assert child.poll() is None

    for _ in range(times):
        child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)

    (ledger,) = report_in(tmp_path)["ledger"]
    assert (ledger["planned"], ledger["interrupted"]) == (2, 2)
    assert err.startswith("ended at once by Ctrl-C\nvisits in flight count as interrupted\n")
    assert "Traceback" not in err
    assert child.returncode == 130


def test_a_third_ctrl_c_leaves_no_visit_out_of_the_ledger(started, tmp_path):
    stubborn = """while True:
        try:
            session.sleep("100ms")
        except BaseException:
            continue"""
    child = started("--users", "2", "--hold", "60s", "--json", "out.json", path="/", then=stubborn)

    for hint in ("once more ends them now", "once more ends the run"):
        child.send_signal(signal.SIGINT)
        while hint not in child.stderr.readline():
            assert child.poll() is None
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)

    (ledger,) = report_in(tmp_path)["ledger"]
    assert (ledger["planned"], ledger["interrupted"]) == (2, 2)
    assert child.returncode in (4, 130)


def test_check_tells_everything_as_it_happens(chaperon, target):
    file = BROWSE + '    session.get("/status/500")\n    session.check("sane", False)\n'

    done = chaperon("check", "shop.py", "--url", target.url, file=file)

    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok", "FAIL "))]
    assert [line.split("  ")[-1] for line in lines if "GET / " in line] == ["5 B"]
    assert any("GET /status/500" in line and "http 500" in line for line in lines)
    assert any("check sane" in line for line in lines)
    assert target.asked == ["GET /", "GET /status/500"]


def test_ls_says_what_a_file_holds(chaperon):
    done = chaperon("ls", str(ROOT / "examples" / "basic_account_login.py"))

    assert done.returncode == 0
    assert "environment production" in done.stdout
    assert "custom_name: 10 users" in done.stdout
    assert "scenario basic_account_login: login → look_around → logout" in done.stdout


def test_new_writes_a_file_that_runs_and_never_overwrites(chaperon, target):
    made, again = chaperon("new", "first"), chaperon("new", "first")

    done = chaperon("local", "first.py", "--url", target.url)

    assert (made.returncode, again.returncode, done.returncode) == (0, 2, 0)
    assert target.asked == ["GET /", "GET /"]


@pytest.mark.processes
def test_the_seeds_scenario_runs_as_written(chaperon, target):
    example = str(ROOT / "examples" / "basic_account_login.py")

    done = chaperon(
        "local", f"{example}:production", "--url", target.url, "--only", "custom_name", "--json", "out.json",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    series = {s["name"]: s["count"] for s in report_in(chaperon.folder)["series"]}
    assert (series["step login"], series["step logout"], target.count("POST /login")) == (10, 10, 10)


def test_the_demo_runs_from_anywhere_and_leaves_nothing_behind(process):
    done = process("demo", "--hold", "1s", "--ramp", "0s", "--json", "out.json")

    assert done.returncode == 0, done.stdout + done.stderr
    port = int(done.stderr.split("127.0.0.1:")[1].split(";")[0])
    labels = [entry["scenario"] for entry in report_in(process.folder)["ledger"]]
    assert labels == ["basic_account_login", "custom_name"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.processes
def test_embedding_unpatched_is_refused_with_the_remedy():
    code = "from chaperon import *\nEnvironment('http://127.0.0.1', scenarios=[Scenario(lambda s: None)]).execute()"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert "NotPatched: put `from gevent import monkey; monkey.patch_all()` first" in done.stderr
