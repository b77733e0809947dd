"""From landing into bronze: answers of daily bars, validated, committed and noted in the ledger.

Killed between any two writes, it does the same again the next time: what is in bronze already
changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import structlog

from batch_layer.bronze import daily, ledger
from batch_layer.fetching.daily_sources import KIND, READERS
from batch_layer.fetching.landed import Brought, Landed, read_landed
from batch_layer.fetching.validation import Validator
from lake import keys
from lake.clock import SetClock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from batch_layer.fetching.validation import Validated
    from lake.session import SessionTable
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DailyBringer:
    """Brings a source's answers of daily bars into bronze.

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
        """Bring answers into bronze, at most one of each session.

        Raises:
            ConflictError: If others kept writing the same bars.
            StoreError: If the lake cannot be written.
        """
        if not answers:
            return Brought()
        judged = self._judge(answers)
        known = pl.DataFrame(
            {"session": [each.session for each in answers]}
            | {"known_from": [each.fetched_at for each in answers]},
            schema_overrides={"known_from": pl.Datetime("us", "UTC")},
        )
        good = judged.good.join(known, on="session", how="left")
        changes = daily.commit(self.store, good)
        for each in answers:
            changes += self._withdraw(each)
        self._keep_rejects(answers, judged)
        self._note(answers, judged)
        return Brought(sum(judged.rows.values()), judged.rejected.height, changes)

    def _judge(self, answers: Sequence[Landed]) -> Validated:
        validator = Validator()
        for each in answers:
            validator.add_rows(self._name(each.session), each.rows.to_arrow())
        return validator.judge(self.table, self.settled)

    def _name(self, session: dt.date) -> str:
        return f"{self.source} {session}"

    def _withdraw(self, new: Landed) -> daily.Changes:
        """Withdraw the bars of the answer before that this one does not mention any more."""
        if new.before is None:
            return daily.Changes()
        old = read_landed(self.landing, READERS[self.source], new.session, new.before)
        # One whose row breaks a rule is not gone: it is mentioned.
        mentioned = new.rows["symbol"].implode()
        missing = old.rows.filter(~pl.col("symbol").is_in(mentioned))
        if missing.is_empty():
            return daily.Changes()
        gone = self._judge([replace(old, rows=missing)]).good.select("symbol", "session")
        done = daily.withdraw(self.store, gone, clock=SetClock(new.fetched_at))
        return daily.Changes(withdrawn=done.withdrawn)

    def _keep_rejects(self, answers: Sequence[Landed], judged: Validated) -> None:
        if judged.rejected.is_empty():
            return
        for each in answers:
            of_session = judged.rejected.filter(pl.col("source") == self._name(each.session))
            if not of_session.is_empty():
                key = keys.session_rejects(KIND, self.source, each.session)
                self.store.put(key, of_session.drop("source").write_csv().encode())
                _log.info("rows rejected", session=str(each.session), rows=of_session.height)

    def _note(self, answers: Sequence[Landed], judged: Validated) -> None:
        reasons: dict[str, dict[str, int]] = defaultdict(dict)
        bad = judged.rejected.group_by("source", "reason").len().sort("source", "reason")
        for source, reason, count in bad.iter_rows():
            reasons[source][reason] = count
        entries = {}
        for each in answers:
            name = self._name(each.session)
            rows = judged.rows.get(name, 0)
            entries[each.session] = ledger.Entry(
                rows=rows,
                accepted=rows - sum(reasons[name].values()),
                reasons=dict(reasons[name]),
                landed=each.key,
            )
        ledger.note(self.store, KIND, self.source, entries)
