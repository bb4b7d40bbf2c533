"""What the tutorial shows is true: each piece of its code runs, each of its commands exists."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from unjudged import UNJUDGED

from chaperon import Session, Verdict, users
from chaperon.cli.main import chaperon
from chaperon.execution.loader import load
from chaperon.session.flow import FlowMethods
from chaperon.session.http import HttpMethods
from chaperon.session.spawning import TaskMethods

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scripting.md").read_text()
PIECES = [
    pytest.param(code, id=title)
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    for code in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
]
(PEOPLE,) = re.findall(r"^```csv\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^    chaperon (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def url(monkeypatch):
    """A server that is the shop and the firehose in one."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    from geventwebsocket.handler import WebSocketHandler
    from servers import firehose, served, shop

    def application(environ, start_response):
        news = environ["PATH_INFO"].startswith("/news")
        return (firehose if news else shop).application(environ, start_response)

    firehose.channels.clear()
    with served(application, handler_class=WebSocketHandler) as given:
        yield given["url"]


@pytest.mark.parametrize("code", PIECES)
def test_every_piece_of_code_runs_as_it_stands(code, url, tmp_path):
    if ".form(" in code:
        pytest.importorskip("lxml")
    (tmp_path / "people.csv").write_text(PEOPLE)
    file = tmp_path / "shop.py"
    file.write_text(code)
    found = load(str(file))
    environment = replace(
        found.adapt(url=url, config={"server": urlsplit(url).netloc}),
        scenarios=[replace(entry, load=users(2)) for entry in found.entries],
        services={name: replace(service, url=url) for name, service in found.services.items()},
    ).adapt(config={"server": urlsplit(url).netloc}, trust=UNJUDGED)

    report = environment.execute()

    assert report.errors == ()
    assert report.verdict is Verdict.PASS, report.reasons
    assert report.visits.done == 2 * len(found.entries)


def test_there_is_code_on_the_page_and_a_command():
    assert len(PIECES) == PAGE.count("```python")
    assert len(COMMANDS) >= 2


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_it_shows_is_one(line):
    name, *args = shlex.split(line)

    command = chaperon.get_command(None, name)

    command.make_context(name, args)


OWN = {"assigned", "config", "tasks", "visit"}
MOVED = (ROOT / "docs" / "from-elixir.md").read_text()


def test_whatever_the_table_of_what_was_names_is_there():
    named = set(re.findall(r"`(?:with |try: |for \w+ in |value = )?session\.(\w+)", MOVED))

    assert len(named) > 30
    assert [name for name in sorted(named) if not (hasattr(Session, name) or name in OWN)] == []


def test_every_function_of_a_session_stands_in_the_table_or_the_tutorial():
    ours = {
        name
        for name in vars(Session) | vars(HttpMethods) | vars(FlowMethods) | vars(TaskMethods)
        if not name.startswith("_")
    }
    inner = {"begin", "settle", "close", "child", "service"}

    assert [name for name in sorted(ours - inner) if f"session.{name}" not in MOVED + PAGE and name not in MOVED] == []
