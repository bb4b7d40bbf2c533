"""Text without its escapes: a secret is found in it however it was encoded, and where it stood in the text."""

from __future__ import annotations

import re

ROUNDS = 16
"""Maximum number of times a text is unescaped: three layers around a secret, and escapes in the secret itself."""

_MAY_BE_ESCAPED = re.compile(r"[%\\&+\n\r\xc2-\xf4]")
_ESCAPES = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<hex>(?:\\x[0-9A-Fa-f]{2})+)"
    r"|(?P<octal>(?:\\[0-3][0-7]{2})+)"
    r"|(?P<utf16>(?:\\u[0-9A-Fa-f]{4})+)"
    r"|(?P<utf32>\\U000[0-9A-Fa-f]{5})"
    r"|(?P<backslash>\\.)"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
    r"|(?P<plus>\+)"
    r"|(?P<latin>(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+)",
    re.DOTALL,
)
_SPACES = re.compile(r"\s+")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a"}
_UNFINISHED = re.compile(r"(?:%[0-9A-Fa-f]?|\\(?:[xuU][0-9A-Fa-f]{0,7})?|&#?[0-9A-Za-z]{0,8})\Z")

Characters = list[tuple[str, int]]
"""What an escape is for, character by character, each with the length of its part of the escape."""


class Unescaped:
    """A text on its way to one without escapes; character i of `text` was `source[starts[i]:ends[i]]`."""

    def __init__(self, source: str) -> None:
        self.text = source
        self.starts = list(range(len(source)))
        self.ends = list(range(1, len(source) + 1))

    def without_spaces(self) -> Unescaped:
        """Return the text without white space."""
        return self._replaced([(each.start(), each.end(), []) for each in _SPACES.finditer(self.text)])

    def unescaped_once(self) -> Unescaped:
        """Return the text with its escapes replaced by what they are for."""
        return self._replaced([(each.start(), each.end(), _characters(each)) for each in _ESCAPES.finditer(self.text)])

    def _replaced(self, edits: list[tuple[int, int, Characters]]) -> Unescaped:
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for start, end, characters in edits:
            texts.append(self.text[done:start])
            starts += self.starts[done:start]
            ends += self.ends[done:start]
            at = start
            for character, length in characters:
                texts.append(character)
                starts.append(self.starts[at])
                ends.append(self.ends[at + length - 1])
                at += length
            done = end
        found = Unescaped("")
        found.text = "".join([*texts, self.text[done:]])
        found.starts = starts + self.starts[done:]
        found.ends = ends + self.ends[done:]
        return found


def may_be_escaped(text: str) -> bool:
    """Return whether anything in *text* may be an escape or a line break."""
    return _MAY_BE_ESCAPED.search(text) is not None


def plain_text(source: str) -> str:
    """Return *source* without escapes, nested ones too.

    Understood are percent-encoding and "+" for a space (RFC 3986, WHATWG URL), the escapes of JSON and Python (of
    bytes too), entities of HTML, octal escapes of cookies, and UTF-8 that was read as Latin-1.
    """
    for _ in range(ROUNDS):
        before = source
        source = _ESCAPES.sub(_text_of, source)
        if source == before:
            break
    return source


def unescaped(source: str) -> Unescaped:
    """Return what `plain_text` returns, with the place of each character in *source*."""
    found = Unescaped(source)
    for _ in range(ROUNDS):
        before = found.text
        found = found.unescaped_once()
        if found.text == before:
            break
    return found


def without_spaces(text: str) -> str:
    """Return *text* without white space: where a text is wrapped, nothing else is certain to be as it was."""
    return _SPACES.sub("", text)


def without_unfinished(text: str) -> str:
    """Return *text* without the beginning of an escape at its end, which a cut has divided."""
    return _UNFINISHED.sub("", text)


def _text_of(escape: re.Match[str]) -> str:
    return "".join([character for character, _ in _characters(escape)])


def _characters(escape: re.Match[str]) -> Characters:
    text, kind = escape[0], escape.lastgroup
    if kind == "plus":
        return [(" ", 1)]
    if kind == "backslash":
        return [(_CONTROLS.get(text[1], text[1]), 2)]
    if kind == "utf32":
        return _one(chr(min(int(text[2:], 16), 0x10FFFF)), text)
    if kind == "entity":
        import html  # late: most texts have no entity, and it brings the table of them

        return _one(html.unescape(text), text)
    if kind == "utf16":
        units = bytes.fromhex(text.replace("\\u", ""))
        return [(each, 12 if ord(each) > 0xFFFF else 6) for each in units.decode("utf-16-be", "surrogatepass")]
    if kind == "percent":
        return _decoded(bytes.fromhex(text.replace("%", "")), 3)
    if kind == "hex":
        return _decoded(bytes.fromhex(text.replace("\\x", "")), 4)
    if kind == "octal":
        return _decoded(bytes([int(each, 8) for each in text.split("\\")[1:]]), 4)
    return _decoded(text.encode("latin-1"), 1)


def _one(character: str, escape: str) -> Characters:
    return [(character, len(escape))] if len(character) == 1 else [(each, 1) for each in escape]


def _decoded(raw: bytes, length: int) -> Characters:
    """Return bytes as UTF-8, each invalid one as Latin-1; *length* is that of the escape of one byte."""
    return [
        (chr(ord(each) - 0xDC00), length) if 0xDC80 <= ord(each) <= 0xDCFF else (each, length * len(each.encode()))
        for each in raw.decode("utf-8", "surrogateescape")
    ]
