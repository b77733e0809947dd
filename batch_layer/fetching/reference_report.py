"""What came of a fetch of reference data, part by part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Missed:
    """A unit that could not be had, as a year of splits, and why."""

    unit: str
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of reference data.

    Attributes:
        what: Its name.
        asked: How many units the vendor answered, as years.
        there: How many had landed before.
        pages: In how many pages the answers came.
        rows: Rows in them; of `listings`: rows that are said.
        rejected: Rows that break a rule; of `listings`: claims that contradict others.
        changed: What is new or changed in bronze.
        failed: Units that could not be had, or not be brought.
    """

    what: str
    asked: int = 0
    there: int = 0
    pages: int = 0
    rows: int = 0
    rejected: int = 0
    changed: int = 0
    failed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """What a fetch of reference data did.

    Attributes:
        source: Who was asked.
        parts: Kind by kind.
        seconds: How long it took.
    """

    source: str
    parts: tuple[Part, ...]
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many units could not be had."""
        return sum(len(part.failed) for part in self.parts)

    @property
    def changed(self) -> int:
        """How much is new or changed in bronze."""
        return sum(part.changed for part in self.parts)
