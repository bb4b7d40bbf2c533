"""The outputs of the command line: the table `OUTPUTS`, one row an output, with its options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from chaperon.cli.option_groups import option as group_option
from chaperon.cli.terminal.printing import printing, table_console, unfiltered_stdout
from chaperon.cli.terminal.streams import print_line
from chaperon.errors import UsageError
from chaperon.report.outputs.output import Output

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


@dataclass(frozen=True, slots=True)
class OutputOption:
    """An option that belongs to one output; *settings* are the keyword arguments of `click.option`."""

    flag: str
    help: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its value in `OutputValues.outputs`."""
        return self.flag.lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One output of the command line.

    *make* returns the output for a run, or None where the options do not ask for it. *probe*
    raises OutputError where it could not be written; it is called before anything is sent.
    *write_capacity* writes the result of `chaperon find`; None: the output has no part in it.
    """

    options: tuple[OutputOption, ...]
    make: Callable[[OutputValues], Output | None]
    probe: Callable[[OutputValues], None] = lambda options: None
    write_capacity: Callable[[OutputValues, Capacity], None] | None = None


def make_outputs(options: OutputValues) -> list[Output]:
    """Return the outputs that *options* ask for, in the order of the table."""
    made = [row.make(options) for row in OUTPUTS]
    return [output for output in made if output is not None]


def probe_outputs(options: OutputValues) -> None:
    """Raise OutputError if one of the outputs that are asked for could not be written."""
    for row in OUTPUTS:
        row.probe(options)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every output to a command."""
    for option in reversed([option for row in OUTPUTS for option in row.options]):
        command = group_option("Output", option.flag, option.name, help=option.help, **option.settings)(command)
    return command


def prints_elsewhere(options: OutputValues) -> bool:
    """Return whether an output has standard output for itself, so that all else goes to standard error."""
    return STDOUT in options.outputs.values()


class VerdictOutput(Output):
    """Prints the verdict with its reasons."""

    name = "the verdict"

    def __init__(self, *, err: bool = False) -> None:
        self._err = err

    def finish(self, report: Report) -> None:
        """Print the verdict. Raises OSError."""
        with printing(err=self._err):
            print_line(report.verdict.value, err=self._err)
            for reason in report.reasons:
                print_line("  ", reason, err=self._err)


def _make_json(options: OutputValues) -> Output | None:
    from chaperon.report.outputs.json import JsonOutput  # late: --version and --help need no report

    path = options.outputs.get("json")
    return None if path is None else JsonOutput(path, stdout=unfiltered_stdout)


def _probe_json(options: OutputValues) -> None:
    from chaperon.report.outputs.json import probe_json  # late: as above

    path = options.outputs.get("json")
    if path is not None:
        probe_json(path)


def _write_json_capacity(options: OutputValues, capacity: Capacity) -> None:
    from chaperon.report.outputs.json import write_plain  # late: as above

    path = options.outputs.get("json")
    if path is not None:
        write_plain(capacity.as_dict(), path, stdout=unfiltered_stdout)


def _make_console(options: OutputValues) -> Output:
    from chaperon.report.outputs.console import ConsoleOutput  # late: as above

    err = prints_elsewhere(options)
    return VerdictOutput(err=err) if options.quiet else ConsoleOutput(options.by, lambda: table_console(err=err))


def _print_capacity(options: OutputValues, capacity: Capacity) -> None:
    from chaperon.report.capacity import heading  # late: as above

    err = prints_elsewhere(options)
    curve = [] if options.quiet else [heading(), *capacity.lines(), ""]
    with printing(err=err):
        for line in (*curve, capacity.said):
            print_line(line, err=err)


def _path_row(flag: str, help: str, make: Callable[[str], Output], metavar: str = "FILE") -> OutputRow:
    """Return the row of an output that is written to one path."""
    asked = OutputOption(flag, help, {"metavar": metavar})

    def make_output(options: OutputValues) -> Output | None:
        path = options.outputs.get(asked.name)
        return None if path is None else make(path)

    def probe(options: OutputValues) -> None:
        path = options.outputs.get(asked.name)
        if path is not None:
            from chaperon.report.outputs.output_file import probe_output  # late: as above

            probe_output(Path(path) / "series.csv" if metavar == "DIR" and Path(path).is_dir() else path)

    return OutputRow((asked,), make_output, probe)


def _make_junit(path: str) -> Output:
    from chaperon.report.outputs.junit import JUnitOutput  # late: as above

    return JUnitOutput(path)


def _make_csv(folder: str) -> Output:
    from chaperon.report.outputs.csv import CsvOutput  # late: as above

    return CsvOutput(folder)


def _make_markdown(path: str) -> Output:
    from chaperon.report.outputs.markdown import MarkdownOutput  # late: as above

    return MarkdownOutput(path)


def _make_github(options: OutputValues) -> Output | None:
    within = os.environ.get("GITHUB_ACTIONS") == "true" and bool(os.environ.get("GITHUB_STEP_SUMMARY"))
    if not (options.outputs.get("github") or within):
        return None
    from chaperon.report.outputs.github import GitHubOutput  # late: as above

    return GitHubOutput(sys.stderr if prints_elsewhere(options) else sys.stdout)


def _probe_github(options: OutputValues) -> None:
    from chaperon.report.outputs.github import summary_path  # late: as above

    if options.outputs.get("github"):
        summary_path(os.environ)


def _make_prometheus(options: OutputValues) -> Output | None:
    if not (options.outputs.get("metrics") or options.outputs.get("metrics_at")):
        return None
    from chaperon.cli.terminal.streams import print_notice  # late: as above
    from chaperon.report.outputs.prometheus import PrometheusOutput

    host, port = parse_address(options.outputs.get("metrics_at") or "127.0.0.1:0", "--metrics-at")
    return PrometheusOutput(host, port, token=os.environ.get("CHAPERON_METRICS_TOKEN", ""), say=print_notice)


def _probe_prometheus(options: OutputValues) -> None:
    if where := options.outputs.get("metrics_at"):
        parse_address(where, "--metrics-at")


def _make_otlp(options: OutputValues) -> Output | None:
    if not (url := options.outputs.get("otlp")):
        return None
    from chaperon.report.outputs.otlp import OtlpOutput, parse_headers  # late: as above

    return OtlpOutput(url, headers=parse_headers(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")))


def _probe_otlp(options: OutputValues) -> None:
    if url := options.outputs.get("otlp"):
        from chaperon.report.outputs.otlp import metrics_url  # late: as above

        metrics_url(url)


def _make_influx(options: OutputValues) -> Output | None:
    if not (url := options.outputs.get("influx")):
        return None
    from chaperon.report.outputs.influx import InfluxOutput  # late: as above

    return InfluxOutput(url, token=os.environ.get("INFLUX_TOKEN", ""))


def _probe_influx(options: OutputValues) -> None:
    if url := options.outputs.get("influx"):
        from chaperon.report.outputs.influx import write_url  # late: as above

        write_url(url)


def parse_address(text: str, flag: str) -> tuple[str, int]:
    """Return HOST:PORT as (host, port). Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{flag} {text!r} is not HOST:PORT, such as 127.0.0.1:9090")
    return host.strip("[]") or "0.0.0.0", int(port)


OUTPUTS = (
    OutputRow(
        (
            OutputOption(
                "--json", "Write the report to this file, as JSON; - is standard output.", {"metavar": "FILE|-"}
            ),
        ),
        _make_json,
        _probe_json,
        _write_json_capacity,
    ),
    _path_row("--junit", "Write limits, checks and the run's validity as JUnit XML.", _make_junit),
    _path_row("--csv", "Write series, seconds and errors as CSV files to this folder.", _make_csv, "DIR"),
    _path_row("--markdown", "Write the report to this file as Markdown.", _make_markdown),
    OutputRow(
        (
            OutputOption(
                "--github",
                "Write a GitHub job summary with annotations; on by itself in GitHub Actions.",
                {"is_flag": True},
            ),
        ),
        _make_github,
        _probe_github,
    ),
    OutputRow(
        (
            OutputOption("--metrics", "Serve metrics for Prometheus on a free port.", {"is_flag": True}),
            OutputOption("--metrics-at", "Serve metrics for Prometheus at this address.", {"metavar": "HOST:PORT"}),
        ),
        _make_prometheus,
        _probe_prometheus,
    ),
    OutputRow(
        (OutputOption("--otlp", "Send metrics to this OpenTelemetry collector, by OTLP.", {"metavar": "URL"}),),
        _make_otlp,
        _probe_otlp,
    ),
    OutputRow(
        (OutputOption("--influx", "Send points to this write address of InfluxDB.", {"metavar": "URL"}),),
        _make_influx,
        _probe_influx,
    ),
    OutputRow((), _make_console, write_capacity=_print_capacity),
)
"""In the order in which they are written; the console comes last, so that the verdict is the last line."""

OUTPUT_NAMES = tuple(option.name for row in OUTPUTS for option in row.options)
"""The options of all outputs, by parameter name."""
