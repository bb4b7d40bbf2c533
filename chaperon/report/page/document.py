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

SCRIPTS = ("format.js", "model.js", "charts.js", "heat.js", "seen.js", "tables.js", "main.js")
"""The page's own code, in the order in which it runs; all in one script."""
COMPARISON_SCRIPTS = ("format.js", "comparison_model.js", "charts.js", "heat.js", "comparison.js")
"""The code of the page of a comparison."""
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
    return _page("page.html", SCRIPTS, title, payload)


def comparison_html_of(payload: Mapping[str, Any], title: str) -> str:
    """Return the page of a comparison with *payload* as its data."""
    return _page("comparison.html", COMPARISON_SCRIPTS, title, payload)


def _page(shell: str, scripts: Sequence[str], title: str, payload: Mapping[str, Any]) -> str:
    library, library_style = (asset(f"vendor/{name}") for name in UPLOT)
    style = library_style + asset("page.css")
    script = asset("guard.js") + (UPLOT_LICENSE + library if library else "") + "".join(map(asset, scripts))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(asset(shell)).substitute(
        policy=policy,
        title=_escaped(title),
        style=style,
        script=script,
        data=_data(payload),
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
