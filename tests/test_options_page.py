"""`--help` and docs/options.md list the options of the commands; `python tests/test_options_page.py` writes it."""

import re
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from chaperon import Verdict, exit_codes
from chaperon.cli.main import COMMANDS, chaperon
from chaperon.cli.option_groups import GROUPS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"
START, END = "<!-- options -->", "<!-- end of options -->"


def options_of(command):
    context = click.Context(chaperon.get_command(None, command), info_name=command)
    shown = [each for each in context.command.get_params(context) if isinstance(each, click.Option) and not each.hidden]
    return context, [each for each in shown if "--help" not in each.opts]


def default_of(option):
    if option.standard:
        return option.standard
    return f"{option.default}" if option.show_default else ""


def table():
    rows = {}
    for command in COMMANDS:
        context, options = options_of(command)
        for option in options:
            value = "" if option.is_flag else f" {option.make_metavar(context)}"
            row = (option.group, f"`{option.opts[-1]}{value}`", default_of(option), option.help)
            rows.setdefault(row, []).append(command)
    for group in GROUPS:
        if found := [(row, commands) for row, commands in rows.items() if row[0] == group]:
            yield f"\n## {group}\n"
            yield "| option | default | commands | |"
            yield "|---|---|---|---|"
            for (_, option, default, text), commands in found:
                cells = (option, default, " ".join(commands), text)
                yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def page():
    before, _, rest = PAGE.read_text().partition(START)
    return f"{before}{START}\n" + "\n".join(table()) + f"\n\n{END}{rest.partition(END)[2]}"


def test_the_page_lists_the_options_of_all_commands():
    assert PAGE.read_text() == page(), "python tests/test_options_page.py writes it"


def test_the_page_lists_the_exit_codes():
    section = PAGE.read_text().partition("## Exit codes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([A-Z]+)?", section, re.MULTILINE)
    defined = {code for name, code in vars(exit_codes).items() if name.isupper()}
    verdicts = {int(code): word for code, word in rows if word}

    assert [int(code) for code, _ in rows] == sorted(defined)
    assert {verdict.exit_code: verdict.value for verdict in Verdict} == verdicts


def shown(command, width=80):
    return CliRunner().invoke(chaperon, [command, "--help"], prog_name="chaperon", terminal_width=width).output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_eighty_columns_and_has_every_option_under_its_heading(command):
    lines = shown(command).splitlines()

    headings = [line[:-1] for line in lines if re.fullmatch(r"[A-Z]\w+:", line)]
    assert headings == [group for group in GROUPS if group in headings]
    assert headings[-1] == "Other"
    for option in options_of(command)[1]:
        (at,) = [n for n, line in enumerate(lines) if re.match(rf"  {option.opts[-1]}(?![\w-])", line)]
        assert [line for line in lines[:at] if line[:-1] in GROUPS][-1] == f"{option.group}:"
    assert max(map(len, lines)) <= 80
    assert "\xa0" not in "".join(lines)


def test_help_shows_the_default_that_applies_where_neither_option_nor_file_gives_a_value():
    help_text = " ".join(shown("local", 200).split())

    for option, default in {"--timeout SPAN": "30s", "--grace SPAN": "10s", "--seed INTEGER": "0"}.items():
        assert re.search(rf"{option} [^\[]+\[default: {default}\]", help_text)


def test_help_leaves_out_what_the_command_does_not_use():
    names = {command: {option.opts[-1] for option in options_of(command)[1]} for command in COMMANDS}

    assert {"--users", "--rate", "--limit"} <= names["local"] - names["check"]
    assert {"--users", "--load"} <= names["local"] - names["find"]
    assert {"--json", "--header", "--trust"} <= names["local"] - names["plan"]
    assert "--url" not in names["demo"]


NOT_USED = [
    (["check", "FILE", "--users", "3"], 4, "check makes one visit of each entry, without limits: --users is ignored"),
    (
        ["check", "FILE", "--users", "3", "--hold", "9s"],
        4,
        "check makes one visit of each entry, without limits: --users and --hold are ignored",
    ),
    (["plan", "FILE", "--quiet"], 0, "plan sends nothing: --quiet is ignored"),
    (["find", "FILE", "--rate", "3", "--ramp", "1s"], 2, "find chooses the load: leave --rate and --ramp out"),
    (["demo", "--url", "http://127.0.0.1:1"], 2, "the demo starts the target it runs against: leave --url out"),
]


@pytest.mark.parametrize(("words", "code", "message"), NOT_USED, ids=lambda value: str(value)[:40])
def test_an_option_that_a_command_does_not_use_is_named(words, code, message, command, tmp_path):
    file = tmp_path / "one.py"
    file.write_text("from chaperon import step\n\n@step\ndef go(session):\n    session.get('/')\n")

    done = command(
        *[str(file) if word == "FILE" else word for word in words], *(["--url", "http://127.0.0.1:1"] * (code == 4))
    )

    assert (done.returncode, done.stderr.splitlines()[0]) == (code, f"chaperon: {message}")


if __name__ == "__main__":
    sys.stdout.write(f"{PAGE}\n")
    PAGE.write_text(page())
