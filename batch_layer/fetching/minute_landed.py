"""From landing into bronze: the minute bars of a session, validated, committed and noted.

Killed between any two writes, it does the same again the next time: what is in bronze already
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import ledger, minute
from batch_layer.bronze.daily import Changes
from batch_layer.fetching.daily_sources import FLATFILES
from batch_layer.fetching.landed import Brought, Landed, read_landed
from batch_layer.fetching.minutes import FIELDS, keep_rejected, validate_minutes
from batch_layer.vendors.flatfile_rows import minute_rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from batch_layer.fetching.landed import Reader
    from batch_layer.fetching.minutes import ValidatedMinutes
    from lake.session import SessionTable
    from lake.store import ObjectStore

KIND: Final = "minute"
READERS: Final[Mapping[str, Reader]] = {FLATFILES: minute_rows}
"""By source that sells sessions: what makes rows of a body that landed."""


@dataclass(frozen=True, slots=True)
class MinuteBringer:
    """Brings a source's answers of the whole market's minute bars into bronze.

    Attributes:
        store: The lake whose bronze it is.
        landing: The lake that they landed in.
        source: Who answered.
        table: The sessions of the exchange.
        settled: The last one whose bars may be taken.
    """

    store: ObjectStore
    landing: ObjectStore
    source: str
    table: SessionTable
    settled: dt.date

    def bring(self, answers: Sequence[Landed]) -> Brought:
        """Bring answers into bronze, one after the other: a session fills memory.

        Raises:
            ConflictError: If others kept writing the same bars.
            StoreError: If the lake cannot be written.
        """
        total = Brought()
        for each in answers:
            total += self._bring(each)
        return total

    def _bring(self, answer: Landed) -> Brought:
        judged = self._judged(answer)
        changes = minute.commit(self.store, judged.good)
        changes += self._withdraw(answer, judged)
        keep_rejected(self.store, self.source, answer.session, judged.rejected)
        entry = ledger.Entry(
            rows=answer.rows.height,
            accepted=judged.good.height,
            reasons=judged.reasons,
            landed=answer.key,
        )
        ledger.note(self.store, KIND, self.source, {answer.session: entry})
        return Brought(entry.rows, judged.rejected.height, changes)

    def _withdraw(self, new: Landed, judged: ValidatedMinutes) -> Changes:
        """Withdraw the bars of the answer before that this one does not mention any more."""
        if new.before is None:
            return Changes()
        before = read_landed(self.landing, READERS[self.source], new.session, new.before)
        gone = not_mentioned(self._judged(before), judged)
        return Changes() if gone.is_empty() else minute.withdraw(self.store, new.session, gone)

    def _judged(self, answer: Landed) -> ValidatedMinutes:
        known_from = pl.lit(answer.fetched_at, pl.Datetime("us", "UTC"))
        rows = answer.rows.with_columns(known_from=known_from)
        return judged_of(rows, self.table, self.settled)


def judged_of(rows: pl.DataFrame, table: SessionTable, settled: dt.date) -> ValidatedMinutes:
    """Return the good and the bad of rows.

    Args:
        rows: `symbol`, `start`, values, `known_from`; `vwap` where the source tells it.
        table: The sessions of the exchange.
        settled: The last one whose bars may be taken.
    """
    if "vwap" not in rows.columns:
        rows = rows.with_columns(vwap=pl.lit(None, pl.Float64()))
    return validate_minutes(rows.select(FIELDS).to_arrow(), table=table, last_closed=settled)


def not_mentioned(old: ValidatedMinutes, new: ValidatedMinutes) -> pl.DataFrame:
    """Return the (symbol, start) of good bars that newer rows do not mention, good or bad."""
    had = old.good.select(minute.KEY)
    # One whose row breaks a rule is not gone.
    mentioned = pl.concat([new.good.select(minute.KEY), new.rejected.select(minute.KEY)])
    return had.join(mentioned, on=minute.KEY, how="anti")
