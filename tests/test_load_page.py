"""What docs/load.md shows is true: its loads are loads, its limits limits, its commands commands."""

import re
import shlex
from pathlib import Path

import pytest

from chaperon import Environment, Scenario
from chaperon.cli.main import chaperon
from chaperon.load.expression import read_load
from chaperon.load.shapes import WORDS
from chaperon.report.limits.limit_parser import parse
from chaperon.report.validity.validity_rules import ValidityRules

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "load.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
INDENTED = re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
LOADS = [line for block in BLOCKS[:2] for line in block.splitlines() if re.match(r"[a-z_]+\(", line)]
COMMANDS = [line.removeprefix("chaperon ") for line in INDENTED if line.startswith("chaperon ")]
LIMITS = [line for line in INDENTED if not line.startswith("chaperon ") and "·" not in line]


@pytest.mark.parametrize("line", LOADS)
def test_every_load_is_one(line):
    assert read_load(line).legs


@pytest.mark.parametrize("line", LIMITS)
def test_every_limit_is_one(line):
    assert parse(line).text == line


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line):
    name, *args = shlex.split(line)

    chaperon.get_command(None, name).make_context(name, args)


def test_the_rules_have_the_defaults_it_tells():
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+)", PAGE, re.MULTILINE))
    rules = ValidityRules()

    assert {name: float(value) for name, value in told.items()} == {
        "dropped": rules.dropped * 100, "late": rules.late * 1000, "cpu": rules.cpu, "stall": rules.stall,
        "exhausted": rules.exhausted, "own": rules.own * 100,
    }  # fmt: skip
    assert Environment(
        scenarios=[Scenario(len)], trust={"late": "100ms", "cpu": None}
    ).plan().rules == ValidityRules.of({"late": "100ms", "cpu": "off"})


def test_there_is_something_of_each():
    assert all((LOADS, LIMITS, COMMANDS))


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_a_load_is_shown(word):
    assert any(re.search(rf"\b{word}\(", load) for load in LOADS), f"docs/load.md shows no {word}(…)"
