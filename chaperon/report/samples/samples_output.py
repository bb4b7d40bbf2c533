"""Every sample of a run as one line of a CSV file, compressed if its name ends with .gz."""

from __future__ import annotations

import csv
import gzip
import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from chaperon.report.output_parts.output_file import default_mode, followed, is_replaced, open_output, probe_output
from chaperon.report.outputs.csv import safe_cells
from chaperon.report.outputs.output import Output, PlannedRun
from chaperon.report.report import Report
from chaperon.report.samples.observer import LEFT_OUT, SampleRecord

MOST_BYTES = 1 << 30
"""Size of the file, in bytes on disk, beyond which no further sample is written."""
BATCH = 1_000
"""Samples that are written at once."""
LEVEL = 1
"""Of compression: the fastest, because the load waits meanwhile."""
COLUMNS = (
    "time", "worker", "scenario", "name", "kind", "phase", "tags", "took", "due", "value", "bytes", "error", "message",
    "censored", "user", "visit", "method", "url", "status",
)  # fmt: skip


class SamplesOutput(Output):
    """Writes a line for each sample to *path*, in the order in which they ended; see `SampleRecord`.

    *time* is ISO 8601 in UTC with microseconds, *tags* are "name=value" separated by ";". An unknown figure is an
    empty cell. *redact* removes the secrets of the run. Beyond *most* bytes samples are left out: the notes of
    the report have their number, and *say* is called once with a sentence.
    """

    def __init__(
        self, path: str | Path, *, most: int = MOST_BYTES, say: Callable[[str], object] = lambda text: None
    ) -> None:
        self.path = Path(path)
        self.name = str(path)
        self._most = most
        self._say = say
        self._redact: Callable[[str], str] = str
        self._rows: list[list[Any]] = []
        self._temporary = ""
        self._place: Path | None = None
        self._raw: IO[bytes] | None = None
        self._text: IO[str] | None = None
        self._full = False
        self._failure: OSError | None = None

    def start(self, plan: PlannedRun) -> None:
        """Check that the file can be written. Raises OutputError."""
        probe_output(self.path)
        self._redact = plan.redact

    def sample(self, sample: SampleRecord) -> object:
        """Write one sample, a thousand at once; return LEFT_OUT beyond the size."""
        if self._full or self._failure is not None:
            return LEFT_OUT
        redact = self._redact
        tags = ";".join(f"{name}={value}" for name, value in sample.tags)
        texts = (
            redact(text) if text else "" for text in (sample.scenario, sample.name, sample.kind, sample.phase, tags)
        )
        time = datetime.fromtimestamp(sample.time, timezone.utc).isoformat(timespec="microseconds")
        numbers = [f"{sample.took:.6f}", "" if sample.due is None else f"{sample.due:.6f}", sample.value, sample.bytes]
        failure = [redact(sample.error), redact(sample.message), int(sample.censored)] if sample.error else ["", "", 0]
        asked = [sample.user, sample.visit, sample.method, redact(sample.url) if sample.url else "", sample.status]
        self._rows.append([time, sample.worker, *texts, *numbers, *failure, *asked])
        if len(self._rows) >= BATCH:
            self._write_rows()
        return None

    def finish(self, report: Report) -> None:
        """Write what is left, and give the file its name. Raises OSError."""
        self._write_rows()
        if self._failure is None:
            try:
                self._close()
                if self._place is not None:
                    os.chmod(self._temporary, default_mode())
                    os.replace(self._temporary, self._place)
                return
            except OSError as exc:
                self._failure = exc
        if self._temporary and os.path.exists(self._temporary):
            os.unlink(self._temporary)
        raise self._failure

    def _write_rows(self) -> None:
        if self._failure is not None or (self._text is not None and not self._rows):
            return
        rows, self._rows = self._rows, []
        try:
            if self._text is None:
                self._open()
            csv.writer(self._text).writerows(map(safe_cells, rows))  # type: ignore[arg-type]
            self._full = self._raw is not None and self._raw.seekable() and self._raw.tell() >= self._most
        except OSError as exc:
            self._failure = exc
            self._say(f"samples are no longer written to {self.path}: {exc.strerror or exc}")
        else:
            if self._full:
                self._say(f"{self.path} has its full size of {self._most:,} bytes: further samples are left out")

    def _open(self) -> None:
        place = followed(self.path)
        if is_replaced(place):
            self._place = place
            handle, self._temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        else:
            handle = open_output(place, 0o600)
        self._raw = os.fdopen(handle, "wb")
        packed = self._raw
        if place.suffix == ".gz":
            packed = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=LEVEL, filename="")  # type: ignore[assignment]
        self._text = TextIOWrapper(packed, encoding="utf-8", errors="backslashreplace", newline="")
        csv.writer(self._text).writerow(COLUMNS)

    def _close(self) -> None:
        if self._text is not None and self._raw is not None:
            self._text.close()
            self._raw.close()
