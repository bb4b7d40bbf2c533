"""The form of a row in the table of outputs: its options, how it is made, probed, and written for a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from chaperon.cli.terminal.lines import print_line
from chaperon.cli.terminal.printing import printing, table_console, unfiltered_stdout
from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.outputs.output import Output, PlannedRun

if TYPE_CHECKING:
    from chaperon.report.capacity import Capacity
    from chaperon.report.report import Report

STDOUT = "-"
"""The path that means standard output; what else is printed there then goes to standard error."""


class OutputValues(Protocol):
    """The values of the command line that outputs are made of: `RunOptions`."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The values of the options in `OUTPUTS`, by their names."""

    @property
    def quiet(self) -> bool:
        """Whether the verdict is to be printed alone."""

    @property
    def by(self) -> tuple[str, ...]:
        """What the table is split by: "phase", or names of tags."""

    @property
    def merge(self) -> bool:
        """Whether the table adds the entries up."""


@lazy_dataclass(frozen=True, slots=True)
class OutputOption:
    """An option that belongs to one output; *settings* are the keyword arguments of `click.option`."""

    flag: str
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its value in `OutputValues.outputs`."""
        return self.flag.lstrip("-").replace("-", "_")


CapacityWriter = Callable[["OutputValues", "Capacity"], None]
"""Writes the result of `chaperon find`."""


@lazy_dataclass(frozen=True, slots=True)
class OutputRow:
    """One output of the command line.

    *make* returns the output for a run, or None where the options do not ask for it. *probe*
    raises OutputError where it could not be written; it is called before anything is sent.
    *write_capacity* writes the result of `chaperon find`; without it the output gets the probe that is reported, or
    every probe as it goes on if it *sends* seconds to a server.
    """

    options: tuple[OutputOption, ...]
    make: Callable[[OutputValues], Output | None]
    probe: Callable[[OutputValues], None] = lambda options: None
    write_capacity: CapacityWriter | None = None
    sends: bool = False


class VerdictOutput(Output):
    """Prints the verdict with its reasons and the warnings."""

    name = "the verdict"

    def __init__(self, *, err: bool = False) -> None:
        self._err = err

    def finish(self, report: Report) -> None:
        """Print the verdict. Raises OSError."""
        with printing(err=self._err):
            print_line(report.headline, err=self._err)
            for reason in report.reasons_below:
                print_line("  ", reason, err=self._err)
            for warning in report.warnings:
                print_line("  warning: ", warning, err=self._err)


class TableOutput(Output):
    """Prints the report as tables, as `ConsoleOutput` does, which is imported at the end of the run."""

    name = "the table"

    def __init__(self, by: Sequence[str], *, merge: bool, err: bool) -> None:
        self._by, self._merge, self._err = by, merge, err
        self._plan: PlannedRun | None = None

    def start(self, plan: PlannedRun) -> None:
        """Remember the plan."""
        self._plan = plan

    def finish(self, report: Report) -> None:
        """Print the tables. Raises OSError."""
        from chaperon.report.outputs.console import ConsoleOutput  # late: nothing is printed before the end

        console = ConsoleOutput(self._by, lambda: table_console(err=self._err), merge=self._merge)
        if self._plan is not None:
            console.start(self._plan)
        console.finish(report)


def file_output(flag: str, help: str, home: str, *, write_capacity: CapacityWriter | None = None) -> OutputRow:
    """Return the row of an output that writes one file, with an option that takes its path; - is standard output.

    *home* is MODULE:CLASS of the `FileOutput`; it is imported when the option is given.
    """
    option = OutputOption(flag, help, {"metavar": f"FILE|{STDOUT}"})

    def make(options: OutputValues) -> Output | None:
        path = options.outputs.get(option.name)
        return None if path is None else _class_of(home)(path, stdout=unfiltered_stdout)

    def probe_file(options: OutputValues) -> None:
        path = options.outputs.get(option.name)
        if path is not None:
            from chaperon.report.outputs.file_output import probe  # late: most runs write no file

            probe(path)

    return OutputRow((option,), make, probe_file, write_capacity)


def folder_output(flag: str, help: str, home: str) -> OutputRow:
    """Return the row of an output that writes files to a folder, with an option that takes its path.

    *home* is MODULE:CLASS of the output; it is imported when the option is given.
    """
    option = OutputOption(flag, help, {"metavar": "DIR"})

    def make(options: OutputValues) -> Output | None:
        path = options.outputs.get(option.name)
        return None if path is None else _class_of(home)(path)

    def probe_folder(options: OutputValues) -> None:
        path = options.outputs.get(option.name)
        if path == STDOUT:
            raise UsageError(f"{flag} writes a folder, which standard output is not: give its path")
        if path is not None:
            from chaperon.report.output_parts.output_file import probe_output_folder  # late: as above

            probe_output_folder(path)

    return OutputRow((option,), make, probe_folder)


def _class_of(home: str) -> Callable[..., Output]:
    module, _, name = home.partition(":")
    found: Callable[..., Output] = getattr(import_module(module), name)
    return found


def parse_address(text: str, flag: str) -> tuple[str, int]:
    """Return HOST:PORT as (host, port). Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{flag} {text!r} is not HOST:PORT, such as 127.0.0.1:9090")
    return host.strip("[]") or "0.0.0.0", int(port)
