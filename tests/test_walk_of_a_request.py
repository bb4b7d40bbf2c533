"""The modules that a usual request passes, which CONTRIBUTING.md names: eight until its response is there."""

import re
import sys
from pathlib import Path

import pytest
from gevent import getcurrent
from unjudged import UNJUDGED

from chaperon import Environment, iterations, run, step

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "chaperon"


def described():
    """Return the modules that the paragraph "A request" names, in its order."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    (paragraph,) = [text for text in guide.split("\n\n") if text.startswith("**A request.**")]
    return re.findall(r"`([a-z_]+(?:/[a-z_]+)+)`", paragraph)


def entered(call):
    """Return the modules of Chaperon whose functions *call* calls in this greenlet, in the order of the first call."""
    found, own = {}, getcurrent()

    def trace(frame, event, argument):
        file = Path(frame.f_code.co_filename)
        if getcurrent() is own and file.is_relative_to(PACKAGE):
            found[str(file.relative_to(PACKAGE).with_suffix(""))] = None

    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(None)
    return list(found)


@pytest.mark.as_written
def test_a_usual_request_passes_the_modules_of_its_description_eight_until_its_response_is_there(target):
    walks = []

    @step
    def look(session):
        for _ in range(2):  # the connection is opened, then the request encoded once for all of its kind
            session.get("/")
        walks.append(entered(lambda: session.get("/")))

    Environment(target.url, scenarios=[run(look, iterations(1))], trust=UNJUDGED).execute()

    (walk,) = walks
    assert sorted(walk) == sorted(described())
    assert len([module for module in walk if not module.startswith("measure/")]) <= 8
