"""Values of options from variables, from chaperon.toml and from pyproject.toml, and what --show-config prints."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from thorough import some

from chaperon.cli.grouped_option import options_of, variable_of
from chaperon.cli.main import COMMANDS, chaperon
from chaperon.cli.options import _setting
from chaperon.cli.settings import CONFIG_OPTIONS, OTHER_VARIABLES
from chaperon.cli.settings_file import nested_settings, read_settings
from chaperon.execution.secrets.secret_references import reference_of
from chaperon.session.config import merge, nest

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHOP = "from chaperon import step\n\n@step\ndef go(session):\n    session.get('/')\n"
PER_COMMAND = {name: options_of(chaperon.get_command(None, name)) for name in COMMANDS}
EVERY = [
    (command, key)
    for command, options in PER_COMMAND.items()
    for key, option in options.items()
    if key not in CONFIG_OPTIONS and not option.hidden
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch, tmp_path):
    for name in [variable_of(key) for options in PER_COMMAND.values() for key in options]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shop.py").write_text(SHOP)


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Return a function that gives the lines of --show-config as {option: [(source, value), …]}."""
    monkeypatch.chdir(tmp_path)

    def show(*words):
        done = CliRunner().invoke(chaperon, [*words, "--show-config"])
        assert (done.exit_code, done.stderr) == (0, "")
        rows = {}
        for line in done.stdout.splitlines():
            name, source, value = re.split(r"  +", line.strip(), maxsplit=2)
            rows.setdefault(name, []).append((source, value))
        return rows

    return show


def sample(option):
    """Return a text that the option accepts."""
    if option.is_flag:
        return "1"
    if isinstance(option.type, click.Choice):
        return option.type.choices[0]
    texts = {"integer": "7", "integer range": "7", "float": "0.5", "span": "7s", "rate": "7/s"}
    return texts.get(option.type.name, "7")


FIRST = {key: command for command, key in reversed(EVERY)}
"""Each option with one command that has it; other commands have the same option, made by the same function."""
OTHERS = [(command, key) for command, key in EVERY if FIRST[key] != command]


@pytest.mark.parametrize(
    ("name", "key"), [*((command, key) for key, command in FIRST.items()), *some(OTHERS, 16)], ids=lambda value: value
)
def test_every_option_comes_from_its_variable_and_from_the_file_and_the_command_line_is_first(
    name, key, shown, tmp_path, monkeypatch
):
    option = PER_COMMAND[name][key]
    value, text = sample(option), "yes" if option.is_flag else sample(option)
    written = "true" if option.is_flag else f'"{value}"'

    (tmp_path / "chaperon.toml").write_text(f"{key} = {written}\n")
    assert shown(name)[f"--{key}"] == [("chaperon.toml", text)]
    variable = "CHAPERON_KEY_FILE" if key == "key" else variable_of(key)
    monkeypatch.setenv(variable, value)
    assert shown(name)[f"--{key}"] == [(variable, "(not shown)" if key == "key" else text)]
    words = [f"--{key}"] if option.is_flag else [f"--{key}", value]
    assert shown(name, *words)[f"--{key}"][0][0] == "command line"


def test_the_values_reach_the_command(command, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.chaperon]\nusers = 3\nhold = "30s"\nonly = "shop"\n')
    monkeypatch.setenv("CHAPERON_HOLD", "12s")

    assert "3 users" in command("plan", "shop.py").stdout
    assert "over 0:12" in command("plan", "shop.py").stdout
    assert "4 users" in command("plan", "shop.py", "--users", "4").stdout


DISPLACED = [
    ("users = 10", "--rate", "5", "rate"),
    ("iterations = 10\nusers = 2", "--rate", "5", "rate"),
    ('load = "users(3)"', "--users", "5", "users"),
    ('load = "users(3)"', "--iterations", "5", "iterations"),
    ('rate = 4\nin-flight = 3\nramp = "1s"', "--load", "users(5)", "load"),
    ("rate = 4\nin-flight = 3", "--users", "5", "users"),
]


@pytest.mark.parametrize(("file", "flag", "value", "left"), DISPLACED)
def test_a_load_displaces_that_of_a_place_below(file, flag, value, left, command, shown, tmp_path, monkeypatch):
    (tmp_path / "chaperon.toml").write_text(f'hold = "2s"\n{file}\n')
    kinds = {"--users", "--rate", "--iterations", "--load", "--in-flight"}

    assert kinds & shown("local", flag, value).keys() == {f"--{left}"}
    assert command("plan", "shop.py", flag, value).returncode == 0
    monkeypatch.setenv(variable_of(flag[2:]), value)
    assert kinds & shown("local").keys() == {f"--{left}"}


def test_what_fits_together_is_kept_and_what_one_place_contradicts_is_an_error(command, shown, tmp_path):
    (tmp_path / "chaperon.toml").write_text("users = 2\n")
    assert {"--users", "--iterations"} <= shown("local", "--iterations", "5").keys()

    (tmp_path / "chaperon.toml").write_text("users = 2\nrate = 3\n")
    assert command("plan", "shop.py").returncode == 2


def test_a_profile_is_above_the_other_values_and_displaces_their_load(shown, command, tmp_path, monkeypatch):
    (tmp_path / "chaperon.toml").write_text('users = 2\nseed = 4\ngrace = "1s"\n[profile.ci]\nrate = 3\nseed = 5\n')

    rows = shown("local", "--profile", "ci")
    assert rows["--seed"] == [("chaperon.toml, profile ci", "5")]
    assert rows["--grace"] == [("chaperon.toml", "1s")]
    assert "--users" not in rows
    monkeypatch.setenv("CHAPERON_PROFILE", "ci")
    assert shown("local") == rows
    monkeypatch.setenv("CHAPERON_PROFILE", "live")
    assert command("local", "shop.py").stderr == "chaperon: no profile 'live' in chaperon.toml: there is ci\n"


def test_repeated_options_are_lines_of_a_variable_and_lists_or_tables_of_a_file(shown, tmp_path, monkeypatch):
    (tmp_path / "chaperon.toml").write_text(
        'limit = ["p95 < 1s", "errors < 1%"]\nby = "phase"\ntrust = {cpu = "off", late = "80ms"}\n'
        'header = {Accept = "text/plain"}\nset = {basket = {size = 3, name = "3"}, open = true}\n'
    )
    rows = {key: [value for _, value in found] for key, found in shown("local").items()}
    assert rows["--limit"] == ["p95 < 1s", "errors < 1%"]
    assert rows["--by"] == ["phase"]
    assert rows["--trust"] == ["cpu=off", "late=80ms"]
    assert rows["--header"] == ["Accept: text/plain"]
    assert rows["--set"] == ["basket.size=3", 'basket.name="3"', "open=true"]

    monkeypatch.setenv("CHAPERON_LIMIT", "\n p99 < 2s \n\nchecks = 100%\n")
    assert [value for _, value in shown("local")["--limit"]] == ["p99 < 2s", "checks = 100%"]


TREE = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=3)),
    lambda inner: st.dictionaries(st.from_regex(r"\A[a-z]{1,3}\Z"), inner, min_size=1, max_size=3),
    max_leaves=6,
)


def meant(value):
    """Return a value of a table with its references to secrets: a text means what it means on the command line."""
    if isinstance(value, dict):
        return {name: meant(each) for name, each in value.items()}
    return reference_of(value) if isinstance(value, str) else value


@example({"a": "@0", "b": {"c": "env:X"}, "d": "@@0", "e": "env::X"})
@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,3}\Z"), TREE, min_size=1, max_size=3))
def test_a_table_of_settings_reads_back_as_it_was_written(table):
    words = [word for name, value in table.items() for word in nested_settings(name, value)]

    # two references have no equality of their own, their representations say what they refer to
    read = merge(*(_setting(word) for word in words))
    assert repr(read) == repr(merge(*(nest(name, meant(value)) for name, value in table.items())))


BAD = {
    "unknown": ("hodl = 3", "unknown key 'hodl' in chaperon.toml; did you mean hold?"),
    "in a profile": (
        "[profile.x]\nlimits = []",
        "unknown key 'limits' in chaperon.toml, profile x; did you mean limit?",
    ),
    "several profiles": (
        "[profiles.ci]\nrate = 3",
        "unknown key 'profiles' in chaperon.toml; did you mean profile or run-file or log-file?",
    ),
    "nothing near": ("zzzz = 3", "unknown key 'zzzz' in chaperon.toml"),
    "about itself": ("show-config = true", "unknown key 'show-config' in chaperon.toml"),
    "no flag": ('quiet = "yes"', "quiet in chaperon.toml takes true or false, got 'yes'"),
    "list": ("url = [1]", "url in chaperon.toml takes text or a number, got [1]"),
    "boolean": ("users = true", "users in chaperon.toml takes text or a number, got True"),
    "date": ("limit = [2020-01-01]", "limit in chaperon.toml takes text or a number, got datetime.date(2020, 1, 1)"),
    "table": ("header = {A = [1]}", "header in chaperon.toml: A takes text, got [1]"),
    "twice": ("run-file = 'a'\nrun_file = 'b'", "run-file is given twice in chaperon.toml"),
    "profiles": ("profile = 'ci'", "profile in chaperon.toml is a table of profiles"),
    "profile": ("profile = {ci = 3}", "chaperon.toml, profile ci: expected a table of options, got 3"),
    "conversion": ("hold = 'soon'", "Invalid value for '--hold': 'soon' is not a time span"),
    "toml": ("hold", "chaperon.toml is not TOML: "),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_mistake_in_the_file_is_one_line_and_exit_code_2(text, message, command, tmp_path):
    (tmp_path / "chaperon.toml").write_text(text)

    done = command("local", "shop.py", "--users", "1")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"chaperon: {message}")
    assert done.stderr.count("\n") == 1


def test_an_error_of_a_value_says_where_it_is_from(command, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAPERON_HOLD", "soon")
    assert ", from CHAPERON_HOLD;" in command("local", "shop.py").stderr
    monkeypatch.setenv("CHAPERON_HOLD", "")  # an empty variable is none
    (tmp_path / "chaperon.toml").write_text("[profile.ci]\nhold = 'soon'\n")
    assert ", from chaperon.toml, profile ci;" in command("local", "shop.py", "--profile", "ci").stderr


def test_settings_are_in_one_file_and_a_profile_needs_one(command, tmp_path):
    alone = command("local", "shop.py", "--profile", "ci").stderr
    (tmp_path / "pyproject.toml").write_text("[tool.chaperon]\nusers = 1\n")
    (tmp_path / "chaperon.toml").write_text("[tool.chaperon]\nusers = 2\n")

    assert (
        alone == "chaperon: --profile ci: there is no chaperon.toml here, and no [tool.chaperon] in a pyproject.toml\n"
    )
    assert "keep them in one of the two" in command("local", "shop.py").stderr


def test_an_unreadable_file_is_an_error_and_a_foreign_project_file_is_none(command, shown, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool]\nruff = {}\n")
    assert "--users" not in shown("local")
    (tmp_path / "chaperon.toml").mkdir()
    assert command("local", "shop.py").stderr == "chaperon: cannot read chaperon.toml: Is a directory\n"
    (tmp_path / "chaperon.toml").rmdir()
    (tmp_path / "chaperon.toml").write_bytes(b"users = '\xff'")
    assert command("local", "shop.py").returncode == 2


def test_a_project_file_is_only_parsed_if_it_may_name_chaperon(tmp_path):
    file = tmp_path / "pyproject.toml"

    file.write_text("[tool.other\n")  # no TOML, and nothing of ours
    assert read_settings(tmp_path) is None
    file.write_text('[tool."\\u0063haperon"]\nrate = 5\n')
    assert read_settings(tmp_path).values["rate"] == 5


def test_an_unknown_variable_is_a_warning_that_names_near_ones(command, monkeypatch):
    names = [*OTHER_VARIABLES, "CHAPERON_PORT", "CHAPERON_MASTER_PORT_5570_TCP_ADDR", "CHAPERON_MASTER_SERVICE_HOST"]
    for name in (*names, "CHAPERON_WORKERS", "CHAPERON_USERZ"):
        monkeypatch.setenv(name, "1")

    done = command("plan", "shop.py", "--users", "1", "--hold", "1s")

    assert done.returncode == 0
    assert done.stderr.startswith("chaperon: unknown variable CHAPERON_USERZ; did you mean CHAPERON_USERS")
    assert done.stderr.count("\n") == 1


def test_a_command_skips_what_it_does_not_use(command, tmp_path, monkeypatch):
    (tmp_path / "chaperon.toml").write_text('users = 9\nlimit = "p95 < 1s"\nworkers = 3\nurl = "http://127.0.0.1:1"\n')
    monkeypatch.setenv("CHAPERON_RATE", "5")

    done = command("check", "shop.py")
    assert (done.returncode, "ignored" in done.stderr) == (4, False)
    assert command("ls", "shop.py").returncode == 0


def test_a_key_in_a_variable_goes_before_the_file_and_the_command_line_before_both(shown, tmp_path, monkeypatch):
    (tmp_path / "chaperon.toml").write_text("no-key = true\n")
    assert shown("worker")["--no-key"] == [("chaperon.toml", "yes")]
    monkeypatch.setenv("CHAPERON_KEY", "worker secret")
    rows = shown("worker")
    assert rows["--key"] == [("CHAPERON_KEY", "(not shown)")]
    assert "--no-key" not in rows
    assert shown("worker", "--key", "a.key")["--key"] == [("command line", "a.key")]


def test_show_config_masks_secrets_sends_nothing_and_needs_no_arguments(command, target, tmp_path):
    (tmp_path / "chaperon.toml").write_text('header = {Authorization = "Bearer abcdefgh"}\nset = {pin = "hunter22"}\n')

    url = target.url.replace("http://", "http://me:sesame99@")
    done = command("local", "--url", url, "--users", "1", "--hold", "1s", "--show-config")

    assert done.returncode == 0
    assert not [text for text in ("abcdefgh", "hunter22", "sesame99") if text in done.stdout]
    assert "--header" in done.stdout
    assert target.asked == []
    assert command("local").returncode == 2


def test_the_example_of_the_documentation_is_accepted(shown, tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", (DOCS / "options.md").read_text(), re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(block)

    rows = shown("local", "--profile", "ci")

    assert rows["--rate"] == [("pyproject.toml, profile ci", "50/s")]
    assert rows["--set"] == [("pyproject.toml", "basket.size=3")]


def test_a_byte_order_mark_before_the_file_is_left_out(shown, tmp_path):
    (tmp_path / "chaperon.toml").write_bytes("\ufeffusers = 3\n".encode())

    assert shown("local", "shop.py")["--users"] == [("chaperon.toml", "3")]
