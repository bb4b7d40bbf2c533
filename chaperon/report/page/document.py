"""The page as one HTML document: no request leaves it, and no data is in its code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

SCRIPTS = ("format.js", "model.js", "stretch.js", "charts.js", "heat.js", "seen.js", "tables.js", "main.js")
"""The page's own code, in the order in which it runs; all in one script."""
COMPARISON_SCRIPTS = ("format.js", "comparison_model.js", "charts.js", "heat.js", "comparison.js")
"""The code of the page of a comparison."""
LIVE_SCRIPTS = (*SCRIPTS, "save.js", "live.js", "control.js", "launch.js", "connect.js")
"""The code of the live page."""
TITLE_PLACE, DATA_PLACE = "@title of the report@", "@data of the report@"
"""Where `template` has the title and the data of a report."""
NO_DATA = "null"
UPLOT = ("uplot.iife.min.js", "uplot.min.css")
"""Files of uPlot in vendor/, which an install has: setup.py copies them."""
UPLOT_LICENSE = "/* uPlot 1.6.31, (c) 2022 Leon Sorokin, MIT licence: https://github.com/leeoniya/uPlot */\n"


@cache
def asset(name: str) -> str:
    """Return the text of a file of the page, "" if it is not there."""
    place = files("chaperon.report.page").joinpath(*name.split("/"))
    return place.read_text(encoding="utf-8") if place.is_file() else ""


def html_of(payload: Mapping[str, Any]) -> str:
    """Return the page with *payload* as its data."""
    title = f"{payload['report']['verdict']} · {payload['report']['environment']}"
    return _page("page.html", SCRIPTS, _escaped(title), _data(payload))


def comparison_html_of(payload: Mapping[str, Any], title: str) -> str:
    """Return the page of a comparison with *payload* as its data."""
    return _page("comparison.html", COMPARISON_SCRIPTS, _escaped(title), _data(payload))


@cache
def template() -> str:
    """Return the page of a report without its title and data, which belong at `TITLE_PLACE` and `DATA_PLACE`."""
    return _page("page.html", SCRIPTS, TITLE_PLACE, DATA_PLACE)


@cache
def live_shell(sources: str) -> str:
    """Return the live page, without any data. *sources* are what its script may connect to, as its policy has them."""
    return _page("page.html", LIVE_SCRIPTS, "Chaperon", NO_DATA, sources)


def _page(shell: str, scripts: Sequence[str], title: str, data: str, sources: str = "'none'") -> str:
    library, library_style = (asset(f"vendor/{name}") for name in UPLOT)
    style = library_style + asset("page.css") + (asset("live.css") if scripts is LIVE_SCRIPTS else "")
    script = asset("guard.js") + (UPLOT_LICENSE + library if library else "") + "".join(map(asset, scripts))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        f"connect-src {sources}; base-uri 'none'; form-action 'none'"
    )
    return Template(asset(shell)).substitute(
        policy=policy,
        title=title,
        style=style,
        script=script,
        data=data,
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _data(payload: Mapping[str, Any]) -> str:
    """Return the payload as JSON that cannot end its script element, and holds no line separators."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for special in "<>&\u2028\u2029":
        text = text.replace(special, f"\\u{ord(special):04x}")
    return text.encode("utf-8", "backslashreplace").decode()
