"""Which lines of a stack or a traceback are an author's."""

import json
import os
import sys
import sysconfig

import gevent
import pytest
import requests

import chaperon
from chaperon.author_frames import author_frames, author_places, is_author_file, raised_at
from chaperon.measure.exception_text import describe_at
from chaperon.scenario.scenario import Scenario

PACKAGE = os.path.dirname(chaperon.__file__)


def module(folder, name, text):
    """Return the variables of a module that is compiled from a file of the folder."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    names = {}
    exec(compile(text, str(file), "exec"), names)
    return names


def raised_by(function, *args):
    try:
        function(*args)
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("file", "is_author"),
    [
        ("/home/me/shop.py", True),
        ("shop.py", True),
        (f"{PACKAGE}_of_mine/shop.py", True),
        ("/home/me/gevent_tests/shop.py", True),
        (f"{sysconfig.get_path('stdlib')}_of_mine/shop.py", True),
        (f"{PACKAGE}/session/session.py", False),
        (f"chaperon{os.sep}load{os.sep}in_flight.py", False),
        (json.__file__, False),
        (requests.__file__, False),
        ("/home/me/.local/lib/python3.12/site-packages/some/lib.py", False),
        ("/usr/lib/python3/dist-packages/some.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
    ],
)
def test_a_file_is_the_authors_or_a_librarys(file, is_author):
    assert is_author_file(file) is is_author


def test_an_error_is_described_with_the_innermost_line_of_the_author(tmp_path):
    shop = module(tmp_path, "shop.py", "def helper(d):\n    return d['missing']\n\n\ndef step(d):\n    helper(d)\n")

    exc = raised_by(shop["step"], {})

    assert describe_at(exc) == "KeyError: 'missing' (shop.py:2 in helper)"
    assert describe_at(exc, "said") == "said (shop.py:2 in helper)"
    assert [str(place) for place in author_places(exc)][-2:] == ["shop.py:6 in step", "shop.py:2 in helper"]


def test_an_error_of_a_library_is_at_the_line_that_called_it(tmp_path):
    shop = module(tmp_path, "shop.py", "import json\n\n\ndef step():\n    json.loads('{')\n")

    assert str(raised_at(raised_by(shop["step"]))) == "shop.py:5 in step"


def test_without_a_line_of_the_author_the_description_has_none():
    assert describe_at(ValueError("x")) == "ValueError: x"


def test_a_file_within_a_library_counts_if_it_is_named(tmp_path):
    lib = module(tmp_path, "site-packages/lib.py", "def step():\n    1 / 0\n")
    exc = raised_by(lib["step"])
    here = str(tmp_path / "site-packages" / "lib.py")

    assert [place.line for place in author_places(exc, here) if place.file == here] == [2]
    assert not [place for place in author_places(exc) if place.file == here]


def test_a_deep_recursion_is_described_by_its_innermost_lines(tmp_path):
    deep = module(tmp_path, "deep.py", "def dive():\n    dive()\n")

    assert str(raised_at(raised_by(deep["dive"]))) == "deep.py:2 in dive"


def test_the_stack_of_a_step_is_its_frames_without_those_of_chaperon():
    stacks = []

    def step(session):
        stacks.append(author_frames(sys._getframe()))

    def at_the_end(session):
        step(session)

    from scenes import simulated

    simulated(scenario=Scenario(at_the_end))

    assert [frame.f_code.co_name for frame in stacks[0]] == ["step", "at_the_end"]


WAITS = {
    "gevent.sleep": "import gevent\ndef wait():\n    gevent.sleep(60)\n",
    "an event": "from gevent.event import Event\ndef wait():\n    Event().wait(60)\n",
    "a join": "import gevent\ndef wait():\n    gevent.spawn(gevent.sleep, 60).join(60)\n",
    "a queue": "from gevent.queue import Queue\ndef wait():\n    Queue().get(timeout=60)\n",
    "a lock": "from gevent.lock import Semaphore\ndef wait():\n    Semaphore(0).acquire(timeout=60)\n",
    "a socket": "from gevent import socket\ndef wait():\n    a, b = socket.socketpair()\n    a.recv(1)\n",
}
"""Ways in which an author's code waits."""


@pytest.mark.parametrize("text", WAITS.values(), ids=WAITS)
def test_a_wait_that_is_interrupted_has_the_authors_line_and_none_of_an_extension_module(tmp_path, text):
    wait = module(tmp_path, "hang.py", text)["wait"]
    waiting = gevent.spawn(raised_by, wait)
    waiting.join(0)  # it waits now
    waiting.kill(KeyError("late"), timeout=10)
    assert describe_at(waiting.get()) == f"KeyError: 'late' (hang.py:{text.count(chr(10))} in wait)"
