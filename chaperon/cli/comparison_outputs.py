"""The outputs of `chaperon compare`: the table `COMPARISON_OUTPUTS`, one row a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chaperon.cli.execute import attempt
from chaperon.cli.option_groups import option
from chaperon.cli.output_rows import STDOUT
from chaperon.cli.terminal.clean_stream import clean_stream
from chaperon.cli.terminal.printing import stdout_is_reserved, unfiltered_stdout
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.report.comparison.as_github import write_to_github
from chaperon.report.comparison.as_json import comparison_dict
from chaperon.report.comparison.as_junit import comparison_junit
from chaperon.report.comparison.as_markdown import comparison_csv, comparison_markdown
from chaperon.report.comparison.as_page import comparison_html
from chaperon.report.comparison.comparison import Comparison
from chaperon.report.outputs.file_output import probe, write_text
from chaperon.report.outputs.github import in_github_actions, summary_path
from chaperon.report.outputs.json import json_text


@lazy_dataclass(frozen=True, slots=True)
class ComparisonFile:
    """An output of one file: its option, the help of it, and the text for a comparison and a path."""

    flag: str
    help: str
    text: Callable[[Comparison, str], str]

    @property
    def name(self) -> str:
        """The parameter of the command."""
        return f"{self.flag.lstrip('-')}_path"


COMPARISON_OUTPUTS = (
    ComparisonFile(
        "--json",
        "Write the comparison as JSON; - is standard output.",
        lambda found, path: json_text(comparison_dict(found), path),
    ),
    ComparisonFile("--junit", "Write the figures that decide as JUnit XML.", lambda found, _: comparison_junit(found)),
    ComparisonFile("--csv", "Write every figure as CSV, one row a figure.", lambda found, _: comparison_csv(found)),
    ComparisonFile("--markdown", "Write the comparison as Markdown.", lambda found, _: comparison_markdown(found)),
    ComparisonFile("--html", "Write a page with all runs in its charts.", lambda found, _: comparison_html(found)),
)


def comparison_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every output to a command."""
    command = option(
        "Output",
        "--github",
        is_flag=True,
        help="Write a GitHub job summary with annotations; on by itself in GitHub Actions.",
    )(command)
    for row in reversed(COMPARISON_OUTPUTS):
        command = option("Output", row.flag, row.name, metavar=f"FILE|{STDOUT}", help=row.help)(command)
    return command


def probe_comparison_outputs(values: Mapping[str, Any]) -> None:
    """Raise OutputError if an output that *values* ask for could not be written."""
    for row in COMPARISON_OUTPUTS:
        if (path := values.get(row.name)) is not None:
            probe(path)
    if values.get("github"):
        summary_path(os.environ)


def write_comparison(found: Comparison, values: Mapping[str, Any]) -> bool:
    """Write every output that is asked for, and return whether all of them could be written; others are printed."""
    written = [
        attempt(path, partial(_write_file, row, found, path))
        for row in COMPARISON_OUTPUTS
        if (path := values.get(row.name)) is not None
    ]
    if values.get("github") or in_github_actions(os.environ):
        stream = clean_stream(err=stdout_is_reserved())
        written.append(attempt("the GitHub summary", lambda: write_to_github(found, summary_path(os.environ), stream)))
    return all(written)


def _write_file(row: ComparisonFile, found: Comparison, path: str) -> None:
    write_text(path, row.text(found, path), stdout=unfiltered_stdout)
