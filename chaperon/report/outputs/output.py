"""Output: what a run is written to, while it goes on and at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from chaperon.lazy_dataclass import lazy_dataclass

if TYPE_CHECKING:
    from chaperon.report.outputs.closed_second import ClosedSecond
    from chaperon.report.page.run_control import RunControl
    from chaperon.report.report import Report
    from chaperon.report.samples.observer import SampleRecord


@lazy_dataclass(frozen=True, slots=True)
class PlannedRun:
    """What an output knows of a run before it sends anything.

    *environment* is its name, *load* the loads of all entries in words, *scenarios* the labels
    of the entries, *limits* the texts of the limits, *target* the base URLs, *length* the seconds until the last load
    ends, None if that depends on the target. *facts* returns what else it was made with, as (name, text): the machine,
    versions, the run file. No text holds a secret of the run; *redact* removes them from other texts.
    *exchange_folder* is the folder to which another output writes the exchanges of errors, "" without one. *run* is
    the run itself, None where a report is made of a run file.
    """

    environment: str
    seed: int
    load: str
    scenarios: tuple[str, ...]
    limits: tuple[str, ...]
    redact: Callable[[str], str] = str
    target: str = ""
    facts: Callable[[], Sequence[tuple[str, str]]] = tuple
    exchange_folder: str = ""
    length: float | None = None
    run: RunControl | None = None


class Output(Protocol):
    """Writes a run somewhere. Subclass it, set `name`, and override what the output needs.

    An output that fails loses only itself: the run, its verdict and the other outputs go on.
    One output serves one run at a time.
    """

    name: str
    """What messages call it, such as "the table" or "InfluxDB"."""

    notices: Mapping[str, str] = {}
    """What a person should know while the run goes on, by what it is: {"page": URL}. The live view of a terminal shows
    it; set it in `start`."""

    exchange_folder: str = ""
    """The folder to which it writes the exchanges of errors, whose files the other outputs name."""

    def start(self, plan: PlannedRun) -> None:
        """Get ready; called once, before the setup of the run and before anything is sent.

        Raise OutputError where the output cannot be written, for example into a missing
        folder: the run then does not start.
        """
        return

    def second(self, second: ClosedSecond) -> None:
        """Write one second, called in their order as each is closed, some two seconds after its start.

        An output that overrides this is *live*. It is called in a greenlet of its own and may
        block it (use sockets that cooperate with gevent). If it is more than 30 seconds of the
        run behind, the oldest ones are left out; a second in which it raises is lost to it,
        too. The report's notes have the number of lost seconds.
        """
        return

    def late(self, second: ClosedSecond) -> None:
        """Add what came for a second after it was closed; *second* holds only that. As `second` otherwise."""
        return

    def sample(self, sample: SampleRecord) -> object:
        """Write one sample; called for each, within the visit that it is of.

        An output that overrides this is for runs in one process. It must return soon and must not block, because
        the load waits for it. Return `LEFT_OUT` (`chaperon.report.samples.observer`) for a sample that is left
        out: the report's notes count it. Texts may hold secrets: `PlannedRun.redact` removes them.
        """
        return None

    def finish(self, report: Report) -> None:
        """Write the report; called once, after the last second. An exception is reported, and the exit code is 1.

        It may block for at most 30 s.
        """
        return


def with_exchange_folder(plan: PlannedRun, outputs: Sequence[Output]) -> PlannedRun:
    """Return *plan* with the folder to which one of *outputs* writes the exchanges of errors."""
    folders = [output.exchange_folder for output in outputs if output.exchange_folder]
    return replace(plan, exchange_folder=folders[0]) if folders else plan


def wants_samples(output: Output) -> bool:
    """Return whether *output* wants every sample of a run."""
    return type(output).sample is not Output.sample


def is_live(output: Output) -> bool:
    """Return whether *output* wants the seconds of a run."""
    kind = type(output)
    return kind.second is not Output.second or kind.late is not Output.late
