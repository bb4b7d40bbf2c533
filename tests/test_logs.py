"""--log and --log-file: every logger of a scenario, with user, visit and step, from this process and from workers."""

import logging
import re
import sys

import pytest

from chaperon.cli.terminal.log_handlers import RecordFormatter, StderrHandler, hint_at_log, log_to
from chaperon.client.log_context import LogContext
from chaperon.cluster.master.worker_logs import WorkerLogs
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.log_limits import LONGEST, MOST_WAITING, PER_SECOND
from chaperon.cluster.protocol.messages import LogLine, LogLines
from chaperon.cluster.worker.log_sender import LogSender
from chaperon.report.redaction.redaction import Redactor

CHATTY = """
import logging
from chaperon import Environment, step

LOG = logging.getLogger("shop.api")


@step
def buy(session):
    LOG.info("price %s", "password=sesame99")
    logging.getLogger("urllib3.connectionpool").debug("a connection")
    LOG.debug("detail")
    session.log.warning("mine")
    session.join(session.spawn(lambda inner: LOG.info("of a task")))
    try:
        raise ValueError("broken")
    except ValueError:
        LOG.exception("caught\\nINFO forged")
    session.get("/")


def setup():
    logging.getLogger("prepare").info("set up")


production = Environment(scenarios=[buy], setup=setup)
"""


@pytest.fixture(autouse=True)
def loggers_as_before():
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    for name in ("urllib3", "requests", "websocket", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def logged(text):
    """Return the lines of log records, without times, in a text."""
    return [line for line in text.splitlines() if re.match(r"(\S+: )?(DEBUG|INFO|WARNING|ERROR) ", line)]


PLACE = "[user 0, visit 0, step buy]"
INFO = [
    "INFO prepare: set up",
    f"INFO shop.api {PLACE}: price password=***",
    f"WARNING chaperon.scenario {PLACE}: [buy-0] mine",
    f"INFO shop.api {PLACE}: of a task",
    f"ERROR shop.api {PLACE}: caught\\nINFO forged",
]


def test_every_logger_is_printed_with_user_visit_and_step(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    done = command("check", "shop.py", "--url", target.url, "--log", "info")

    assert done.returncode == 0
    assert [re.sub(r"buy-0\S*\]", "buy-0]", line) for line in logged(done.stderr)] == INFO
    assert "    ValueError: broken" in done.stderr.splitlines()


def test_debug_leaves_the_connections_of_urllib3_out(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    done = command("check", "shop.py", "--url", target.url, "--log", "debug")

    assert f"DEBUG shop.api {PLACE}: detail" in done.stderr
    assert "a connection" not in done.stderr


def test_without_log_nothing_is_printed_and_a_scenario_that_prints_itself_is_not_doubled(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)
    assert logged(command("check", "shop.py", "--url", target.url).stderr) == []

    (tmp_path / "shop.py").write_text(f"import logging\nlogging.basicConfig(level='INFO', force=True)\n{CHATTY}")
    done = command("check", "shop.py", "--url", target.url, "--log", "info")
    assert done.stderr.count("of a task") == 1


@pytest.mark.processes
@pytest.mark.parametrize("processes", ["1", "2"])
def test_without_log_the_first_warning_of_a_process_is_printed_with_what_prints_all(
    process, target, tmp_path, processes
):
    (tmp_path / "shop.py").write_text(CHATTY)
    load = ("--iterations", "6", "--users", "2", "--processes", processes)

    done = process("local", "shop.py", "--url", target.url, *load, "--quiet")

    said = [line for line in done.stderr.splitlines() if "shop" in line or "chaperon.scenario" in line]
    assert done.returncode == 0
    assert 1 <= len(said) <= int(processes)
    for line in said:
        assert re.search(
            r"chaperon: WARNING chaperon\.scenario \[user \d, visit \d, step buy\]: .*without --log warning\)$", line
        )
    assert "sesame99" not in done.stderr


def test_a_record_that_no_handler_gets_is_printed_once_and_a_broken_one_harms_nothing(monkeypatch, capsys):
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    hint_at_log()
    logger = logging.getLogger("shop.lone")

    logger.info("unseen")
    logger.warning("%d", "no number")
    for n in range(3):
        logger.error("broken %d", n)

    said = capsys.readouterr().err
    assert said.startswith("chaperon: ERROR shop.lone: broken 0 (no further log record")
    assert said.count("\n") == 1


def test_handlers_of_the_author_stay(tmp_path):
    own = logging.FileHandler(tmp_path / "own.log")
    printing = logging.StreamHandler(sys.stderr)
    logging.getLogger().handlers[:] = [own, printing]

    log_to(StderrHandler(), "info")
    log_to(StderrHandler(), "error")

    kinds = [type(each) for each in logging.getLogger().handlers]
    assert kinds == [logging.FileHandler, StderrHandler]
    own.close()


def test_a_file_takes_the_place_of_the_console(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    done = command("check", "shop.py", "--url", target.url, "--log-file", "shop.log")

    text = (tmp_path / "shop.log").read_text()
    assert logged(done.stderr) == []
    lines = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line) for line in text.splitlines()]
    assert [re.sub(r"buy-0\S*\]", "buy-0]", line) for line in logged("\n".join(lines))] == INFO
    assert "    ValueError: broken" in lines
    assert "sesame99" not in text


def test_a_file_that_cannot_be_written_is_known_before_anything_is_sent(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    done = command("check", "shop.py", "--url", target.url, "--log-file", "none/shop.log")

    assert (done.returncode, target.asked) == (1, [])
    assert done.stderr.startswith("chaperon: cannot write none/shop.log: there is no folder")


def test_a_full_disk_is_said_once(command, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    done = command("check", "shop.py", "--url", target.url, "--log-file", "/dev/full")

    assert done.stderr.count("chaperon: cannot write all of /dev/full: ") == 1
    assert "Traceback" not in done.stderr


def test_the_records_of_workers_are_printed_under_their_names(process, target, tmp_path):
    (tmp_path / "shop.py").write_text(CHATTY)

    load = ("--iterations", "2", "--users", "2", "--processes", "2")
    done = process("local", "shop.py", "--url", target.url, *load, "--log", "info", "--quiet")

    assert done.returncode == 0
    lines = logged(done.stderr)
    assert lines[0] == "INFO prepare: set up"
    for user in (0, 1):
        place = rf"\[user {user}, visit {user}, step buy\]"
        assert [
            line for line in lines if re.fullmatch(rf"local-[12]: INFO shop\.api {place}: price password=\*\*\*", line)
        ]
    assert {line.split(":")[0] for line in lines[1:]} == {"local-1", "local-2"}
    assert done.stderr.splitlines().count("    ValueError: broken") == 2
    assert "sesame99" not in done.stderr


class Hand:
    """A clock that a test moves."""

    def __init__(self):
        self.time = 100.5

    def now(self):
        return self.time


@pytest.fixture
def sender():
    """Return a logger with its sender, on a clock that a test moves."""
    clock = Hand()
    made = LogSender(clock, Redactor(["hunter22"]))
    made.setFormatter(RecordFormatter())
    made.addFilter(LogContext())
    logger = logging.Logger("shop")
    logger.addHandler(made)
    return logger, made, clock


def test_a_worker_sends_a_bounded_number_of_records_a_second_and_counts_the_others(sender):
    logger, made, clock = sender
    for number in range(PER_SECOND + 7):
        logger.info("record %d", number)

    sent = made.batch()
    assert [line.text for line in sent[:-1]] == [f"INFO shop: record {n}" for n in range(PER_SECOND)]
    assert sent[-1] == LogLine(30, "WARNING 7 log records left out: at most 50 a second are sent")
    assert made.batch() == ()
    clock.time += 1.0
    logger.info("later")
    assert [line.text for line in made.batch()] == ["INFO shop: later"]


def test_what_waits_for_the_master_is_bounded(sender):
    logger, made, clock = sender
    for _ in range(MOST_WAITING // PER_SECOND + 3):
        for _ in range(PER_SECOND):
            logger.info("x")
        clock.time += 1.0

    sent = made.batch()
    assert len(sent) == MOST_WAITING + 1
    assert sent[-1].text.startswith(f"WARNING {3 * PER_SECOND} log records left out")


def test_a_record_is_masked_and_cut_and_a_broken_one_harms_nothing(sender, capsys, monkeypatch):
    logger, made, _ = sender
    monkeypatch.setattr(logging, "raiseExceptions", False)
    try:
        raise ValueError(f"hunter22 {'y' * 9_000}")
    except ValueError:
        logger.exception("pin hunter22 %s", "z" * 9_000)
    logger.info("%d", "no number")
    logger.log(10**6, "high")

    first, high = made.batch()
    assert "hunter22" not in first.text + "".join(first.details)
    assert first.text.startswith("ERROR shop: pin *** zzz")
    assert first.details[0] == "Traceback (most recent call last):"
    assert max(len(first.text), len("\n".join(first.details))) <= LONGEST
    assert high.level == logging.CRITICAL
    message = LogLines("a", 1, 2, 3, (first, high))
    assert decode(encode(message)) == message


def test_a_master_logs_each_message_once_and_counts_those_lost(caplog):
    logs = WorkerLogs()
    caplog.set_level(logging.INFO)

    for number, incarnation in ((1, 7), (1, 7), (4, 7), (2, 7), (1, 8)):
        logs.record(LogLines("w1", incarnation, 1, number, (LogLine(20, f"INFO shop: {number} of {incarnation}"),)))

    assert caplog.messages == [
        "w1: INFO shop: 1 of 7",
        "w1: WARNING 2 messages with log records lost on the way",
        "w1: INFO shop: 4 of 7",
        "w1: INFO shop: 1 of 8",
    ]
