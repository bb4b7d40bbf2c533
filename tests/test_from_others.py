"""What docs/from-locust.md and docs/from-k6.md show is true: code runs, limits, loads and options exist."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from unjudged import UNJUDGED

from chaperon import iterations
from chaperon.cli.foreign_words import OPTIONS
from chaperon.cli.main import COMMANDS, chaperon
from chaperon.execution.loader import load
from chaperon.load.expression import read_load
from chaperon.report.limits.limit_parser import parse

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("from-locust.md", "from-k6.md")}
BLOCKS = [
    pytest.param(code, id=f"{name}-{number}")
    for name, text in PAGES.items()
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
]
WORDS = [each for text in PAGES.values() for each in re.findall(r"`([^`\n]+)`", text)]
LIMITS = [
    each
    for section in (PAGES["from-k6.md"].partition("## Thresholds")[2].partition("## ")[0],)
    for each in re.findall(r"\| `([^`]+)` \|$", section, re.MULTILINE)
]
LOADS = [each for each in WORDS if re.fullmatch(r"(?:users|rate|iterations|stages)\([^…]*\)", each)]


@pytest.fixture
def url(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from servers import served, shop

    with served(shop.application) as given:
        yield given["url"]


@pytest.mark.parametrize("code", BLOCKS)
def test_every_block_runs_as_it_stands(code, url, tmp_path):
    (tmp_path / "shop.py").write_text(code.replace('think="1s"', 'think="1ms"'))
    found = load(str(tmp_path / "shop.py"))
    once = replace(
        found,
        scenarios=[replace(entry, load=iterations(8, users=2)) for entry in found.entries],
        limits=(),
    ).adapt(url=url, trust=UNJUDGED)

    report = once.execute()

    assert report.errors == ()
    assert report.visits.done == 8 * len(found.entries)


def test_each_page_has_blocks():
    assert len(BLOCKS) == sum(text.count("```python") for text in PAGES.values()) == 7


@pytest.mark.parametrize("text", [each for each in LIMITS if "…" not in each and "exit code" not in each])
def test_every_limit_is_understood(text):
    assert parse(text)


@pytest.mark.parametrize("text", LOADS)
def test_every_load_is_understood(text):
    assert read_load(text.replace("of=users", 'of="users"')) is not None


def test_there_are_limits_and_loads():
    assert len(LIMITS) >= 6
    assert len(LOADS) >= 8


def ours():
    """Yield the commands in the last column of the tables."""
    for text in PAGES.values():
        for row in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
            for cell in row.split(" | ")[1:]:
                yield from re.findall(r"`chaperon (\w+)", cell)


def test_every_command_is_one():
    assert {*ours()} <= {*COMMANDS}


def test_every_option_in_our_column_is_one():
    commands = [chaperon.get_command(None, name) for name in COMMANDS]
    known = {name for command in commands for each in command.params for name in each.opts}
    cells = [
        cell
        for text in PAGES.values()
        for row in re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
        for cell in row.split(" | ")[1:]
    ]

    assert {name for cell in cells for name in re.findall(r"(?<=[` ])--[a-z-]+", cell)} <= known


def test_the_settings_that_were_a_locust_conf_are_read(command, tmp_path):
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGES["from-locust.md"], re.DOTALL | re.MULTILINE)
    (tmp_path / "chaperon.toml").write_text(block)
    (tmp_path / "shop.py").write_text(BLOCKS[1].values[0])

    shown = command("local", "shop.py", "--show-config")
    planned = command("plan", "shop.py")

    assert shown.returncode == planned.returncode == 0, shown.stderr + planned.stderr
    assert {line.split()[0] for line in shown.stdout.splitlines() if "chaperon.toml" in line} == {
        f"--{key}" for key in re.findall(r"^(\w+) =", block, re.MULTILINE)
    }
    assert "100 users" in planned.stdout


LOCUST = [
    "--headless",
    "--users",
    "--spawn-rate",
    "--run-time",
    "--host",
    "--locustfile",
    "--autostart",
    "--autoquit",
    "--tags",
    "--exclude-tags",
    "--csv",
    "--csv-full-history",
    "--html",
    "--json",
    "--json-file",
    "--print-stats",
    "--only-summary",
    "--reset-stats",
    "--loglevel",
    "--logfile",
    "--list",
    "--show-task-ratio",
    "--class-picker",
    "--config",
    "--config-users",
    "--expect-workers",
    "--expect-workers-max-wait",
    "--master",
    "--worker",
    "--master-host",
    "--master-port",
    "--master-bind-host",
    "--master-bind-port",
    "--processes",
    "--stop-timeout",
    "--exit-code-on-error",
    "--web-host",
    "--web-port",
    "--web-login",
    "--otel",
    "--profile",
    "--skip-log-setup",
]
K6 = [
    "--vus",
    "--duration",
    "--iterations",
    "--stage",
    "--rps",
    "--tag",
    "--out",
    "--summary-export",
    "--quiet",
    "--no-thresholds",
    "--no-summary",
    "--http-debug",
    "--insecure-skip-tls-verify",
    "--user-agent",
    "--paused",
    "--linger",
    "--address",
    "--config",
    "--env",
    "--execution-segment",
    "--max-redirects",
    "--discard-response-bodies",
    "--no-connection-reuse",
    "--local-ips",
    "--log-output",
    "--console-output",
]


@pytest.mark.parametrize("name", [*LOCUST, *K6])
def test_each_option_of_theirs_is_ours_too_or_is_answered_with_ours(name):
    ours = {option for each in chaperon.get_command(None, "local").params for option in each.opts}

    assert name in ours or name in OPTIONS
