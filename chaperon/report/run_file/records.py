"""The records of a run file, one dataclass for each type of frame, and their encoding."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from chaperon.errors import RunFileError, WireError
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.encoding.strict_msgpack import pack, reader, unpack
from chaperon.measure.plain_text import excerpt
from chaperon.measure.window import VisitCounts
from chaperon.signed import SIGNED, SignedInt

SCHEMA = "chaperon-run/1"
MOST_PARTS = 1_000
"""Maximum number of windows merged in one record."""


@lazy_dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run before its load begins; the first record of every run in a file.

    *schema* is "chaperon-run/1". *started* is an ISO 8601 time, *time* the wall clock as its load
    began, in seconds since 1970. *began* is the reading of the
    monotonic clock, in seconds, that the moments in windows are relative to. *loads* are the
    loads as written, with the scenario label first, *limits* the limits as written, *rules* the validity
    rules by name, *brake* seconds, *versions* by package, *target* the base URLs, *scenario* the SHA-256 of the
    scenario's source ("" if unknown). *number* is the place of the run in its file, from 1: a search
    for a capacity has several. *strict*: errors that no limit covers are a FAIL. *independent*: the percentiles of
    limits are known by the number of samples alone, as in a search. No field holds a secret.
    """

    schema: str
    started: str
    time: float
    began: float
    environment: str
    seed: SignedInt
    loads: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    rules: dict[str, float | None]
    brake: float | None
    versions: dict[str, str] = field(default_factory=dict)
    host: str = ""
    scenario: str = ""
    target: str = ""
    number: int = 1
    strict: bool = False
    independent: bool = False


def facts_of(header: RunHeader, file: str = "", digest: str = "") -> list[tuple[str, str]]:
    """Return by what a run was made, as (name, text): machine, versions, source of the scenario, name of its *file*.

    *digest* is the SHA-256 of that file, "" if it is not known.
    """
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    source = f"SHA-256 {header.scenario[:16]}…" if header.scenario else ""
    facts = [("machine", header.host), ("versions", versions), ("scenario source", source), ("run file", file)]
    facts.append(("SHA-256 of the run file", digest))
    return [(name, text) for name, text in facts if text]


@lazy_dataclass(frozen=True, slots=True)
class WindowRecord:
    """One window of a worker, as `pack_window` encodes it, with moments relative to the run's *began*.

    *at* is the second of the run it is of.
    """

    worker: str
    at: int
    body: bytes


@lazy_dataclass(frozen=True, slots=True)
class MergedRecord:
    """Several windows of a worker as one.

    *body* has their content, *parts* the (number, second, users) of each, of at least one.
    """

    worker: str
    parts: tuple[tuple[int, int, int], ...]
    body: bytes


@lazy_dataclass(frozen=True, slots=True)
class ExtraRecord:
    """Samples that no window of the worker contains, such as visits lost with it; *body* as in `WindowRecord`."""

    worker: str
    at: int
    body: bytes


@lazy_dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker whose windows are waited for from now on."""

    worker: str


@lazy_dataclass(frozen=True, slots=True)
class WorkerLeft:
    """A worker whose windows are no longer waited for; a *lost* one has windows it never sent."""

    worker: str
    lost: bool


@lazy_dataclass(frozen=True, slots=True)
class LostVisitsRecord:
    """The number of visits without a known end because *worker* was lost, replacing any earlier number."""

    worker: str
    visits: int


@lazy_dataclass(frozen=True, slots=True)
class Correction:
    """Changes to the ledger that no window brings, by scenario label and second in which the visits were due."""

    ledger: tuple[tuple[str, int, Annotated[VisitCounts, SIGNED]], ...]


@lazy_dataclass(frozen=True, slots=True)
class Noted:
    """A note of the report, counted *times* more."""

    text: str
    times: int


@lazy_dataclass(frozen=True, slots=True)
class RunEnded:
    """Why a run ended, or is INVALID: *how* is "fault", "aborted" or "failed"."""

    how: str
    reason: str


@lazy_dataclass(frozen=True, slots=True)
class RunFooter:
    """The end of a run; the last record. *duration* is in seconds. A file without it is of an unfinished run."""

    duration: float
    verdict: str
    reasons: tuple[str, ...] = ()


Record = (
    RunHeader
    | WindowRecord
    | MergedRecord
    | ExtraRecord
    | WorkerJoined
    | WorkerLeft
    | LostVisitsRecord
    | Correction
    | Noted
    | RunEnded
    | RunFooter
)
KINDS: tuple[type[Any], ...] = (
    RunHeader, WindowRecord, MergedRecord, ExtraRecord, WorkerJoined, WorkerLeft, LostVisitsRecord, Correction, Noted,
    RunEnded, RunFooter,
)  # fmt: skip
"""The types of frames: a record's type is its place here, counted from 1."""
_NUMBER = {kind: number for number, kind in enumerate(KINDS, 1)}
_READERS = tuple(reader(kind) for kind in KINDS)


def encode(record: Record) -> tuple[int, bytes]:
    """Return the type and the payload of a record."""
    return _NUMBER[type(record)], pack(record)


def decode(kind: int, payload: bytes) -> Record:
    """Return the record of a frame. Raises RunFileError if the type is unknown or the payload not valid."""
    if not 1 <= kind <= len(KINDS):
        raise RunFileError(f"a record of the unknown type {kind}")
    try:
        values = unpack(payload)
        if kind == _NUMBER[RunHeader] and isinstance(values, tuple) and values and values[0] != SCHEMA:
            raise RunFileError(f"the schema is {excerpt(values[0], 40)}: this version of Chaperon reads {SCHEMA!r}")
        found: Record = _READERS[kind - 1](values)
    except WireError as exc:
        raise RunFileError(f"a {KINDS[kind - 1].__name__} record that is not valid: {exc}") from exc
    if isinstance(found, MergedRecord) and not 0 < len(found.parts) <= MOST_PARTS:
        raise RunFileError(f"a MergedRecord of {len(found.parts):,} windows")
    return found
