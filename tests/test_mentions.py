"""Whether the code of a scenario mentions a method of the session."""

import importlib
import sys

import pytest

from chaperon import Scenario, mix, step
from chaperon.scenario.mentions import mentions, steps_mention

pytestmark = pytest.mark.as_written


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Return a function that writes modules into a folder and imports the one named last."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written = []

    def write(**sources):
        for name, text in sources.items():
            file = tmp_path / (name.replace("__", "/") + ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            written.append(name.replace("__", "."))
        return vars(importlib.import_module(written[-1]))

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "sources",
    [
        {"shop_a": "def talk(session):\n    session.ws('/')"},
        {"shop_b": "def talk(session):\n    return [lambda: session.ws(x) for x in 'ab']"},
        {"shop_c": "class Chat:\n    @staticmethod\n    def talk(session):\n        session.ws('/')"},
        {"chat_d": "def talk(s):\n    s.ws('/')", "shop_d": "import chat_d\ndef go(s):\n    chat_d.talk(s)"},
        {
            "inner_e": "def talk(s):\n    s.ws('/')",
            "chat_e": "from inner_e import talk as speak\ndef open(s):\n    speak(s)",
            "shop_e": "from chat_e import open\ndef go(s):\n    open(s)",
        },
    ],
    ids=["function", "nested", "method", "module", "imported functions"],
)
def test_a_name_is_found_in_the_code_that_steps_can_reach(modules, sources):
    assert mentions([modules(**sources)], "ws")


@pytest.mark.parametrize(
    "sources",
    [
        {"shop_f": "def look(session):\n    session.get('/ws')"},
        {"shop_g": "import threading, os\nROWS = [threading]\ndef look(session):\n    session.get('/')"},
        {"site-packages__lib_h": "def talk(s):\n    s.ws('/')", "shop_h": "def look(session):\n    session.get('/')"},
    ],
    ids=["text", "standard library", "library beside it"],
)
def test_a_name_that_no_code_of_the_author_mentions_is_not_found(modules, sources):
    assert not mentions([modules(**sources)], "ws")


@step
def look(session):
    session.get("/")


@step
def converse(session):
    session.ws("/chat")


def test_the_steps_of_a_mix_are_looked_at():
    several = mix({Scenario(look, name="a"): 1, Scenario(converse, name="b"): 2})

    assert steps_mention(several.all_steps(), "ws")
    assert not steps_mention(several.all_steps(), "no_such_method")
