"""Marks of numbers that may be negative: a decoder refuses others below 0."""

from __future__ import annotations

from typing import Annotated

SIGNED = "signed"
"""Marks a type by `Annotated`: the numbers in it may be negative."""
Signed = Annotated[float, SIGNED]
SignedInt = Annotated[int, SIGNED]
SIGNED_METADATA = {SIGNED: True}
"""Marks a field of a dataclass by its metadata, as `SIGNED` marks a type."""
