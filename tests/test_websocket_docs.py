"""The code in docs/websockets.md runs as it stands, against the servers of the examples."""

import re
from pathlib import Path

import pytest
from geventwebsocket.handler import WebSocketHandler
from unjudged import UNJUDGED

from chaperon import Verdict
from chaperon.execution.loader import load

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "websockets.md").read_text(), re.DOTALL)
COUNTS = [
    ("echo", {"ws recv /": 10, "ws sent /": 10}),
    ("echo", {"received": 3, "check it said why": 1}),
    ("echo", {"ws request /": 5, "round trip /": 1, "check each has its own": 1}),
    ("firehose", {"PUT /news": 5, "round trip publish to receive": 5}),
]


@pytest.mark.parametrize(("block", "server", "counts"), [(b, *c) for b, c in zip(BLOCKS, COUNTS, strict=True)])
def test_every_block_does_what_it_says(tmp_path, monkeypatch, block, server, counts):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = __import__(f"servers.{server}", fromlist=["counts"])
    module.counts.clear()
    getattr(module, "channels", {}).clear()
    file = tmp_path / "scenario.py"
    file.write_text(block)

    with __import__("servers").served(module.application, handler_class=WebSocketHandler) as given:
        report = load(str(file)).adapt(url=given["url"], trust=UNJUDGED).execute()

    assert report.visits.done == 1
    assert {name: report[name].count for name in counts} == counts
    assert not any(row.errors for row in report.rows if row.kind == "check")
    assert report.verdict is Verdict.PASS
