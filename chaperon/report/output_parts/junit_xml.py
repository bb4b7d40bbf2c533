"""JUnit XML: suites of cases, each with at most one outcome, as CI servers read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

# characters that XML 1.0 (section 2.2) does not allow, not even escaped
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def new_suite(name: str) -> ET.Element:
    """Return a suite without cases."""
    return ET.Element("testsuite", name=name, time="0")


def add_case(suite: ET.Element, group: str, name: str, took: float = 0.0) -> ET.Element:
    """Add a case to a suite; *took* is in seconds. It has passed unless `set_outcome` is called."""
    return ET.SubElement(suite, "testcase", classname=xml_text(group), name=xml_text(name), time=f"{took:.3f}")


def set_outcome(case: ET.Element, tag: str, kind: str | None, *lines: str) -> None:
    """Set what happened to a case: *tag* is "failure", "error" or "skipped"; the first line is its message."""
    texts = [xml_text(line) for line in lines]
    outcome = ET.SubElement(case, tag, message=texts[0] if texts else "")
    if kind is not None:
        outcome.set("type", kind)
        outcome.text = "\n".join(texts)


def document(name: str, suites: Sequence[ET.Element], *, started: str, duration: float) -> str:
    """Return the suites as one document, with their cases counted; *started* is ISO 8601, *duration* in seconds."""
    root = ET.Element("testsuites", name=xml_text(name))
    for suite in suites:
        cases = suite.findall("testcase")
        counts = {what: sum(case.find(tag) is not None for case in cases) for what, tag in _COUNTED.items()}
        suite.attrib |= {
            "tests": str(len(cases)),
            **{what: str(count) for what, count in counts.items()},
            "timestamp": started.removesuffix("Z").partition("+")[0].partition(".")[0],
        }
        root.append(suite)
    for what in ("tests", *_COUNTED):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    root.set("time", f"{duration:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def xml_text(text: str) -> str:
    """Return *text* with U+FFFD in place of each character that XML does not allow."""
    return _FORBIDDEN.sub("\ufffd", text)
