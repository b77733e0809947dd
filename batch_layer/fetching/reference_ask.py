"""Asking for units of reference data: several at once, each landed as it comes, misses noted."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from batch_layer import landing
from batch_layer.fetching.at_once import at_once
from batch_layer.fetching.reference_report import Missed
from batch_layer.vendors.massive_answers import results_of
from lake import keys
from lake.documents import read_document, revise_document
from lake.errors import (
    DamagedObjectError,
    FiblakeError,
    NotPublishedError,
    ObjectNotFoundError,
    VendorAnswerError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from batch_layer.landing import Answer
    from lake.documents import Document
    from lake.store import ObjectStore

# Errors that are of one unit; any other ends the fetch.
OF_A_UNIT: Final = (
    DamagedObjectError,
    NotPublishedError,
    VendorAnswerError,
    VendorRefusedError,
    VendorUnavailableError,
)
# Failures on end without a success in between, after which the vendor is given up on.
_FAILURES_MOST: Final = 5
_AHEAD: Final = 2
_UNITS: Final = "units"


class ReferenceSource(Protocol):
    """Sells reference data."""

    @property
    def calls_per_minute(self) -> float:
        """How many pages can be asked for in a minute."""
        ...

    def ask(self, kind: str, unit: str) -> Sequence[Answer]:
        """Return all pages about a unit."""
        ...

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        ...


@dataclass(slots=True)
class Asked:
    """What came of asking for units of a kind."""

    units: int = 0
    pages: int = 0
    rows: int = 0
    failed: list[Missed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks one source for units.

    Attributes:
        store: The lake that answers land in.
        name: Of the source.
        opened: Returns the source, once there is something to ask it.
        workers: How many units are asked for at once.
        on_done: Called as each is done.
    """

    store: ObjectStore
    name: str
    opened: Callable[[], ReferenceSource]
    workers: int
    on_done: Callable[[], None]

    def ask(self, units: Iterable[tuple[str, str]]) -> dict[str, Asked]:
        """Ask for units, each a kind and a unit, and land what comes; return it by kind.

        Raises:
            VendorError: If the source cannot be asked at all, or failed time and again.
            StoreError: If the lake cannot be written.
        """
        wanted = list(units)
        found = {kind: Asked() for kind, _ in wanted}
        if not wanted:
            return found
        source = self.opened()
        failures = 0
        unknown: list[tuple[str, str]] = []
        answers = at_once(
            wanted,
            partial(self._ask, source),
            workers=self.workers,
            ahead=self.workers * _AHEAD,
            stop=source.stop,
        )
        # Closed whatever ends it: else those who wait to ask would go on.
        with closing(answers):
            for kind, unit, came in answers:
                asked = found[kind]
                if isinstance(came, VendorNotFoundError):
                    unknown.append((kind, unit))
                    asked.units += 1
                elif isinstance(came, FiblakeError):
                    asked.failed.append(Missed(unit, came.fact))
                    failures += not isinstance(came, VendorRefusedError)
                    if failures >= _FAILURES_MOST:
                        raise came
                else:
                    failures = 0
                    asked.units += 1
                    asked.pages += came[0]
                    asked.rows += came[1]
                self.on_done()
        for kind in found:
            self._note_unknown(kind, [unit for other, unit in unknown if other == kind])
        return found

    def unknown(self, kind: str) -> list[str]:
        """Return the units of a kind that the source knew nothing of."""
        try:
            document, _ = read_document(self.store, keys.unknown(kind, self.name))
        except (ObjectNotFoundError, DamagedObjectError):
            return []
        return list(document.get(_UNITS, []))

    def _ask(
        self, source: ReferenceSource, wanted: tuple[str, str]
    ) -> tuple[str, str, tuple[int, int] | FiblakeError]:
        """Return kind, unit, and how many pages and rows landed, or why nothing did."""
        kind, unit = wanted
        try:
            answers = source.ask(kind, unit)
        except OF_A_UNIT as error:
            return kind, unit, error
        landing.land(self.store, self.name, kind, unit, answers)
        rows = sum(len(results_of(answer.body)) for answer in answers)
        return kind, unit, (len(answers), rows)

    def _note_unknown(self, kind: str, units: Sequence[str]) -> None:
        if not units:
            return

        def revise(old: Document | None) -> Document:
            return {_UNITS: sorted({*(old or {}).get(_UNITS, []), *units})}

        revise_document(self.store, keys.unknown(kind, self.name), revise)
