"""The parser of limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NoReturn

from chaperon.clock import LASTING, seconds
from chaperon.errors import LimitError, PlanError
from chaperon.measure.plain_text import WORDS, encodable
from chaperon.report.limits.limits import TIMED, Limit
from chaperon.report.limits.selection import Selection, readings
from chaperon.report.limits.units import BARE, ambiguity, is_timed_name

_WHAT = re.compile(r"p\d+(?:\.\d+)?|min|mean|max|rate|count|errors|last")
_OP = re.compile(r"<=|>=|==|<|>")
_VALUE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|/s|/m|us|ms|s|m|h)?(?![\w.])")
_SPAN = re.compile(r"(?:\d+(?:\.\d*)?(?:us|ms|s|m|h|d)?)+(?![\w.])")
_WORD = re.compile(r"(?:over|during|abort)\b")
_AFTER = re.compile(r"after\b")
_PHASE = re.compile(r".+?(?=\s+(?:over|abort)\b|\s*$)")


def parse(text: str) -> Limit:
    """Return the limit in a text such as "p95(GET /) < 300ms" or "errors < 1%".

    Raises LimitError, whose message points at the character where parsing failed.
    """
    return _Reader(encodable(text, 10 * WORDS)).limit()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def limit(self) -> Limit:
        clock = self._clock()
        population = self._population()
        what = self._what()
        if population != "good":
            if clock == "response":
                self._refuse("a sample in error has no response time: leave out response", 0)
            if what not in TIMED and what[0] != "p":
                self._refuse(f"{what} is no time: {population} is written before a percentile, min, mean or max", 0)
        selections = self._selections()
        op = self._match(_OP, "a comparison: < <= > >= ==").group()
        start = self.at
        found = self._match(_VALUE, "a number, such as 300ms, 1% or 100/s")
        value, share = self._number(found, what, start)
        unit = found.group(2) or ""
        if not unit and value >= BARE and (what in TIMED or what[0] == "p") and _only_timed(selections):
            self._refuse(ambiguity(found.group(1)), start)
        over, during, abort, after = self._when()
        if self.at < len(self.text):
            self._refuse("unexpected text after the limit")
        fitting = [each for each in selections if each.error is None or what in ("errors", "count", "rate")]
        if not fitting:
            self._refuse("only errors, count and rate can select an error class", 0)
        kept = [each for each in fitting if each.error is None or not (each.tags or during is not None)]
        if fitting[-1].error is not None and (during is not None or fitting[-1].tags):
            self._refuse("an error class cannot be combined with tags or with during: leave one of them out", 0)
        if over is not None and during is not None:
            self._refuse("over and during cannot be combined: leave one of them out", 0)
        if abort and over is None and what in ("count", "errors") and not share and op in (">", ">=", "=="):
            self._refuse(f"{what} grows until the end of the run, so it cannot abort it earlier: use rate, or over", 0)
        return Limit(
            self.text,
            what,
            op,
            value,
            share,
            clock,
            population,
            kept[-1],
            tuple(kept),
            over,
            during,
            abort,
            after,
            unit,
        )

    def _when(self) -> tuple[float | None, str | None, bool, float | None]:
        """Parse what follows the value: over a span, during a phase, abort after a span; each at most once."""
        over, during, abort, after = None, None, False, None
        self._space()
        while (found := _WORD.match(self.text, self.at)) is not None:
            start, self.at = self.at, found.end()
            match found.group():
                case "over" if over is None:
                    over = self._span("a span, such as 30s")
                    if over < 1.0:
                        self._refuse("limits are evaluated once a second: write at least over 1s", start)
                case "during" if during is None:
                    during = self._match(_PHASE, "a phase, such as steady").group().strip()
                case "abort" if not abort:
                    abort = True
                    self._space()
                    if (word := _AFTER.match(self.text, self.at)) is not None:
                        self.at = word.end()
                        after = self._span("a span, such as 10s")
                case repeated:
                    self._refuse(f"{repeated} is given twice", start)
            self._space()
        return over, during, abort, after

    def _span(self, wanted: str) -> float:
        start = self._space()
        try:
            return seconds(self._match(_SPAN, wanted).group(), most=LASTING)
        except PlanError as exc:
            self._refuse(str(exc), start)

    def _clock(self) -> Literal["service", "response"] | None:
        self._space()
        clocks: tuple[Literal["service", "response"], ...] = ("service", "response")
        for clock in clocks:
            if self.text.startswith(clock + " ", self.at):
                self.at += len(clock)
                return clock
        return None

    def _population(self) -> Literal["good", "bad", "all"]:
        self._space()
        populations: tuple[Literal["bad", "all"], ...] = ("bad", "all")
        for population in populations:
            if self.text.startswith(population + " ", self.at):
                self.at += len(population)
                return population
        return "good"

    def _what(self) -> str:
        start = self._space()
        what = self._match(_WHAT, "p95 or another percentile, min, mean, max, rate, count, errors or last").group()
        if what[0] == "p" and not 0 < float(what[1:]) <= 100:
            self._refuse("a percentile lies between 0 and 100", start)
        return what

    def _selections(self) -> list[Selection]:
        """Parse the series in brackets, or tags alone; return its interpretations, the most literal first."""
        start = self._space()
        opening = self.text[start : start + 1]
        if opening == "{":
            end = self.text.find("}", start) + 1
            found = readings(self.text[start:end]) if end else []
            found = [each for each in found if each.series is None]
        elif opening == "(":
            end = self.text.rfind(")") + 1
            if not end:
                self._refuse("this bracket is not closed", start)
            found = readings(self.text[start + 1 : end - 1])
        else:
            return [Selection()]
        if not found:
            self._refuse("a series is missing here, as in p95(GET /)", start + 1)
        self.at = end
        return found

    def _number(self, found: re.Match[str], what: str, start: int) -> tuple[float, bool]:
        number, unit = float(found.group(1)), found.group(2)
        timed = what in TIMED or what[0] == "p"
        if unit is None:
            if what in ("errors", "count") and not number.is_integer():
                self._refuse(f"{what} is a whole number or a share: write {100 * number:g}%", start)
            return number, False
        if unit == "%":
            if what not in ("errors", "count"):
                self._refuse(f"{what} is not a share: write it without %", start)
            if number > 100:
                self._refuse("a share is at most 100%, so that this limit could only hold, or only break", start)
            return number / 100, True
        if unit in ("/s", "/m"):
            if what != "rate":
                self._refuse(f"{what} is not a rate: write it without {unit}", start)
            return number / (60.0 if unit == "/m" else 1.0), False
        if not timed and what != "last":
            self._refuse(f"{what} is not a time: write it without {unit}", start)
        try:
            return seconds(found.group(1) + unit), False
        except PlanError as exc:
            self._refuse(str(exc), start)

    def _space(self) -> int:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at

    def _match(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        self._space()
        found = pattern.match(self.text, self.at)
        if found is None:
            self._refuse(f"expected {wanted}")
        self.at = found.end()
        return found

    def _refuse(self, why: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        raise LimitError(f"limit, character {place + 1}: {why}\n  {self.text}\n  {' ' * place}^")


def _only_timed(selections: Sequence[Selection]) -> bool:
    """Return whether the series of a limit, by any reading, can only have times."""
    groups = [each for each in selections if each.series is None]
    return any(each.kind != "check" for each in groups) or is_timed_name(selections[0].series)
