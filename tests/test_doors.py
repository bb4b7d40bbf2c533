"""Every way out of the command line: no secret passes, nothing steers a terminal, one that fails loses only itself."""

import ast
import io
import json
import logging
import os
import pprint
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from shells import Shells
from test_report import report_of
from thorough import some
from unjudged import unjudged

import chaperon.cli
from chaperon.cli import execute
from chaperon.cli.options import RunOptions
from chaperon.cli.outputs import OUTPUTS, make_outputs
from chaperon.cli.terminal import printing, standard_streams
from chaperon.cli.terminal.ascii_signs import SPELLED
from chaperon.cli.terminal.capabilities import fits_live_view, redraws
from chaperon.cli.terminal.clean_stream import MAX_UNENDED, CleanStream
from chaperon.cli.terminal.clean_text import REDACT
from chaperon.cli.terminal.console import CleanConsole
from chaperon.cli.terminal.lines import print_line
from chaperon.cli.terminal.log_handlers import StderrHandler
from chaperon.cli.terminal.standard_streams import clean_standard_streams
from chaperon.errors import OutputError
from chaperon.execution.output_feed import OutputFeed
from chaperon.report.capacity import Capacity
from chaperon.report.outputs import console as console_output
from chaperon.report.outputs import csv as csv_output
from chaperon.report.outputs import json as json_output
from chaperon.report.redaction.redaction import Redactor

HEADER, SETTING, PASSWORD, OWN, MADE = "header-5ecret", "setting-5ecret", "passw-5ecret", "config-5ecret", "made-5ecret"
EVIL = "evil\x1b[2J\x9b\u202e\nPASS in 0.0 s\rover"

LEAKY = f"""
import logging, sys, traceback, warnings
from chaperon import Environment, Scenario, run, step, users

EVIL = {EVIL!r}
ALL = {[HEADER, SETTING, PASSWORD, OWN]!r}
MADE = "token={MADE}"


def words():
    return [*ALL, MADE, EVIL]


@step
def leak(session):
    for word in words():
        session.log.warning("logged %s", word)
        print("printed", word)
        print("printed on stderr", word, file=sys.stderr)
        warnings.warn(f"warned of {{word}}")
        session.record(f"value {{word}}", 1.0)
        session.count(f"count {{word}}")
        session.check(f"check {{word}}", False)
        with session.measure(f"measured {{word}}"):
            pass
    try:
        raise ValueError(" ".join(words()))
    except ValueError:
        session.log.exception("caught")
        traceback.print_exc()
    raise RuntimeError(" ".join(words()))


scenario = Scenario(leak, name="leaky")
production = Environment(
    "http://ann:{PASSWORD}@127.0.0.1:9",
    headers={{"X-Own": {OWN!r}}},
    scenarios=[run(scenario, users(2), name=f"label {{ALL[3]}}")],
    limits=[f"p95(value {{ALL[0]}}) < 1s"],
)
"""
GIVEN = ("--header", f"Authorization: Bearer {HEADER}", "--set", f"who={SETTING}")


@pytest.fixture
def chaperon_in(process, tmp_path):
    (tmp_path / "leaky.py").write_text(LEAKY)

    def command(*args, env=None):
        return process(*args, timeout=120, env={**os.environ, **(env or {})})

    return command


def assert_clean(*texts):
    for text in texts:
        for secret in (HEADER, SETTING, PASSWORD, OWN, MADE):
            assert secret not in text
        assert not set(text) & set("\x1b\x9b\u202e\r")
        assert not [line for line in text.splitlines() if line.startswith(("PASS in", "over"))]


@pytest.mark.parametrize(
    "args",
    [
        ("local", "leaky.py:production", "--log", "debug", "--json", "out.json"),
        ("local", "leaky.py:production", "--log", "debug", "--quiet", "--json", "out.json"),
        ("check", "leaky.py:production", "--log", "debug", "--json", "out.json"),
        ("local", "leaky.py:production", "--processes", "2", "--json", "out.json"),
    ],
    ids=["local", "quiet", "check", "two processes"],
)
def test_no_secret_leaves_a_run_and_nothing_steers_the_terminal(chaperon_in, tmp_path, args):
    done = chaperon_in(*args, *GIVEN)

    report = (tmp_path / "out.json").read_text()
    assert done.returncode == 4
    assert_clean(done.stdout, done.stderr, report)
    assert "value ***" in report
    if "--quiet" not in args:
        assert "RuntimeError" in done.stdout
    if "--log" in args:
        assert "logged ***" in done.stderr
        assert "printed ***" in done.stdout
        assert "    Traceback (most recent call last):" in done.stderr
    assert json.loads(report)["verdict"] == "FAIL"


@pytest.mark.parametrize("name", ["ls", "plan"])
def test_no_secret_leaves_what_shows_a_plan(command, tmp_path, name):
    (tmp_path / "leaky.py").write_text(LEAKY)
    args = ("leaky.py",) if name == "ls" else ("leaky.py:production", *GIVEN)

    done = command(name, *args)

    assert done.returncode == 0
    assert "label ***" in done.stdout
    assert_clean(done.stdout.replace(HEADER, "") if name == "ls" else done.stdout, done.stderr)


def test_no_secret_leaves_a_search(chaperon_in, tmp_path):
    given = ("--from", "5", "--to", "5", "--step", "1s", "--settle", "0s", "--json", "out.json")

    done = chaperon_in("find", "leaky.py:production", *given, *GIVEN)

    assert "5/s" in done.stderr
    assert_clean(done.stdout, done.stderr, (tmp_path / "out.json").read_text())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError(ALL)", "ValueError"),
        ("raise SystemExit(ALL)", "SystemExit"),
        ("import chaperon; chaperon.users('x' + ALL)", "leaky.py"),
        ("environment = __import__('chaperon').Environment(headers=ALL)", "headers="),
    ],
)
@pytest.mark.parametrize("name", ["local", "check", "plan", "find"])
def test_no_secret_leaves_a_file_that_cannot_be_loaded(command, tmp_path, name, code, said):
    (tmp_path / "leaky.py").write_text(f"ALL = {' '.join([HEADER, SETTING, 'token=' + MADE, EVIL])!r}\n{code}\n")

    done = command(name, "leaky.py", *GIVEN)

    assert done.returncode == 3
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if "is ignored" not in line]) == 1
    assert_clean(done.stdout, done.stderr)


def test_a_worker_that_cannot_load_the_file_does_not_say_its_secrets(chaperon_in, tmp_path):
    crash = f"if not os.environ.pop('PARENT', None): raise ValueError({(HEADER + ' ' + EVIL)!r})"
    (tmp_path / "leaky.py").write_text(f"import os\n{crash}\n{LEAKY}")

    done = chaperon_in("local", "leaky.py:production", "--processes", "2", *GIVEN, env={"PARENT": "1"})

    assert done.returncode in (3, 6)
    assert "ValueError: *** evil" in done.stderr
    assert_clean(done.stdout, done.stderr)


def test_a_fault_of_our_own_shows_no_secret_either(chaperon_in, tmp_path):
    crash = f"def crash(*args): raise KeyError({HEADER!r})"
    patch = "import chaperon.execution.running\nchaperon.execution.running.Running.start = crash"
    (tmp_path / "leaky.py").write_text(f"{LEAKY}\n{crash}\n{patch}\n")

    for debug in ("", "1"):
        done = chaperon_in("local", "leaky.py:production", *GIVEN, env={"CHAPERON_DEBUG": debug})

        assert done.returncode == 1
        assert "KeyError: '***'" in done.stderr
        assert_clean(done.stdout, done.stderr)


PAST = ("print", "Console", "click.secho", "click.style", "pprint", "sys.__stdout__", "sys.__stderr__")


def test_nothing_is_printed_past_the_door():
    """A new print in cli cannot forget the door: only these modules write to a stream, or make a console."""
    past = []
    for path in Path(chaperon.cli.__file__).parent.rglob("*.py"):
        if path.stem in ("clean_stream", "forgiving_stream", "lines", "console"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in PAST or called.endswith((".echo", ".write", ".writelines", "pager")):
                past.append(f"{path.name}: {called}")

    # scenario files, which are source code, and the file of --log-file, whose lines pass `clean_line`
    allowed = ["import_source.py: stream.buffer.write", "log_handlers.py: self._stream.write", "new.py: file.write"]
    # the live view: its lines pass `clean_texts`, what is printed above it has passed a clean stream
    allowed += ["screen.py: os.write", "screen.py: self._terminal.write"]
    # said while the interpreter ends, when no stream can be used: text that `encodable` has cleaned
    allowed += ["process_exits.py: os.write"]
    assert sorted(set(past)) == sorted(allowed)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_anybody_prints_is_cleaned_line_by_line():
    out = io.StringIO()
    door = CleanStream(out)

    print("token=abc", "a\x1b[31mb", "c\rd", file=door)
    door.write("to")
    door.write("ken=abc\tx")
    door.flush()

    assert out.getvalue() == "token=*** a\\x1b[31mb c\\rd\ntoken=***\tx"


def test_a_line_that_never_ends_is_printed_all_the_same():
    out = io.StringIO()
    door = CleanStream(out)

    for _ in range(3):
        door.write("x" * 40_000)

    assert len(out.getvalue()) >= 80_000 - REDACT.longest


@pytest.fixture
def known():
    """A secret that the streams of this process know during a test."""
    secret = "5ecret-of-many-words-and-" + "0123456789" * 5
    before = vars(REDACT).copy()
    vars(REDACT).update(vars(Redactor([secret])))
    yield secret
    vars(REDACT).update(before)


@pytest.mark.parametrize("at", range(-60, 61, 20))
def test_a_secret_that_the_bound_of_a_line_divides_is_masked(known, at):
    out = io.StringIO()
    door = CleanStream(out)

    for piece in ("x" * (MAX_UNENDED - 30 + at), known[:40], known[40:] + "y" * 50):
        door.write(piece)
    door.flush()

    text = out.getvalue().replace("\n", "")
    assert text == f"{'x' * (MAX_UNENDED - 30 + at)}***{'y' * 50}"


@pytest.mark.parametrize("wrapped", [lambda text: textwrap.fill(text, 30), lambda text: pprint.pformat(text, width=30)])
def test_a_secret_that_is_printed_on_several_lines_is_masked(known, wrapped):
    out = io.StringIO()
    door = CleanStream(out)

    print("it is", wrapped(f"got {known} back"), file=door)

    assert "***" in out.getvalue()
    assert not [part for part in (known[:10], known[20:30], known[-10:]) if part in out.getvalue()]


def test_a_secret_on_several_lines_of_a_traceback_is_masked(known, capsys):
    logger = logging.getLogger("chaperon.test_doors")
    logger.propagate, logger.handlers = False, [StderrHandler()]

    try:
        raise ValueError(textwrap.fill(known, 20))
    except ValueError:
        logger.exception("caught")

    told = capsys.readouterr().err
    assert "ValueError: ***" in told
    assert known[-10:] not in told


def test_a_console_keeps_its_own_colours_and_nobody_elses():
    out = Terminal()
    console = CleanConsole(CleanStream(out), width=80)
    table = Table("title \x1b[31m")
    table.add_row("token=abc \x9b \u202e")

    console.print("[red]red[/] token=abc \x1b[2J \u2066", highlight=False)
    console.print(Text("token=abc \x1b[2J"))
    console.print(table)

    text = out.getvalue()
    assert "abc" not in text
    assert "\x1b[2J" not in text
    assert not set(text) & set("\x9b\u202e\u2066")
    assert "\\x1b[2J" in text
    console.print("[red]red[/]", highlight=False)
    assert "\x1b[31mred" in out.getvalue()


class Pipe(io.StringIO):
    """A stream whose reader has gone."""

    buffer = None

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_has_gone_does_not_end_the_process_of_a_console():
    with pytest.raises(BrokenPipeError):
        CleanConsole(CleanStream(Pipe()), width=80).print("a table")


def test_a_console_that_lacks_signs_has_what_stands_for_them_in_the_same_columns():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii", SPELLED, write_through=True)
    table = Table("name", "p95")
    table.add_row("pay · hällo", "≥2.04s")
    table.add_row("buy", "–")

    CleanConsole(stream, width=40).print(table)

    rows = raw.getvalue().decode().splitlines()
    assert len({len(row) for row in rows}) == 1
    assert "| pay | h\\xe4llo | >=2.04s |" in rows
    assert "| buy            | -       |" in rows


class Full(io.StringIO):
    """A stream that accepts text and cannot write it."""

    buffer = None

    def flush(self):
        raise OSError(28, "No space left on device")


class Shut(io.StringIO):
    """A stream that the scenario has closed."""

    buffer = None

    def __init__(self):
        super().__init__()
        self.close()


@pytest.mark.parametrize("err", [False, True])
@pytest.mark.parametrize(
    ("below", "why"),
    [(Pipe, "Broken pipe"), (Full, "No space left on device"), (Shut, "standard {} is closed"), (lambda: None, "")],
)
def test_what_a_scenario_cannot_print_is_dropped_and_said_once_on_the_other_stream(monkeypatch, below, why, err):
    broken, other = below(), io.StringIO()
    name, other_name = ("error", "stdout") if err else ("output", "stderr")
    monkeypatch.setattr(sys, f"std{name[:3]}", broken)
    monkeypatch.setattr(sys, other_name, other)
    monkeypatch.setattr(standard_streams, "_occupy", lambda descriptor: None)
    clean_standard_streams()

    for n in range(3):
        print("hällo", n, file=sys.stderr if err else sys.stdout, flush=True)
    (sys.stderr if err else sys.stdout).buffer.write(b"hello")

    said = f"chaperon: cannot print on standard {name}: {why.format(name)}; what the scenario prints there is dropped\n"
    assert other.getvalue() == said * bool(why)
    if not err:
        with pytest.raises((OSError, ValueError)):  # of Chaperon's own
            print_line("PASS")
    with pytest.raises(TypeError):
        sys.stdout.write(1)


@pytest.mark.processes
@pytest.mark.parametrize("module", ["", "print('imported', flush=True)"])
def test_what_several_engines_cannot_print_is_said_in_one_line(process, tmp_path, module):
    (tmp_path / "shop.py").write_text(
        f"from chaperon import step\n{module}\n@step\ndef go(session):\n    print('hello', flush=True)\n"
    )

    with open("/dev/full", "w") as full:
        done = process("local", "shop.py", "--users", "4", "--hold", "500ms", "--processes", "2", stdout=full)

    assert done.stderr.count("what the scenario prints there is dropped") == 1, done.stderr


def test_standard_output_that_is_kept_for_an_output_gets_nothing_else(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", 1, closefd=False))
    monkeypatch.setattr(sys, "stderr", os.fdopen(2, "w", 1, closefd=False))
    clean_standard_streams()

    print("before")
    with printing.stream_reserved(1):
        print("of the scenario")
        os.write(1, b"of a child\n")
        with printing.unfiltered_stdout() as stream:
            stream.write("{}\n")
    print("after", flush=True)

    out, err = capfd.readouterr()
    assert out.splitlines() == ["before", "{}", "after"]
    assert sorted(err.splitlines()) == ["of a child", "of the scenario"]


@pytest.mark.parametrize("flag", ["--json", "--markdown", "--html", "--junit"])
def test_an_output_on_standard_output_is_alone_there(command, tmp_path, flag):
    (tmp_path / "shop.py").write_text(
        "from chaperon import step\nprint('imported')\n@step\ndef go(session):\n    print('hello')\n"
    )

    done = command("check", "shop.py", flag, "-")

    assert done.returncode == 0
    assert "hello" not in done.stdout
    assert "imported" not in done.stdout
    assert done.stdout[0] in "{<#"
    assert done.stderr.splitlines()[:2] == ["imported", "hello"]


ALONE = {
    "--json": lambda text: json.loads(text)["verdict"] == "PASS",
    "--html": lambda text: text.startswith("<!doctype html>") and text.endswith("</html>\n"),
    "--samples": lambda text: text.startswith("time,") and len(text.splitlines()) == 3,
    "--run-file": lambda text: "chaperon-run" in text[:30] and "hello" not in text,
    "--log-file": lambda text: text.endswith("INFO root [user 0, visit 0, step go]: logged\n") and len(text) < 99,
}
"""By option: whether a text is its output, and nothing else."""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("flag", "path"),
    some([(flag, path) for flag in ALONE for path in ("/dev/stdout", "/dev/stderr")], 3)
    + some([("--json", path) for path in ("link", "/proc/self/fd/1", "relative", "/proc/self/fd/2", "/dev/fd/1")], 2),
)
def test_a_path_that_names_a_standard_stream_has_it_alone(process, tmp_path, flag, path):
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "shop.py").write_text(
        "import logging, os, sys\nfrom chaperon import step\nprint('imported')\n@step\ndef go(session):\n"
        "    print('hello')\n    os.system('echo hello')\n    os.system('echo hello >&2')\n"
        "    print('hello', file=sys.stderr)\n    logging.info('logged')\n"
    )
    given = os.path.relpath("/dev/stdout", tmp_path) if path == "relative" else path

    done = process("local", "shop.py", "--iterations", "1", flag, given, errors="replace")

    alone, rest = (done.stderr, done.stdout) if path.endswith(("err", "2")) else (done.stdout, done.stderr)
    assert done.returncode == 0
    assert ALONE[flag](alone)
    assert [rest.splitlines().count(said) for said in ("imported", "hello")] == [1, 4]  # a pipe's prints may come later
    assert "PASS" in rest


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--json", "-", "--html", "/dev/stdout"), "only one output can be written to standard output"),
        (("--samples", "/dev/fd/2", "--html", "/dev/stderr"), "only one output can be written to standard error"),
        (
            ("--json", "-", "--html", "/dev/stderr"),
            "one output is on standard output and one on standard error, so that messages have no place: "
            "write one of them to a file",
        ),
    ],
)
def test_outputs_that_leave_no_stream_are_refused(command, args, why):
    done = command("local", "shop.py", *args)

    assert (done.returncode, done.stderr) == (2, f"chaperon: {why}\n")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("local", "shop.py", "--json", "shop.py"), "--json shop.py is a file that is read: give another path"),
        (
            ("check", "shop.py:visitor", "--html", "./shop.py"),
            "--html ./shop.py is a file that is read: give another path",
        ),
        (
            ("local", "pack.shop", "--run-file", "pack/shop.py"),
            "--run-file pack/shop.py is a file that is read: give another path",
        ),
        (("local", "shop.py", "--json", "link"), "--json link is a file that is read: give another path"),
        (("report", "a.chap", "--markdown", "a.chap"), "--markdown a.chap is a file that is read: give another path"),
        (
            ("compare", "a.chap", "b.chap", "--csv", "b.chap"),
            "--csv b.chap is a file that is read: give another path",
        ),
        (("page", "shop.py", "--log-file", "shop.py"), "--log-file shop.py is a file that is read: give another path"),
        (
            ("local", "shop.py", "--json", "x.out", "--html", "pack/../x.out"),
            "--json and --html both write pack/../x.out: give each a path of its own",
        ),
        (
            ("local", "shop.py", "--json", "x.out", "--csv", "./x.out"),
            "--json and --csv both write ./x.out: give each a path of its own",
        ),
        (
            ("local", "shop.py", "--failures", "x.out/", "--run-file", "x.out"),
            "--run-file and --failures both write x.out/: give each a path of its own",
        ),
        (
            ("find", "shop.py", "--run-file", "x.out", "--junit", "x.out"),
            "--junit and --run-file both write x.out: give each a path of its own",
        ),
    ],
)  # fmt: skip
def test_an_output_that_would_replace_another_or_what_is_read_is_refused(command, tmp_path, args, why):
    texts = {"shop.py": "from chaperon import step\n@step\ndef go(session): pass\n", "a.chap": "a", "b.chap": "b"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "shop.py").write_text(texts["shop.py"])
    (tmp_path / "link").symlink_to("shop.py")

    done = command(*args)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"chaperon: {why}\n"
    assert {name: (tmp_path / name).read_text() for name in texts} == texts


def test_an_error_of_csv_files_names_their_folder(command, tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef go(session): pass\n")

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv_output, "write_output", full)
    done = command("local", "shop.py", "--quiet", "--csv", "figures")

    assert done.returncode == 1
    assert "chaperon: cannot write the CSV files in figures: No space left on device" in done.stderr


def test_two_outputs_may_share_a_device(command, tmp_path):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef go(session): pass\n")

    done = command("local", "shop.py", "--quiet", "--json", "/dev/null", "--html", "/dev/null")

    assert (done.returncode, done.stdout) == (0, "PASS\n")


@pytest.mark.processes
@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_an_output_on_a_standard_output_that_is_closed_is_refused_before_anything_is_sent(tmp_path, target, path):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef go(session): session.get('/')\n")

    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m chaperon check shop.py --url {target.url} --json {path} >&-"],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == "chaperon: cannot print: standard output is closed; redirect the output to another place\n"
    assert target.asked == []


@pytest.mark.processes
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("local", "shop.py", "--iterations", "1"), ["PASS"]),
        (("local", "shop.py", "--iterations", "1", "--quiet"), ["PASS"]),
        (("check", "shop.py"), ["PASS"]),
        (("local", "shop.py", "--iterations", "1", "--json", "-"), None),
        (("plan", "shop.py"), []),
        (("ls", "shop.py"), []),
    ],
    ids=lambda args: " ".join(args) if isinstance(args, tuple) else "",
)
def test_a_pipe_whose_reader_has_gone_ends_a_command_with_exit_code_1_and_no_text_of_the_interpreter(
    tmp_path, args, said
):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step\ndef go(session): pass\n")
    reader, writer = os.pipe()
    os.fdopen(reader).close()  # at once; `os.close` of gevent waits for its loop

    done = subprocess.run(
        [sys.executable, "-m", "chaperon", *args],
        stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip

    os.close(writer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if said is not None:
        lines = done.stderr.splitlines()
        assert len(lines) == len(said)
        assert all(line.startswith(wanted) for line, wanted in zip(lines, said, strict=True))


@pytest.mark.parametrize(("piped", "shown"), [(False, True), (True, False)])
def test_a_terminal_whose_output_goes_to_a_pager_is_not_drawn_on(monkeypatch, tmp_path, piped, shown):
    reader, writer = os.pipe() if piped else (None, os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY))
    terminal = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", os.fdopen(writer, "w"))
    monkeypatch.setattr(sys, "stderr", terminal)

    environ = {"TERM": "xterm"}
    assert (fits_live_view(environ), redraws(environ)) == (shown, shown)

    if piped:
        os.close(reader)


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize(
    ("below", "first"),
    [
        (Pipe, []),
        (Full, ["chaperon: cannot write {}: No space left on device"]),
        (lambda: None, ["chaperon: cannot write {}: standard output is closed"]),
    ],
)
def test_a_verdict_that_standard_output_loses_is_printed_on_standard_error(
    tmp_path, capsys, monkeypatch, below, first, quiet
):
    monkeypatch.setattr(standard_streams, "_occupy", lambda descriptor: None)
    monkeypatch.setattr(printing, "discard_stdout", lambda: None)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", below())
        clean_standard_streams()
        if first:
            code = written(report_of(), tmp_path, quiet=quiet)
        else:
            with pytest.raises(BrokenPipeError):  # which ends the command with 1
                written(report_of(), tmp_path, quiet=quiet)
            code = 1

    said = capsys.readouterr().err.splitlines()
    assert code == 1
    assert said[: len(first)] == [line.format("the verdict" if quiet else "the table") for line in first]
    assert said[len(first)] == report_of().headline


@pytest.mark.parametrize("below", [Pipe, Full, lambda: None])
def test_a_rate_that_standard_output_loses_is_printed_on_standard_error(capsys, monkeypatch, below):
    capacity = Capacity(None, "ended", ())
    monkeypatch.setattr(standard_streams, "_occupy", lambda descriptor: None)
    monkeypatch.setattr(printing, "discard_stdout", lambda: None)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", below())
        clean_standard_streams()
        with pytest.raises(OSError, match=r"pipe|space|closed"):
            OUTPUTS[-1].write_capacity(RunOptions(quiet=True), capacity)

    assert capsys.readouterr().err == f"{capacity.said}\n"


@pytest.mark.parametrize("width", [20, 33, 80, 140])
def test_no_letter_of_a_long_sentence_is_lost_where_it_is_wrapped(width):
    words = [f"{letter * length}" for length in (3, 5, 7, 11) for letter in "abcdefghij"]
    report = replace(report_of(), warnings=(" ".join(words),))
    out = io.StringIO()

    console = CleanConsole(CleanStream(out), width=width)
    console_output.print_report(report, console)
    console.print(" ".join(words), highlight=False)

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert [word for line in lines for word in line.split() if word in words] == [*words, *words]


def test_what_is_logged_stays_one_line_and_its_traceback_is_indented(capsys):
    logger = logging.getLogger("chaperon.test_doors")
    logger.propagate, logger.handlers = False, [StderrHandler()]

    try:
        raise ValueError("token=abc\nERROR forged")
    except ValueError:
        logger.exception("it\nERROR forged too: %s", "password=abc \x1b")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "it\\nERROR forged too: password=*** \\x1b"
    assert all(line.startswith("    ") for line in lines[1:])
    assert "abc" not in "".join(lines)


RAISED = [
    ValueError("bad\nvalue"),
    RecursionError("deep"),
    KeyError("x"),
    MemoryError(),
    OSError(28, "No space left"),
    OutputError("no"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"),
    TypeError("not JSON"),
    AssertionError(),
    StopIteration(),
    SystemExit(3),
]
OTHERS = [exc for exc in RAISED if not isinstance(exc, OSError)]


def written(report, tmp_path, *, quiet=False):
    """Write all outputs of a command line with --json; return the exit code."""
    feed = OutputFeed(make_outputs(RunOptions(quiet=quiet, outputs={"json": str(tmp_path / "out.json")})), None)
    feed.finish(report)
    return execute.exit_code_of(report, feed.failures)


@pytest.mark.parametrize("raised", RAISED, ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("quiet", [False, True])
def test_a_json_that_cannot_be_written_loses_only_itself(tmp_path, capsys, monkeypatch, raised, quiet):
    monkeypatch.setattr(json_output, "json_text", raising(raised))

    code = written(report_of(), tmp_path, quiet=quiet)

    out, err = capsys.readouterr()
    assert code == 1
    assert "FAIL" in out or "PASS" in out
    assert quiet or "GET /" in out
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("raised", OTHERS, ids=lambda exc: type(exc).__name__)
def test_a_table_that_fails_loses_neither_the_json_nor_the_verdict(tmp_path, capsys, monkeypatch, raised):
    monkeypatch.setattr(console_output, "print_report", raising(raised))
    report = report_of()

    code = written(report, tmp_path)

    out, err = capsys.readouterr()
    assert code == 1
    assert out.splitlines()[0] == report.verdict.value
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == report.verdict.value
    (line,) = err.splitlines()
    assert raised.args == ("no",) or "cannot write the table" in line


def raising(exc):
    def fail(*args, **kwargs):
        raise exc

    return fail


def test_a_name_that_no_encoding_has_is_printed_and_written_all_the_same(chaperon_in, tmp_path):
    body = "    session.count('half \\ud83d ≥')\n"
    (tmp_path / "odd.py").write_text(f"from chaperon import step\n@step\ndef odd(session):\n{body}")

    done = chaperon_in("local", "odd.py", "--json", "out.json", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})

    assert done.returncode == 0
    assert "half" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "PASS"


def test_a_search_whose_result_cannot_be_written_still_says_it(chaperon_in, tmp_path):
    (tmp_path / "odd.py").write_text("from chaperon import step\n@step\ndef odd(session):\n    pass\n")
    given = ("--from", "5", "--to", "5", "--step", "1s", "--settle", "0s", "--limit", "p50(visit) < 5s")

    done = chaperon_in("find", "odd.py", *given, "--json", "/dev/full")

    assert done.returncode == 1
    assert "highest rate that held: 5/s" in done.stdout
    assert "cannot write" in done.stderr


OWN_WORDS = """
import os
from chaperon import Environment, Scenario, run, step

WORD = os.environ["WORD"]


@step
def look(session):
    session.http.cookies.set("sid", "cookie-" + WORD)
    session.count("looked")
    raise ValueError(f"the word is {WORD}, the cookie cookie-{WORD}")


production = Environment("http://127.0.0.1:9", headers={"X-Own": WORD}, scenarios=[run(Scenario(look, name="look"))])
"""


@pytest.mark.processes
def test_a_worker_hides_the_secrets_that_it_alone_knows(tmp_path):
    shells = Shells(tmp_path)
    (tmp_path / "own.py").write_text(OWN_WORDS)
    try:
        given = {"file": "own.py:production", "workers": 1}
        environ = os.environ.copy()
        os.environ["WORD"] = "word-of-the-master"
        master = shells.master("--json", "out.json", **given)
        worker = shells.worker(master.address, "--once", env={**environ, "WORD": "word-of-the-worker"})

        shells.ends(master)
        shells.ends(worker)
    finally:
        os.environ.pop("WORD", None)
        shells.close()

    said = (tmp_path / "out.json").read_text() + "".join(master.told + worker.told)
    assert "the word is ***, the cookie ***" in said
    assert "word-of-the-worker" not in said


@pytest.mark.processes
@pytest.mark.parametrize(("environ", "drawn"), [({}, "\x1b[?2026h"), ({"NO_COLOR": "1"}, "\x1b[2K")])
def test_nothing_forges_a_line_on_a_terminal_with_a_view_or_a_progress_line(tmp_path, environ, drawn):
    (tmp_path / "leaky.py").write_text(LEAKY.replace("users(2)", "users(2, hold='1s', think='300ms')"))
    spawn = "import pty, sys; pty.spawn(sys.argv[1:])"
    command = [sys.executable, "-m", "chaperon", *unjudged(["local", "leaky.py:production", "--log", "debug", *GIVEN])]
    said = subprocess.run(
        [sys.executable, "-c", spawn, *command],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        env={**os.environ, "CI": "", "TERM": "xterm", **environ},
    ).stdout.decode()  # fmt: skip

    assert "logged ***" in said
    assert "printed ***" in said
    assert drawn in said
    assert not [secret for secret in (HEADER, SETTING, PASSWORD, OWN, MADE) if secret in said]
    assert not [evil for evil in ("\x1b[2J", "\x9b", "\u202e") if evil in said]
    assert not re.search(r"(?m)(^|\r|\x1b\[2?[KJ])PASS in", said)
