"""k6 as a peer, where there is a program of that name: one process of it, with one thread of Go's scheduler."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

_SCRIPT = """
{imports}
import {{ Counter }} from 'k6/metrics';

const bad = new Counter('bad');
export const options = {{
  insecureSkipTLSVerify: true,
  scenarios: {{ measured: {scenario} }},
}};
{script}
export function handleSummary(data) {{
  return {{ {summary}: JSON.stringify(data) }};
}}
"""


def has_k6() -> bool:
    """Return whether a `k6` program is on the PATH."""
    return shutil.which("k6") is not None


def k6_command(
    folder: Path,
    script: str,
    *,
    users: int,
    seconds: float,
    imports: str = "",
    once: bool = False,
    ramp: float | None = None,
) -> list[str]:
    """Write a k6 script into *folder*; return the command that runs it.

    *script* declares the function of an iteration, `export default function () {...}`, and calls
    `bad.add(1)` for what fails; *imports* are the lines before it. Each of the *users* repeats it for
    *seconds*, or performs it *once*. With *ramp* they begin one after another within that number
    of seconds before.
    """
    scenario = {"executor": "constant-vus", "vus": users, "duration": f"{seconds:g}s", "gracefulStop": "1s"}
    if once:
        scenario = {"executor": "per-vu-iterations", "vus": users, "iterations": 1, "maxDuration": f"{seconds + 30:g}s"}
    elif ramp is not None:
        spans = (max(ramp, 0.001), seconds)
        stages = [{"duration": f"{span:g}s", "target": users} for span in spans]
        scenario = {"executor": "ramping-vus", "startVUs": 0, "stages": stages, "gracefulStop": "1s"}
    text = _SCRIPT.format(
        imports=imports, scenario=json.dumps(scenario), script=script, summary=json.dumps(str(_summary(folder)))
    )
    (folder / "k6.js").write_text(text)
    return ["env", "GOMAXPROCS=1", "k6", "run", "--quiet", "--no-usage-report", str(folder / "k6.js")]


def k6_failures(folder: Path) -> int:
    """Return how often a script called `bad.add(1)`, and how many of its HTTP requests failed."""
    metrics = json.loads(_summary(folder).read_text())["metrics"]
    failed = metrics.get("http_req_failed", {"values": {"passes": 0}})  # a rate: it passes where a request failed
    return int(metrics.get("bad", {"values": {"count": 0}})["values"]["count"] + failed["values"]["passes"])


def k6_requests(folder: Path) -> int:
    """Return how many HTTP requests were sent."""
    return int(json.loads(_summary(folder).read_text())["metrics"]["http_reqs"]["values"]["count"])


def _summary(folder: Path) -> Path:
    return folder / "k6.json"
