"""Standard streams, cleaned: secrets are masked and control characters escaped in everything printed."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TextIO, cast

import click

from chaperon.errors import StandardStreamClosed
from chaperon.report.redaction.one_line import one_line
from chaperon.report.redaction.redaction import Redactor

INDENT = "    "
"""Prefix of the lines of a text after its first, so that a text from a target cannot imitate a line of Chaperon."""
MAX_UNENDED = 65_536
"""Characters kept of a line without a line break; a longer one is printed at once."""

ASCII = {"·": "|", "×": "x", "–": "-", "…": "~", "≥": ">=", "±": "+-", "→": "->", "✕": "x"}
"""What is printed in place of signs that an encoding lacks."""
SPELLED = "chaperon.spelled"
"""The name of the error handler of encodings that does so, and escapes other characters."""

REDACT = Redactor()
"""Masks the secrets of this process."""


class Styled(NamedTuple):
    """A part of a line with a style for terminals."""

    text: str
    fg: str | None = None
    bold: bool | None = None


class CleanStream:
    """A text stream that masks secrets and escapes control characters, then writes to *stream* line by line.

    It replaces `sys.stdout` and `sys.stderr`, so that output of scenarios, warnings of libraries and
    tracebacks are cleaned too. An incomplete line is kept until its line break or `flush`. All
    other attributes are those of *stream*.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write the complete lines, keep the rest, return the length of *text*. Raises OSError as the stream does."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self._rest += text
        if "\n" not in text and len(self._rest) <= MAX_UNENDED:
            return len(text)
        # as a whole, before it becomes lines: a secret may be wrapped
        complete, end, rest = REDACT.hide_known(self._rest, goes_on=True).rpartition("\n")
        first, *more = REDACT(complete).split("\n")
        lines = [first, *(INDENT * bool(line) + line for line in more)] if end else []
        self._rest = (INDENT if end and rest else "") + rest
        if len(self._rest) > MAX_UNENDED:
            kept = len(self._rest) - min(REDACT.longest, MAX_UNENDED // 2)  # its end may be the beginning of a secret
            lines, self._rest = [*lines, self._rest[:kept]], self._rest[kept:]
        if lines:
            self.stream.write("".join(f"{clean_line(line)}\n" for line in lines))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each text in turn."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is kept, also an incomplete line, and flush the stream."""
        self.write_rest()
        self.stream.flush()

    def write_rest(self) -> None:
        """Write an incomplete line that is kept."""
        rest, self._rest = self._rest, ""
        if rest:
            self.stream.write(clean_line(rest))


class ForgivingStream(CleanStream):
    """A clean stream for the code of authors: what cannot be printed is dropped, so that no visit fails by its prints.

    The first failure is printed on the other standard stream, if that works. *name* is "output" or "error".
    Chaperon itself prints on the stream that is wrapped, and gets its errors.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self._name = name
        self._dropping = isinstance(stream, ClosedStream)

    @property
    def buffer(self) -> _ForgivingBytes:
        """The binary stream below; what cannot be written to it is dropped, too."""
        return _ForgivingBytes(self.stream.buffer, self.attempt)

    def write(self, text: str) -> int:
        """Write the complete lines, or drop them; keep the rest, return the length of *text*."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self.attempt(lambda: super(ForgivingStream, self).write(text))
        return len(text)

    def flush(self) -> None:
        """Write what is kept, also an incomplete line, and flush the stream, or drop it."""
        self.attempt(self._flush)

    def write_rest(self) -> None:
        """Write an incomplete line that is kept, or drop it."""
        self.attempt(super().write_rest)

    def _flush(self) -> None:
        super().write_rest()
        if not self.stream.closed:
            self.stream.flush()

    def attempt(self, write: Callable[[], object]) -> None:
        """Call *write*, until it has failed once: then the failure is printed, and nothing is written any more."""
        if self._dropping:
            return
        try:
            write()
        except (OSError, ValueError) as exc:
            if isinstance(exc, ValueError) and not self.stream.closed:
                raise
            self._dropping, self._rest = True, ""
            why = getattr(exc, "strerror", None) or StandardStreamClosed(self._name).strerror
            text = f"chaperon: cannot print on standard {self._name}: {why}; what the scenario prints there is dropped"
            with suppress(OSError, ValueError):
                print_line(text, err=self._name == "output")


class _ForgivingBytes:
    """The binary stream of a forgiving stream; all other attributes are those of *stream*."""

    def __init__(self, stream: Any, attempt: Callable[[Callable[[], object]], None]) -> None:
        self._stream = stream
        self._attempt = attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: bytes) -> int:
        """Write *data*, or drop it; return its length."""
        self._attempt(lambda: self._stream.write(data))
        return len(data)

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Write each of *lines* in turn."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream, or drop what it has buffered."""
        self._attempt(self._stream.flush)


class ClosedStream(io.StringIO):
    """In place of a standard stream that the process was started without: writing raises StandardStreamClosed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def buffer(self) -> Any:
        """The binary stream: itself."""
        return self

    def write(self, text: str) -> int:
        """Raise StandardStreamClosed."""
        raise StandardStreamClosed(self._name)


def clean_standard_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr` by clean streams. Characters that the encoding lacks are `spelled`.

    A stream that the process was started without becomes a closed one, its descriptor that of the null device: no
    file that is opened later gets it.
    """
    for descriptor, name in ((1, "output"), (2, "error")):
        attribute = f"std{name[:3]}"
        stream = getattr(sys, attribute)
        if isinstance(stream, CleanStream):
            continue
        if stream is None or _only_readable(stream):
            stream = ClosedStream(name)
            _occupy(descriptor)
        with suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors=SPELLED)
        setattr(sys, attribute, ForgivingStream(stream, name))


def is_closed(stream: object) -> bool:
    """Return whether *stream* is none, or stands in for one that the process was started without."""
    return stream is None or isinstance(stream, ClosedStream) or isinstance(getattr(stream, "stream", 0), ClosedStream)


def _only_readable(stream: TextIO) -> bool:
    try:
        return fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    except (OSError, ValueError, AttributeError):
        return False


def _occupy(descriptor: int) -> None:
    """Open the null device as *descriptor*, if that is free."""
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


@contextmanager
def standard_streams_cleaned() -> Iterator[None]:
    """Clean what is printed in the block through the streams installed now; restore them at its end."""
    before = sys.stdout, sys.stderr
    clean_standard_streams()
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.flush()
        sys.stdout, sys.stderr = before


def hide(secrets: Iterable[str]) -> None:
    """Mask *secrets* in everything printed from now on."""
    REDACT.add(secrets)


def clean_line(text: str) -> str:
    """Return *text* as one line: secrets masked, control characters and line breaks escaped, tabs kept."""
    masked = REDACT(text)
    return "\t".join(map(one_line, masked.split("\t"))) if "\t" in masked else one_line(masked)


def clean_lines(text: str) -> str:
    """Return *text* as clean lines, all but the first indented."""
    first, *more = text.split("\n")
    return "\n".join([clean_line(first), *(INDENT * bool(line) + clean_line(line) for line in more)])


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what is encoded in place of characters that an encoding lacks: an error handler of `codecs`."""
    if isinstance(error, UnicodeEncodeError) and (ascii_sign := ASCII.get(error.object[error.start])) is not None:
        return ascii_sign, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(SPELLED, _spell)


def spelled(text: str, encoding: str | None) -> str:
    """Return *text* as a stream of *encoding* shows it: signs that this lacks in ASCII, other characters escaped."""
    if encoding is None or text.isascii():
        return text
    return text.encode(encoding, SPELLED).decode(encoding)


def unwrapped(stream: TextIO) -> TextIO:
    """Return the stream that a clean stream wraps, to print text that is clean already and has styles."""
    return stream.stream if isinstance(stream, CleanStream) else stream


def clean_stream(*, err: bool) -> TextIO:
    """Return a clean stream of standard output, or standard error, that raises OSError as the stream does."""
    stream = sys.stderr if err else sys.stdout
    below = ClosedStream("error" if err else "output") if stream is None else unwrapped(stream)
    return cast(TextIO, CleanStream(below))


def print_line(*parts: str | Styled, err: bool = False) -> None:
    """Print one clean line on standard output, with *err* on standard error. Raises OSError.

    Line breaks in it are escaped. Does nothing if the process has no standard error.
    """
    stream = sys.stderr if err else sys.stdout
    if err and is_closed(stream):
        return
    if stream is None:
        stream = ClosedStream("output")
    line = "".join(_part(part) for part in parts)
    if isinstance(stream, CleanStream):
        stream.write_rest()  # must be printed before
    click.echo(line, file=unwrapped(stream))


def print_notice(text: str) -> None:
    """Print one line on standard error; raises OSError."""
    print_line(text, err=True)


def print_warning(text: str) -> None:
    """Print a warning on standard error."""
    print_line(f"chaperon: {text}", err=True)


def print_error(text: str, *, lines: bool = False) -> None:
    """Print why a command failed on standard error: on one line, or with *lines* on as many as *text* has."""
    first, *more = text.split("\n") if lines else [text]
    print_line(f"chaperon: {first}", err=True)
    for line in more:
        print_line(line, err=True)


def discard_stdout() -> None:
    """Discard what is still buffered: otherwise the interpreter reports an error of standard output at its exit."""
    if is_closed(sys.stdout):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _part(part: str | Styled) -> str:
    if isinstance(part, Styled):
        return click.style(clean_line(part.text), fg=part.fg, bold=part.bold)
    return clean_line(part)
