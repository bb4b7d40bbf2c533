"""The live view on a real terminal: drawn in place, controlled by keys, gone without a trace."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import sys
import termios

import pytest
from gevent import socket as green
from gevent import subprocess
from thorough import some
from unjudged import unjudged
from waits import until

pytestmark = pytest.mark.processes
pyte = pytest.importorskip("pyte", reason="the terminal emulator pyte is not installed: pip install pyte")

SHOP = """
from chaperon import Environment, rate, run, step

@step
def look(session):
    session.get("/look")

production = Environment(scenarios=[run(look, rate(20, hold="60s"))], limits=["p95 < 10s"], seed=3)
"""
ENVIRON = {
    name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "COLUMNS", "LINES", "TERM")
}


class Shell:
    """A process on a terminal of its own, whose screen is emulated."""

    def __init__(
        self,
        folder,
        *args,
        columns=80,
        lines=24,
        environ=ENVIRON,
        executable=sys.executable,
        program=("-m", "chaperon"),
        **options,
    ):
        self.columns, self.lines = columns, lines
        self.master, self.slave = pty.openpty()
        self.resize(columns, lines, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.screen = pyte.HistoryScreen(columns, lines, history=1_000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.process = subprocess.Popen(
            [executable, *program, *map(str, args)],
            cwd=folder,
            env={"TERM": "xterm-256color", **environ},
            preexec_fn=self._own_terminal,
            close_fds=True,
            **{"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **options},
        )

    def _own_terminal(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, columns, lines, *, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.screen.resize(lines, columns)
            self.columns, self.lines = columns, lines

    def read(self):
        """Feed the emulator with what has been written; return whether the terminal is still open."""
        try:
            green.wait_read(self.master, timeout=0.05)
        except TimeoutError:
            return True
        try:
            new = os.read(self.master, 65_536)
        except OSError:
            return False
        self.raw += new
        self._stream.feed(new)
        return bool(new)

    def press(self, keys):
        os.write(self.master, keys.encode())

    @property
    def text(self):
        """The lines of the screen, and before them those that have scrolled away."""
        above = ["".join(line[n].data for n in range(self.columns)).rstrip() for line in self.screen.history.top]
        return [*above, *(line.rstrip() for line in self.screen.display)]

    @property
    def shown(self):
        """What the screen shows now."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, words, within=30.0):
        """Wait until the screen shows something that matches *words*."""
        until(
            lambda: self.read() and re.search(words, self.shown, re.MULTILINE),
            within,
            lambda: f"the screen never showed {words!r}:\n" + "\n".join(self.text),
        )
        self._read_all()

    def ends(self, within=40.0):
        """Wait for the end of the process, return its exit code."""
        until(lambda: self.read() is not None and self.process.poll() is not None, within, lambda: "\n".join(self.text))
        self._read_all()
        return self.process.returncode

    def _read_all(self):
        """Read until nothing comes any more: a drawing comes in several pieces."""
        size = -1
        while size != len(self.raw):
            size = len(self.raw)
            self.read()

    @property
    def mode(self):
        return termios.tcgetattr(self.slave)

    @property
    def restored(self):
        return self.mode == self.before and not self.screen.cursor.hidden

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for each in {self.master, self.slave}:
            with contextlib.suppress(OSError):
                os.close(each)


@pytest.fixture
def terminal(tmp_path, target):
    opened = []
    (tmp_path / "shop.py").write_text(SHOP)

    def start(*args, file="shop.py", judged=False, **options):
        words = unjudged(["local", file, "--url", target.url, "--json", "out.json", *args])
        opened.append(Shell(tmp_path, *words, **options))
        return opened[-1]

    yield start
    for shell in opened:
        shell.close()


def changes(folder):
    return [
        each["text"] for each in json.loads((folder / "out.json").read_text())["happenings"] if each["kind"] == "change"
    ]


def test_it_shows_the_run_and_leaves_the_table_and_the_terminal_as_it_was(terminal):
    shell = terminal("--load", "rate(20, hold='4s')")

    shell.until(r"p95 +\d")
    assert shell.mode != shell.before
    shown = shell.shown
    assert re.search(r"RUNNING  0:0\d of 0:04  ━", shown)
    assert re.search(r"done +\d+\.\d visits/s", shown)
    assert re.search(r"  GET /look +\d", shown)
    assert re.search(r"limits +p95 < 10s .*ms  held", shown)
    assert re.search(r"generator cpu \d+% of a core", shown)
    assert "p pause" in shown

    assert shell.ends() == 0
    assert shell.restored
    left = "\n".join(shell.text)
    assert "RUNNING" not in left
    assert "p pause" not in left
    assert "PASS in" in left


def test_keys_scale_pause_resume_and_stop_and_the_report_says_so(terminal, tmp_path):
    shell = terminal()
    shell.until("GET /look")

    shell.press("+")
    shell.until(r"22\.0 visits/s · 110% of the plan")
    shell.press("-")
    shell.until(r"asked +20\.0 visits/s\n")
    shell.press("p")
    shell.until("PAUSED")
    shell.press("p")
    shell.until("RUNNING")
    shell.press("s")

    shell.ends()
    by = ", by a key of the terminal"
    assert changes(tmp_path) == [
        f"scaled to 1.1 times the plan{by}", f"scaled to 1 times the plan{by}", f"paused{by}", f"resumed{by}",
        f"stopped{by}",
    ]  # fmt: skip
    assert "stopped by a key of the terminal" in "\n".join(shell.text)
    assert shell.restored


def test_keys_open_pages_and_keys_without_a_meaning_do_nothing(terminal, tmp_path):
    shell = terminal()
    shell.until("GET /look")

    shell.press("?")
    shell.until("no further visit begins; p again: resume")
    shell.press("?")
    shell.until("GET /look")
    shell.press("\x1b[A\x1b[5~\x1bOP\x1b[15;2~xyz\r\n")
    shell.press("e")
    shell.until(r"done .*\n +keys|done .*\nkeys")
    shell.press("s")

    shell.ends()
    assert changes(tmp_path) == ["stopped, by a key of the terminal"]


def test_a_window_that_is_resized_gets_what_fits(terminal):
    shell = terminal()
    shell.until("GET /look")

    shell.resize(60, 10)
    shell.until(r"times +p50 \S+ · p95")
    assert len([line for line in shell.screen.display if line]) <= 10
    shell.resize(100, 30)
    shell.until(r"p99 +\d")
    shell.press("s")

    shell.ends()
    assert shell.restored


END = {
    "Ctrl-C": ["\x03"],
    "Ctrl-C twice": ["\x03", "\x03"],
    "Ctrl-C three times": ["\x03", "\x03", "\x03"],
}


@pytest.mark.parametrize("keys", END.values(), ids=END)
def test_the_terminal_is_restored_after_ctrl_c(terminal, tmp_path, keys):
    (tmp_path / "slow.py").write_text(SHOP.replace("/look", "/slow"))
    shell = terminal("--grace", "60s", file="slow.py" if len(keys) > 1 else "shop.py")
    shell.until("RUNNING")

    for place, key in enumerate(keys):
        shell.press(key)
        if place < len(keys) - 1:
            shell.until("once more")

    shell.ends()
    assert shell.restored


@pytest.mark.parametrize("number", some([signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP], 2))
def test_the_terminal_is_restored_after_a_signal(terminal, number):
    shell = terminal()
    shell.until("GET /look")

    shell.process.send_signal(number)

    shell.ends()
    assert shell.restored


@pytest.fixture
def bash(tmp_path, target):
    """A shell with job control, and the command that runs the load."""
    (tmp_path / "shop.py").write_text(SHOP)
    found = shutil.which("bash") or pytest.skip("there is no bash here")
    words = unjudged(["local", "shop.py", "--url", target.url, "--json", "out.json"])
    shell = Shell(tmp_path, "--norc", "--noprofile", "--noediting", "-i", program=(), executable=found)
    yield shell, shlex.join([sys.executable, "-m", "chaperon", *map(str, words)])
    shell.close()


def test_ctrl_z_gives_the_terminal_back_and_fg_shows_the_view_again(bash):
    shell, command = bash
    shell.press(f"{command}\n")
    shell.until("GET /look")
    assert shell.mode != shell.before

    shell.press("\x1a")
    shell.until("Stopped")
    assert "RUNNING" not in shell.shown
    until(lambda: shell.read() and shell.restored)
    shell.press("fg\n")
    shell.until("GET /look")
    assert shell.mode != shell.before
    shell.press("s")
    shell.until(r"^ABORTED in")
    shell.press("echo ended $?\n")

    shell.until("ended 130")
    assert shell.restored


def test_in_the_background_it_neither_draws_nor_reads_nor_stops(bash, tmp_path):
    shell, command = bash
    shell.press(f"stty tostop; {command} --load \"rate(20, hold='2s')\" > out.txt & sleep 1; echo one; read answer\n")
    shell.until("^one")
    shell.press("pppsss\n")
    shell.press("wait %1; echo ended $? $answer\n")

    shell.until("^ended 0 pppsss")
    assert b"RUNNING" not in shell.raw
    assert changes(tmp_path) == []


def test_a_terminal_that_is_closed_does_not_end_in_a_fault(terminal, tmp_path):
    shell = terminal("--grace", "1s")
    shell.until("GET /look")

    os.close(shell.slave)
    os.close(shell.master)

    until(lambda: shell.process.poll() is not None, 40)
    report = json.loads((tmp_path / "out.json").read_text())
    assert not [reason for reason in report["reasons"] if "Chaperon's own" in reason]


CHATTY = """
import logging, sys, warnings
from chaperon import step

@step
def look(session):
    n = session.visit.number
    print("printed", n)
    print("half", end="", flush=True)
    print(" of", n)
    print("warned", n, file=sys.stderr)
    logging.warning("logged %s \\x1b[2J", n)
    session.get("/look")
"""


def test_what_is_printed_meanwhile_stands_above_the_view_whole(terminal, tmp_path):
    (tmp_path / "chatty.py").write_text(CHATTY)
    shell = terminal("--load", "rate(10, hold='3s')", "--log", "info", file="chatty.py")

    shell.until("RUNNING")
    while shell.read() and shell.process.poll() is None:
        lines = shell.screen.display
        begin = [place for place, line in enumerate(lines) if " RUNNING " in line]
        if begin:  # nothing is printed within the view
            assert not [line for line in lines[begin[0] :] if "printed" in line or "logged" in line]
    shell.ends()

    text = "\n".join(shell.text)
    for n in range(30):
        assert len(re.findall(rf"^printed {n}$", text, re.M)) == 1
        assert len(re.findall(rf"^half of {n}$", text, re.M)) == 1
        assert len(re.findall(rf"^warned {n}$", text, re.M)) == 1
    assert "\\x1b[2J" in text
    assert "RUNNING" not in text


def test_what_worker_processes_print_stands_above_the_view_too(terminal, tmp_path):
    (tmp_path / "chatty.py").write_text(CHATTY)
    shell = terminal("--load", "rate(10, hold='3s')", "--processes", "2", file="chatty.py")

    shell.until("RUNNING")
    shell.ends()

    text = "\n".join(shell.text)
    for n in range(30):
        assert len(re.findall(rf"^printed {n}$", text, re.M)) == 1
        assert len(re.findall(rf"^warned {n}$", text, re.M)) == 1
    assert "RUNNING" not in text
    assert shell.restored


def test_a_scenario_on_standard_input_has_a_view_without_keys(terminal, tmp_path):
    (tmp_path / "steps.py").write_text(SHOP.partition("production")[0])
    with open(tmp_path / "steps.py") as scenario:
        shell = terminal("--load", "rate(20, hold='3s')", file="-", stdin=scenario)
        shell.until("GET /look")

        assert "p pause" not in shell.shown
        assert shell.mode == shell.before
        assert shell.ends() == 0
    assert shell.restored


@pytest.mark.parametrize(
    ("args", "environ"),
    some(
        [
            (("--plain",), {}),
            ((), {"CI": "true"}),
            ((), {"NO_COLOR": "1"}),
            ((), {"TERM": "dumb"}),
            ((), {"PYTHONIOENCODING": "ascii"}),
        ],
        2,
    ),
)
def test_lines_of_progress_stay_where_a_view_is_not_wanted(terminal, args, environ):
    shell = terminal(*args, "--load", "rate(20, hold='6s')", environ={**ENVIRON, **environ})

    shell.ends()

    assert b"p pause" not in shell.raw
    assert re.search(rb"busy", shell.raw)
    redrawn = "NO_COLOR" in environ or "PYTHONIOENCODING" in environ
    assert (b"\x1b[2K" in shell.raw) == redrawn
    assert shell.restored


def test_hostile_names_leave_the_screen_whole(terminal, tmp_path):
    (tmp_path / "hostile.py").write_text(
        "from chaperon import step\n\n@step\ndef look(session):\n"
        "    for name in ('\\x1b[2J', '\\u202eevil', '商品' * 60, 'e' + '\\u0301' * 90, '👩\\u200d👩\\u200d👧' * 40):\n"
        "        session.get('/look', name=name)\n"
    )
    shell = terminal("--load", "rate(20, hold='4s')", file="hostile.py")

    shell.until("generator cpu")
    lines = [line.rstrip() for line in shell.screen.display]
    begin = next(place for place, line in enumerate(lines) if " RUNNING " in line)
    names = ["hostile", "plan", "asked", "done", "p50", "p95", "p99", "series"]
    assert [line.split()[0].rstrip(",") for line in lines[begin : begin + 8]][1:] == names[1:]
    assert [line for line in lines[begin:] if line.startswith("keys")]
    assert shell.ends() == 0
