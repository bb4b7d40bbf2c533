"""Options, commands and settings of other load testers lead to ours."""

import re
from itertools import product

import click
import pytest
from click.testing import CliRunner
from thorough import some

from chaperon.cli.foreign_words import COMMANDS as THEIRS
from chaperon.cli.foreign_words import OPTIONS
from chaperon.cli.main import COMMANDS, chaperon
from chaperon.errors import UsageError

RUNNER = CliRunner()
OURS = {name: chaperon.get_command(None, name) for name in COMMANDS}


def options_of(command):
    context = click.Context(command)
    return {name for each in command.get_params(context) for name in each.opts}


EVERY = set.union(*map(options_of, OURS.values()), options_of(chaperon))


def refusal(*words):
    done = RUNNER.invoke(chaperon, words)
    assert isinstance(done.exception, UsageError), (done.exception, done.output)
    return str(done.exception)


@pytest.mark.parametrize(("name", "form"), some(product(OPTIONS, ["{} 3", "{}=3", "{}3"]), 2))
def test_each_option_of_another_tool_leads_to_ours(name, form):
    if form == "{}3" and name.startswith("--"):
        form = "x {}"
    if form == "{}=3" and not name.startswith("--"):
        form = "{}"

    said = refusal("local", "x.py", *form.format(name).split())

    assert said.startswith(f"{name} is {OPTIONS[name]}")
    assert "\n" not in said


@pytest.mark.parametrize(("name", "ours"), OPTIONS.items())
def test_what_an_option_leads_to_is_there(name, ours):
    named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours)

    elsewhere = ours.startswith("not needed") or ours.endswith("in the scenario")
    assert named or elsewhere or re.search(r"chaperon (\w+)", ours)[1] in COMMANDS
    assert set(named) <= EVERY
    assert name not in options_of(OURS["local"])


def test_all_of_a_command_line_are_named_at_once():
    line = "-u 100 -r 10 -t 5m --headless --host http://x --quiet shop.py"
    said = refusal("local", *line.split())

    assert [part.split()[0] for part in said.split("; ")] == ["-u", "-r", "-t", "--headless", "--host"]
    assert refusal("--headless", "local", "x.py") == "--headless is not needed: a run starts at once"


def test_an_option_that_no_tool_has_is_refused_as_before():
    done = RUNNER.invoke(chaperon, ["local", "x.py", "--frobnicate"])

    assert done.exit_code == 2
    assert "No such option '--frobnicate'" in done.output


@pytest.mark.parametrize(
    ("name", "ours"), [*THEIRS.items(), ("loacl", "local"), ("chek", "check"), ("workr", "worker")]
)
def test_a_command_of_another_tool_or_a_slip_leads_to_ours(name, ours):
    assert ours in COMMANDS or ours in ("--version", "--help")
    assert refusal(name, "x.js") == f"no command {name!r}: did you mean chaperon {ours}?"


def test_a_command_that_is_near_none_leads_to_the_list():
    assert refusal("frobnicate") == "no command 'frobnicate': chaperon --help lists the commands"


@pytest.mark.parametrize("key", ["host", "vus", "duration", "spawn-rate"])
def test_a_key_of_a_settings_file_leads_to_ours(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chaperon.toml").write_text(f'{key.replace("-", "_")} = "3"\n')

    assert refusal("local", "x.py") == f"unknown key {key!r} in chaperon.toml: {key} is {OPTIONS[f'--{key}']}"
