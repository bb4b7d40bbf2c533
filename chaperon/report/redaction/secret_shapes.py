"""Shapes of secrets: patterns of tokens and keys, and values of names that denote secrets."""

from __future__ import annotations

import re

from chaperon.report.redaction.secret_names import WHOLE, is_weak, names_a_secret

HIDDEN = "***"

_SHAPES = (
    # a private key in PEM, cut off or not, its lines broken or escaped
    re.compile(r"(?s)(?<=-----BEGIN )([A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,9})--(?:(?!-----END).)*(?:-----END \1-----)?"),
    re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*"),  # a JSON Web Token
    re.compile(r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{12,}\b"),  # Amazon
    re.compile(r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|dt|rt)-[\w-]{16,})"),  # GitHub, GitLab
    re.compile(r"\b(?:AIza[\w-]{30,}|ya29\.[\w-]{10,}|GOCSPX-[\w-]{16,})"),  # Google
    re.compile(r"\b(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,})|(?<=hooks\.slack\.com/services/)[\w/]+"),  # Slack
    re.compile(r"\b(?:[srp]k_(?:live|test)_\w{8,}|whsec_[\w+/=]{16,})"),  # Stripe
    re.compile(r"\b(?:sk-[\w-]{20,}|hf_\w{20,}|npm_\w{30,}|pypi-[\w-]{16,}|dop_v1_\w{32,}|shp(?:at|ss)_\w{16,})"),
    re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}|\b\d{8,10}:AA[\w-]{30,}"),  # SendGrid, Telegram
    # credentials in a URL: with a user or without, a slash in the password, percent-encoded as a whole
    re.compile(r"(?<=://)(?!git@)[^\s/?#'\"<>\\]{1,999}(?=@)"),
    re.compile(r"(?<=://)[^\s/:@'\"<>\[\\]{0,99}:(?!\d{1,5}(?:[/?#]|$))[^\s'\"<>\\@]{1,999}(?=@[\w.\[-])"),
    re.compile(r"(?i)(?<=%3A%2F%2F)[^\s&%]{0,99}(?:%3A[^\s&]{0,999}?)?(?=%40)"),
    re.compile(r"(?<=<Cookie )[^=\s]{1,99}=.{0,4096}?(?= for )"),  # as http.cookiejar shows one
    re.compile(
        r"(?i)(?<=password>)[^<]+(?=</)|(?<=secret>)[^<]+(?=</)|(?<=token>)[^<]+(?=</)|(?<=key>)[^<]{16,}(?=</)"
    ),
    re.compile(r"(?:(?<=\s-u )|(?<=--user )|(?<=--user=))[^\s:'\"]+:[^\s'\"]+"),  # curl
)

_PROSE = frozenset([
    "a", "an", "the", "is", "are", "was", "were", "be", "has", "had", "have", "must", "should", "shall", "can",
    "cannot", "could", "may", "might", "will", "would", "not", "no", "none", "null", "nil", "true", "false",
    "empty", "missing", "invalid", "required", "expected", "unexpected", "expired", "expires", "unknown", "wrong",
    "incorrect", "failed", "failure", "too", "only", "already", "please", "of", "for", "from", "in", "on", "at",
    "to", "by", "with", "without", "and", "or", "but", "if", "when", "this", "that", "it", "its", "field",
    "value", "values", "pair", "pairs", "mismatch", "rejected", "denied", "refused", "accepted", "ok", "optional",
    "does", "did", "do", "error", "errors", "undefined", "found", "absent", "ignored",
])  # fmt: skip
"""Words that follow such a name in a sentence and are not its value."""

_EXPECTED = "xpected "
"""Text of parser messages before a "token" that is not a secret."""

_SCHEME = re.compile(r"(?i)(?P<scheme>bearer|basic|token|negotiate|apikey|hoba|dpop|digest|ntlm)(?P<gap>[ \t]+|%20|\+)")
_BEARER = re.compile(r"(?i)\b(bearer)([ \t]+|%20|\+)([\w.~+/=%:-]+)")
_BASIC = re.compile(r"\b([Bb]asic|BASIC)([ \t]+|%20|\+)([\w+/-]{4,}(?:=|%3D){0,2})")
_PHRASE = frozenset([
    "token", "tokens", "auth", "authentication", "authorization", "authorisation", "realm", "scope", "error",
    "scheme", "schemes", "type", "header", "credentials", "key",
])  # fmt: skip
"""Words that follow "Bearer" or "Basic" instead of credentials."""

# a name, its closing mark, then what assigns: key=value, "key": "value", user[key]=value, key%3Dvalue, --key value
_NAME = re.compile(
    r"(?:(?<![\w%-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))(?P<flag>--?)?(?P<name>[A-Za-z_][\w.-]{0,99})"
    r"(?P<close>(?:\\*['\"]|\]|%5[Dd]|%22)*)"
    r"(?P<sep>[ \t]*(?:=>|:=|=|:(?!//)|%3[AaDd])[ \t]*|[ \t]+)"
)
_QUOTE = re.compile(r"[bru]?(\\*(?:['\"])|%22)")
_VALUE = re.compile(r"[^\s&'\"\\<]+")
_LINE = {quote: re.compile(rf"(?:[^\r\n\\{quote}]|\\(?![nr]))+") for quote in ("", "'", '"')}
_QUERY = re.compile(r"(?:[?&;]|%3F|%26|\A)$", re.IGNORECASE)
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+/=-]{12,}")


def hide_shapes(text: str) -> str:
    """Return *text* with the shapes of secrets replaced; ordinary words stay."""
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    text = _BEARER.sub(_bearer, text)
    text = _BASIC.sub(_basic, text)
    return _pairs(text)


def _bearer(found: re.Match[str]) -> str:
    scheme, gap, value = found.groups()
    word = value.lower().rstrip(".:")
    if word in _PROSE or word.split("=")[0] in _PHRASE:
        return found[0]
    return f"{scheme}{gap}{HIDDEN}"


def _basic(found: re.Match[str]) -> str:
    scheme, gap, value = found.groups()
    word = value.partition("=")[0]
    if word.isalpha() and (word.islower() or word.istitle()):
        return found[0]
    return f"{scheme}{gap}{HIDDEN}"


def _pairs(text: str) -> str:
    """Replace the values of names that denote secrets."""
    if not ("=" in text or ":" in text or "%3" in text or "--" in text):
        return text
    parts: list[str] = []
    done = at = 0
    while (found := _NAME.search(text, at)) is not None:
        at = found.end("name")
        if not _assigns(found, text):
            continue
        span = _value(text, found)
        if span is None:
            continue
        start, end = span
        parts += (text[done:start], HIDDEN)
        done = at = end
    return "".join([*parts, text[done:]]) if parts else text


def _assigns(found: re.Match[str], text: str) -> bool:
    """Return whether a name found in *text* is assigned a secret there."""
    name, sep = found["name"], found["sep"]
    if not sep.strip():
        return found["flag"] is not None and not found["close"] and names_a_secret(name)
    if names_a_secret(name):
        return True
    if not is_weak(name):
        return False
    if "=" in sep or "3" in sep:
        before = text[max(found.start() - 3, 0) : found.start()]
        if _QUERY.search(before) and (before or "&" in text):
            return True
    if found["close"].strip("]%5Dd") and name.lower() not in ("code", "key"):
        return True
    return _RANDOM.match(text, found.end()) is not None


def _value(text: str, found: re.Match[str]) -> tuple[int, int] | None:
    """Return the (start, end) of the value to be hidden, None if there is none."""
    start = found.end()
    if text.startswith(_EXPECTED, max(found.start() - len(_EXPECTED), 0)):
        return None
    opened = _QUOTE.match(text, start)
    if opened is not None:
        start = opened.end()
        start = _past_scheme(text, start)
        end = _closing(text, start, opened[1])
        return (start, end) if text[start:end].strip("* ") else None
    if text[start : start + 1] in ("[", "("):
        end = text.find("])"[text[start] == "("], start)
        end = len(text) if end < 0 else end
        return (start + 1, end) if text[start + 1 : end].strip("* ") else None
    if text[start : start + 1] == "{":
        return None
    low = found["name"].lower()
    start = _past_scheme(text, start)
    value = _VALUE
    if low.endswith(WHOLE) and ":" in found["sep"] and start == found.end():
        before = text[max(found.start() - 1, 0) : found.start()]
        value = _LINE[before if before in ("'", '"') else ""]
    match = value.match(text, start)
    if match is None:
        return None
    end = match.end()
    while end > start and text[end - 1] in " ),.;]}>:":
        end -= 1
    first = re.split(r"[\s,.;:]", text[start:end], maxsplit=1)[0]
    if not text[start:end].strip("*") or first.lower() in _PROSE:
        return None
    return start, end


def _past_scheme(text: str, start: int) -> int:
    scheme = _SCHEME.match(text, start)
    if scheme is None or (scheme["scheme"].lower() == "digest"):
        return start
    return scheme.end()


def _closing(text: str, start: int, quote: str) -> int:
    """Return the end of a quotation: the same quote with as many backslashes before it, or the end of the text."""
    mark = quote.lstrip("\\")
    slashes = len(quote) - len(mark)
    at = text.find(mark, start)
    while at >= 0:
        first = at
        while first > start and text[first - 1] == "\\":
            first -= 1
        if at - first == slashes or (slashes == 0 and (at - first) % 2 == 0):
            return at - slashes
        at = text.find(mark, at + 1)
    return len(text)
