"""Prints what `chaperon check` records: samples, the author's lines of exceptions, requests with their responses."""

from __future__ import annotations

from collections.abc import Sequence

from chaperon.author_frames import traceback_lines
from chaperon.cli.terminal.clean_text import INDENT, REDACT
from chaperon.cli.terminal.lines import Styled, print_line
from chaperon.measure.exchange import Exchange
from chaperon.measure.sample import Sample, Trace
from chaperon.report.exchanges.exchange_text import exchange_lines
from chaperon.report.format import number_text, time_text
from chaperon.report.texts import map_fields

BODY_SHOWN = 500
"""Bytes that are printed of a body, but with *verbose*."""


class SamplePrinter:
    """Prints every sample and every failing request, until standard output is closed; with *verbose* every request."""

    def __init__(self, *, with_label: bool, err: bool = False, verbose: bool = False) -> None:
        self._verbose = verbose
        self._err = err
        self._labelled = with_label
        self._readable = True
        self._failed: tuple[str, str] | None = None

    def __call__(self, sample: Sample) -> None:
        """Print one sample. Never raises: the visit calls it."""
        if not self._readable:
            return
        try:
            print_line(*([f"{sample.key.scenario}: "] if self._labelled else []), *sample_line(sample), err=self._err)
            if sample.failure is not None:
                self._failed = (sample.key.name, sample.failure.error)
            if sample.failure is not None and sample.failure.listed:
                print_traces(sample.failure.traces, err=self._err)
        except Exception:
            self._readable = False

    def exchange(self, exchange: Exchange) -> None:
        """Print what was sent and received, below the line of its sample. Never raises.

        Where the sample was good, and its response was called bad afterwards, a line says so.
        """
        if not self._readable or not (exchange.error or self._verbose):
            return
        try:
            if exchange.error and self._failed != (exchange.series, exchange.error):
                label = f"{exchange.scenario}: " if self._labelled else ""
                line = f" {time_text(exchange.took):>8}  {exchange.series}  {exchange.message}"
                print_line(label, Styled("FAIL", fg="red"), line, err=self._err)
            self._failed = None
            for line in exchange_lines(map_fields(exchange, REDACT), None if self._verbose else BODY_SHOWN):
                print_line(INDENT, line, err=self._err)
        except Exception:
            self._readable = False


def sample_line(sample: Sample) -> tuple[Styled, str]:
    """Return a sample as the parts of a line: a mark, then its time or value, its name and its error."""
    failure = sample.failure
    mark = Styled("ok  ", fg="green") if failure is None else Styled("FAIL", fg="red")
    figure = time_text(sample.took) if sample.value is None else number_text(sample.value)
    line = f" {figure:>8}  {sample.key.name}"
    if sample.bytes:
        line += f"  {sample.bytes:,} B"
    if failure is None:
        return mark, line
    if failure.listed and failure.message:
        return mark, f"{line}  {failure.error}: {failure.message.removeprefix(f'{failure.error}: ')}"
    return mark, f"{line}  {failure.error}"


def print_traces(traces: Sequence[Trace], *, err: bool = False) -> None:
    """Print the author's lines of an exception, indented, after those of its causes; nothing without lines."""
    for trace in traces:
        if trace is not traces[0]:
            print_line(INDENT, "which led to", err=err)
        for line in (*traceback_lines(trace.places), trace.text):
            print_line(INDENT, line, err=err)
