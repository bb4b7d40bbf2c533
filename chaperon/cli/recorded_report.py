"""The report of a recorded run, made with the outputs it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaperon.report.outputs.closed_second import ClosedSecond
from chaperon.report.outputs.output import Output, is_live, with_exchange_folder
from chaperon.report.report import Report
from chaperon.report.run_file.run_file import RecordedRun


def recorded_report(run: RecordedRun, outputs: Sequence[Output], **part: Any) -> Report:
    """Return the report of *run*; *outputs* are started and get its seconds, but do not write the report yet.

    *part* has parameters of `RecordedRun.report`. Blocks while it reads the file. Raises OutputError where
    an output cannot be written, RunFileError, LimitError and UsageError.
    """
    planned = with_exchange_folder(run.planned, outputs)
    for output in outputs:
        output.start(planned)
    live = [output for output in outputs if is_live(output)]

    def on_second(second: ClosedSecond, late: bool) -> None:
        for output in live:
            (output.late if late else output.second)(second)

    return run.report(**part, on_second=on_second if live else None)
