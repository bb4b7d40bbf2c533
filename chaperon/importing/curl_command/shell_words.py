"""Words of a POSIX shell command, with the ANSI-C quotes that browsers use in "copy as cURL"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chaperon.errors import LoadError
from chaperon.lazy_dataclass import lazy_dataclass

_TOKEN = re.compile(
    r"""
      (?P<joined>\\\r?\n)
    | (?P<comment>(?:(?<=\s)|^)\#[^\n]*)
    | (?P<space>[ \t\r]+)
    | (?P<redirection>(?:(?<=\s)\d)?(?:>>?&?|<(?!<)|&>)[ \t]*[^\s;&|'"]+)
    | (?P<separator>\n|;|&&|\|\||\||&)
    | \$'(?P<ansi>(?:[^'\\]|\\.)*)'
    | '(?P<single>[^']*)'
    | \$?"(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<plain>[^\s;&|'"\\<>]+|[<>])
    """,
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(r"(?<!\\)\$\{?([A-Za-z_]\w*|\d)")
_ANSI = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|.)", re.DOTALL)
_ANSI_LETTERS = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip


@lazy_dataclass
class ShellCommand:
    """The words of one command, without redirections, and the line of the first.

    *piped* says that it reads what the command before it prints, *variables* which the shell would put in.
    """

    words: list[str]
    line: int
    piped: bool
    variables: list[str]


def commands(text: str) -> Iterator[ShellCommand]:
    """Yield each command of *text*. Raises LoadError where a quote is not closed."""
    current = ShellCommand([], 0, False, [])
    word: str | None = None
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if found is None:
            raise LoadError(f"line {line}: a quote is not closed: {text[at : at + 20]!r}")
        at = found.end()
        kind, value = found.lastgroup, found[found.lastgroup or 0]
        if kind in ("joined", "comment"):
            continue
        if kind in ("space", "separator", "redirection"):
            if word is not None:
                current.words.append(word)
                word = None
            if kind == "separator":
                if current.words:
                    yield current
                current = ShellCommand([], 0, value == "|", [])
            continue
        current.line = current.line or line
        if kind in ("double", "plain"):
            current.variables += [name for name in _VARIABLE.findall(value) if name not in current.variables]
        word = (word or "") + _unquoted(str(kind), value)
    if word is not None:
        current.words.append(word)
    if current.words:
        yield current


def _unquoted(kind: str, text: str) -> str:
    if kind == "ansi":
        return _ANSI.sub(lambda found: _ansi_escape(found[1]), text)
    if kind == "double":
        return re.sub(r"\\(\n|[\\$`\"!])", lambda found: "" if found[1] == "\n" else found[1], text)
    return text


def _ansi_escape(escape: str) -> str:
    """Return the character of one escape of bash's $'…'."""
    if escape[0] in "xuU" and len(escape) > 1:
        number = int(escape[1:], 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    if escape[0] in "01234567":
        return chr(int(escape, 8) & 0xFF)
    return _ANSI_LETTERS.get(escape, escape)
