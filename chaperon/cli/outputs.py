"""The outputs of the command line: the table `OUTPUTS`, one row an output, with its options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
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

    @property
    def merge(self) -> bool:
        """Whether the table adds the entries up."""


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


CapacityWriter = Callable[["OutputValues", "Capacity"], None]
"""Writes the result of `chaperon find`."""


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
    write_capacity: CapacityWriter | None = None


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
    """Prints the verdict with its reasons and the warnings."""

    name = "the verdict"

    def __init__(self, *, err: bool = False) -> None:
        self._err = err

    def finish(self, report: Report) -> None:
        """Print the verdict. Raises OSError."""
        with printing(err=self._err):
            print_line(report.verdict.value, err=self._err)
            for reason in report.reasons:
                print_line("  ", reason, err=self._err)
            for warning in report.warnings:
                print_line("  warning: ", warning, err=self._err)


def file_output(flag: str, help: str, home: str, *, write_capacity: CapacityWriter | None = None) -> OutputRow:
    """Return the row of an output that writes one file, with an option that takes its path; - is standard output.

    *home* is MODULE:CLASS of the `FileOutput`; it is imported when the option is given.
    """
    option = OutputOption(flag, help, {"metavar": f"FILE|{STDOUT}"})

    def make(options: OutputValues) -> Output | None:
        path = options.outputs.get(option.name)
        if path is None:
            return None
        module, _, name = home.partition(":")
        made: Output = getattr(import_module(module), name)(path, stdout=unfiltered_stdout)
        return made

    def probe_file(options: OutputValues) -> None:
        from chaperon.report.outputs.file_output import probe  # late: --version and --help need no report

        path = options.outputs.get(option.name)
        if path is not None:
            probe(path)

    return OutputRow((option,), make, probe_file, write_capacity)


def _write_json_capacity(options: OutputValues, capacity: Capacity) -> None:
    from chaperon.report.outputs.json import write_plain  # late: as above

    path = options.outputs.get("json")
    if path is not None:
        write_plain(capacity.as_dict(), path, stdout=unfiltered_stdout)


def _make_console(options: OutputValues) -> Output:
    from chaperon.report.outputs.console import ConsoleOutput  # late: as above

    err = prints_elsewhere(options)
    return (
        VerdictOutput(err=err)
        if options.quiet
        else ConsoleOutput(options.by, lambda: table_console(err=err), merge=options.merge)
    )


def _print_capacity(options: OutputValues, capacity: Capacity) -> None:
    from chaperon.report.capacity import heading  # late: as above

    err = prints_elsewhere(options)
    curve = [] if options.quiet else [heading(), *capacity.lines(), ""]
    with printing(err=err):
        for line in (*curve, capacity.said):
            print_line(line, err=err)


def _make_csv(options: OutputValues) -> Output | None:
    from chaperon.report.outputs.csv import CsvOutput  # late: as above

    folder = options.outputs.get("csv")
    return None if folder is None else CsvOutput(folder)


def _probe_csv(options: OutputValues) -> None:
    from chaperon.report.outputs.output_file import probe_output  # late: as above

    folder = options.outputs.get("csv")
    if folder is not None:
        probe_output(Path(folder) / "series.csv" if Path(folder).is_dir() else folder)


def _make_github(options: OutputValues) -> Output | None:
    if not (options.outputs.get("github") or os.environ.get("GITHUB_ACTIONS")):
        return None
    from chaperon.report.outputs.github import GitHubOutput, in_github_actions  # late: as above

    if not (options.outputs.get("github") or in_github_actions(os.environ)):
        return None
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


def _make_samples(options: OutputValues) -> Output | None:
    if (path := options.outputs.get("samples")) is None:
        return None
    from chaperon.cli.terminal.streams import print_warning  # late: as above
    from chaperon.report.samples.samples_output import SamplesOutput

    return SamplesOutput(path, say=print_warning)


def _probe_samples(options: OutputValues) -> None:
    from chaperon.report.outputs.output_file import probe_output  # late: as above

    if (path := options.outputs.get("samples")) is not None:
        probe_output(path)


OUTPUTS = (
    file_output(
        "--json",
        "Write the report to this file, as JSON; - is standard output.",
        "chaperon.report.outputs.json:JsonOutput",
        write_capacity=_write_json_capacity,
    ),
    file_output(
        "--junit",
        "Write limits, checks and the run's validity as JUnit XML.",
        "chaperon.report.outputs.junit:JUnitOutput",
    ),
    OutputRow(
        (OutputOption("--csv", "Write series, seconds and errors as CSV files to this folder.", {"metavar": "DIR"}),),
        _make_csv,
        _probe_csv,
    ),
    OutputRow(
        (
            OutputOption(
                "--samples", "Write every sample to FILE.csv or FILE.csv.gz, at most 1 GiB.", {"metavar": "FILE"}
            ),
        ),
        _make_samples,
        _probe_samples,
    ),
    file_output(
        "--markdown", "Write the report to this file as Markdown.", "chaperon.report.outputs.markdown:MarkdownOutput"
    ),
    file_output(
        "--html", "Write a page with charts and tables to this file.", "chaperon.report.outputs.html:HtmlOutput"
    ),
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
