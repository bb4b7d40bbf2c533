"""The outputs of the command line: the table `OUTPUTS`, one row an output, with its options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chaperon.cli.live_page.options import make_page, page_of, serve_metrics
from chaperon.cli.option_groups import option as group_option
from chaperon.cli.output_rows import (
    OutputOption,
    OutputRow,
    OutputValues,
    TableOutput,
    VerdictOutput,
    file_output,
    folder_output,
    parse_address,
)
from chaperon.cli.spans import SPAN
from chaperon.cli.terminal.clean_stream import clean_stream
from chaperon.cli.terminal.lines import print_line, print_notice, print_warning
from chaperon.cli.terminal.printing import printing, stdout_is_reserved, unfiltered_stdout
from chaperon.cli.terminal.sentences import print_sentence
from chaperon.report.outputs.output import Output

if TYPE_CHECKING:
    from chaperon.report.capacity import Capacity


def make_outputs(options: OutputValues) -> list[Output]:
    """Return the outputs that *options* ask for, in the order of the table."""
    return _made(OUTPUTS, options)


def outputs_of_search(options: OutputValues) -> tuple[list[Output], list[Output]]:
    """Return what `chaperon find` writes beside its result: outputs for every probe, outputs for the one reported."""
    rest = [row for row in OUTPUTS if row.write_capacity is None]
    return _made([row for row in rest if row.sends], options), _made([row for row in rest if not row.sends], options)


def _made(rows: Iterable[OutputRow], options: OutputValues) -> list[Output]:
    made = [row.make(options) for row in rows]
    found = [output for output in made if output is not None]
    if (page := page_of(found, options.outputs)) is not None:
        serve_metrics(page, found)
    return found


def probe_outputs(options: OutputValues) -> None:
    """Raise OutputError if one of the outputs that are asked for could not be written."""
    for row in OUTPUTS:
        row.probe(options)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every output to a command."""
    for option in reversed([option for row in OUTPUTS for option in row.options]):
        command = group_option("Output", option.flag, option.name, help=option.help, **option.settings)(command)
    return command


def _write_json_capacity(options: OutputValues, capacity: Capacity) -> None:
    from chaperon.report.outputs.json import write_plain  # late: as above

    path = options.outputs.get("json")
    if path is not None:
        write_plain(capacity.as_dict(), path, stdout=unfiltered_stdout)


def _make_console(options: OutputValues) -> Output:
    err = stdout_is_reserved()
    return VerdictOutput(err=err) if options.quiet else TableOutput(options.by, merge=options.merge, err=err)


def _print_capacity(options: OutputValues, capacity: Capacity) -> None:
    err = stdout_is_reserved()
    chart = capacity.lines()
    try:
        with printing(err=err):
            if not options.quiet:
                for line in chart + [""] * bool(chart):
                    print_line(line, err=err)
                if capacity.reason:
                    print_sentence("", capacity.reason, err=err)
            print_line(capacity.said, err=err)
    except OSError:
        if not err:
            with suppress(OSError):
                print_line(capacity.said, err=True)
        raise


def _make_github(options: OutputValues) -> Output | None:
    if not (options.outputs.get("github") or os.environ.get("GITHUB_ACTIONS")):
        return None
    from chaperon.report.outputs.github import GitHubOutput, in_github_actions  # late: as above

    if not (options.outputs.get("github") or in_github_actions(os.environ)):
        return None
    return GitHubOutput(clean_stream(err=stdout_is_reserved()))


def _probe_github(options: OutputValues) -> None:
    if options.outputs.get("github"):
        from chaperon.report.outputs.github import summary_path  # late: as above

        summary_path(os.environ)


def _make_prometheus(options: OutputValues) -> Output | None:
    if not (options.outputs.get("metrics") or options.outputs.get("metrics_at")):
        return None
    from chaperon.report.outputs.prometheus import PrometheusOutput  # late: as above

    host, port = parse_address(options.outputs.get("metrics_at") or "127.0.0.1:0", "--metrics-at")
    return PrometheusOutput(host, port, token=os.environ.get("CHAPERON_METRICS_TOKEN", ""), say=print_notice)


def _probe_prometheus(options: OutputValues) -> None:
    if where := options.outputs.get("metrics_at"):
        parse_address(where, "--metrics-at")


def _make_page(options: OutputValues) -> Output | None:
    return make_page(options.outputs, parse_address)


def _probe_page(options: OutputValues) -> None:
    make_page(options.outputs, parse_address)  # without a server; it raises what is wrong with the options


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


def _make_samples(options: OutputValues) -> Output | None:
    if (path := options.outputs.get("samples")) is None:
        return None
    from chaperon.report.samples.samples_output import SamplesOutput  # late: as above

    return SamplesOutput(path, say=print_warning)


def _probe_samples(options: OutputValues) -> None:
    from chaperon.report.output_parts.output_file import probe_output  # late: as above

    if (path := options.outputs.get("samples")) is not None:
        probe_output(path)


OUTPUTS = (
    folder_output(
        "--failures",
        "Write the first failing requests of each error, with their responses, to this folder.",
        "chaperon.report.exchanges.failures_output:FailuresOutput",
    ),
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
    folder_output(
        "--csv",
        "Write series, seconds and errors as CSV files to this folder.",
        "chaperon.report.outputs.csv:CsvOutput",
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
        sends=True,
    ),
    OutputRow(
        (
            OutputOption(
                "--page", "Show the run in a browser while it goes on; the URL is printed.", {"is_flag": True}
            ),
            OutputOption("--page-at", "Serve that page at this address.", {"metavar": "HOST:PORT"}),
            OutputOption(
                "--page-token",
                "The token of that page; one is made on loopback, beyond it must be given.",
                {"metavar": "TOKEN"},
            ),
            OutputOption("--browser", "Open that page in a browser.", {"is_flag": True}),
            OutputOption("--linger", "Keep that page for this span after the end.", {"type": SPAN}),
        ),
        _make_page,
        _probe_page,
        sends=True,
    ),
    OutputRow(
        (OutputOption("--otlp", "Send metrics to this OpenTelemetry collector, by OTLP.", {"metavar": "URL"}),),
        _make_otlp,
        _probe_otlp,
        sends=True,
    ),
    OutputRow(
        (OutputOption("--influx", "Send points to this write address of InfluxDB.", {"metavar": "URL"}),),
        _make_influx,
        _probe_influx,
        sends=True,
    ),
    OutputRow((), _make_console, write_capacity=_print_capacity),
)
"""In the order in which they are written; the console comes last, so that the verdict is the last line."""

OUTPUT_NAMES = tuple(option.name for row in OUTPUTS for option in row.options)
"""The options of all outputs, by parameter name."""
