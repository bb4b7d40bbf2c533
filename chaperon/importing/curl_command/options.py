"""The options of a curl command line, by the names and with the arguments that curl gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaperon.errors import LoadError

SHORT = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie", "A": "user-agent",
    "e": "referer", "x": "proxy", "m": "max-time", "o": "output", "E": "cert", "r": "range", "T": "upload-file",
    "w": "write-out", "c": "cookie-jar", "C": "continue-at", "D": "dump-header", "K": "config", "y": "speed-time",
    "Y": "speed-limit", "z": "time-cond", "U": "proxy-user", "P": "ftp-port", "Q": "quote", "t": "telnet-option",
    "k": "insecure", "L": "location", "G": "get", "I": "head", "s": "silent", "S": "show-error", "v": "verbose",
    "i": "include", "f": "fail", "g": "globoff", "#": "progress-bar", "0": "http1.0", "4": "ipv4", "6": "ipv6",
    "1": "tlsv1", "2": "sslv2", "3": "sslv3", "j": "junk-session-cookies", "J": "remote-header-name", "N": "no-buffer",
    "O": "remote-name", "R": "remote-time", "n": "netrc", "p": "proxytunnel", "q": "disable", "a": "append",
    "Z": "parallel", ":": "next",
}  # fmt: skip
"""Letters of short options."""

MEANT = frozenset({
    "request", "header", "data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "form", "form-string",
    "user", "cookie", "user-agent", "referer", "proxy", "max-time", "connect-timeout", "cert", "key", "cacert", "json",
    "url", "url-query", "oauth2-bearer", "range", "upload-file",
})  # fmt: skip
"""Options with an argument that the import understands."""

WITH_ARGUMENT = MEANT | {
    "abstract-unix-socket", "aws-sigv4", "capath", "ciphers", "config", "connect-to", "continue-at", "cookie-jar",
    "create-file-mode", "curves", "dns-servers", "doh-url", "dump-header", "expect100-timeout", "ftp-port", "hsts",
    "interface", "keepalive-time", "limit-rate", "local-port", "max-filesize", "max-redirs", "netrc-file", "noproxy",
    "output", "output-dir", "parallel-max", "pinnedpubkey", "preproxy", "proto", "proto-default", "proto-redir",
    "proxy-header", "proxy-user", "quote", "rate", "resolve", "retry", "retry-delay", "retry-max-time", "socks5",
    "socks5-hostname", "speed-limit", "speed-time", "stderr", "telnet-option", "time-cond", "tls-max",
    "tls13-ciphers", "trace", "trace-ascii", "unix-socket", "variable", "write-out",
}  # fmt: skip
"""Options with an argument."""

OF_OUTPUT = frozenset({
    "output", "output-dir", "write-out", "cookie-jar", "dump-header", "stderr", "trace", "trace-ascii",
    "create-file-mode", "silent", "show-error", "verbose", "include", "fail", "fail-with-body", "globoff",
    "progress-bar", "compressed", "location", "no-buffer", "remote-name", "remote-header-name", "remote-time",
    "disable", "parallel", "no-progress-meter", "junk-session-cookies", "http1.0", "http1.1", "http2",
    "http2-prior-knowledge", "http3", "ipv4", "ipv6", "tlsv1", "tlsv1.2", "tlsv1.3", "tls-max", "tcp-nodelay",
    "keepalive-time", "no-keepalive", "path-as-is", "post301", "post302", "post303", "max-redirs",
    "parallel-max", "fail-early", "insecure", "get", "head", "next", "url",
})  # fmt: skip
"""Options that change nothing of what is sent, or that are read elsewhere: no remark is needed."""


def options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (long name, argument) of each option and ("url", URL) of each other word.

    The argument of an option without one is empty. Raises LoadError where an argument is missing.
    """
    rest = iter(words)
    only_urls = False
    for word in rest:
        if only_urls or not word.startswith("-") or word == "-":
            yield "url", word
        elif word == "--":
            only_urls = True
        elif word.startswith("--"):
            name = word[2:]
            yield name, _argument(rest, word) if name in WITH_ARGUMENT else ""
        else:
            yield from _short(word[1:], rest)


def _short(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter)
        if name is None:
            raise LoadError(f"-{letter} is no option of curl that is known here: leave it out of the command")
        if name in WITH_ARGUMENT:
            yield name, letters or _argument(rest, f"-{letter}")
            return
        yield name, ""


def _argument(rest: Iterator[str], option: str) -> str:
    found = next(rest, None)
    if found is None:
        raise LoadError(f"{option} of curl needs an argument")
    return found
