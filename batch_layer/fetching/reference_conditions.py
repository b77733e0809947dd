"""From landing into bronze: the table of trade conditions.

The last answer that can be a table is the table. One that can be none is kept under `rejects`, and
changes nothing. A table has the date of the first of the answers that went on to tell the same, so
that bronze made anew from landing is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer import landing
from batch_layer.bronze import conditions
from batch_layer.fetching.reference_bring import Brought
from batch_layer.fetching.reference_landed import CONDITIONS
from batch_layer.vendors.massive_answers import results_of
from batch_layer.vendors.massive_conditions import conditions_of
from lake import keys
from lake.errors import VendorAnswerError
from lake.exchange import trading_day

if TYPE_CHECKING:
    import datetime as dt

    from batch_layer.bronze.conditions import Condition
    from batch_layer.landing import Answer
    from lake.store import ObjectStore

UNIT: Final = "trade"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class ConditionsBrought:
    """What came of what landed.

    Attributes:
        counts: Rows of the table, those of the last answer if it was refused, and what changed.
        refused: Why the last answer is no table; None: it is one, or there is none.
    """

    counts: Brought
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionsBringer:
    """Brings a source's table of trade conditions into bronze.

    Attributes:
        store: The lake.
        source: Who answered.
    """

    store: ObjectStore
    source: str

    def landed(self) -> list[str]:
        """Return the keys of the answers, the oldest first."""
        return landing.landed(self.store, self.source, CONDITIONS).get(UNIT, [])

    def bring(self, *, anew: bool = False) -> ConditionsBrought:
        """Bring the table into bronze.

        Args:
            anew: Whether the table that is there counts for nothing, even where it tells the same.

        Raises:
            DamagedObjectError: If an answer cannot be read.
            ConflictError: If others kept writing the table.
        """
        there = [] if anew else conditions.read(self.store)
        table: list[Condition] = []
        as_of: dt.date | None = None
        refused: str | None = None
        rejected = 0
        for number, key in enumerate(reversed(self.landed())):
            answers = landing.read(self.store, key)
            try:
                told = conditions_of(answer.body for answer in answers)
            except VendorAnswerError as error:
                self._keep(key, answers, error.fact)
                if number == 0:
                    refused, rejected = error.fact, _rows(answers)
                continue
            if told == there and not table:
                return ConditionsBrought(Brought(len(told), rejected), refused)
            if table and told != table:
                break
            table, as_of = told, trading_day(answers[-1].fetched_at)
        changed = conditions.commit(self.store, table, as_of) if as_of else 0
        return ConditionsBrought(Brought(len(table), rejected, changed), refused)

    def _keep(self, key: str, answers: list[Answer], why: str) -> None:
        """Keep an answer that is no table, page by page, with the reason."""
        told = keys.landed_unit(key, keys.landing(self.source, CONDITIONS))
        unit = f"{told[1]:{_STAMP}}" if told else UNIT
        pages = [answer.body.decode(errors="replace") for answer in answers]
        frame = pl.DataFrame({"reason": [why] * len(pages), "page": pages})
        rejects = keys.reference_rejects(CONDITIONS, self.source, unit)
        self.store.put(rejects, frame.write_csv().encode())


def _rows(answers: list[Answer]) -> int:
    return sum(len(results_of(answer.body)) for answer in answers)
