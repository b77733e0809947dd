"""Import: files of daily bars, splits, dividends and listings into bronze.

All files are read and judged before a row is written, so that one that cannot be read stops the
import while the lake's bars are still as they were.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl
import structlog

from batch_layer.bronze import actions, daily, imports, listings
from batch_layer.bronze.committed import last_committed
from batch_layer.bronze.dividends import TABLE as DIVIDENDS
from batch_layer.bronze.splits import TABLE as SPLITS
from batch_layer.bronze.year import KEY
from batch_layer.fetching.counts import files_of
from batch_layer.fetching.sources import digest_of
from batch_layer.fetching.validation import Reading, Validator
from lake import keys
from lake.exchange import ensure_sessions, last_settled, trading_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batch_layer.bronze.actions import Table
    from batch_layer.fetching.validation import Validated
    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What came of one file.

    Attributes:
        rows: Rows it holds.
        rejected: Rows that break a rule.
        reasons: How many rows were rejected for each reason.
        rejects: The key under which they are kept; None where there are none.
        ignored_columns: Its columns that say nothing to us.
    """

    source: str
    rows: int
    rejected: int
    reasons: dict[str, int]
    rejects: str | None
    ignored_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; bars are counted once each."""

    sources: tuple[SourceReport, ...] = ()
    rows: int = 0
    rejected: int = 0
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    splits_changed: int = 0
    dividends_changed: int = 0
    listings_changed: int = 0
    seconds: float = 0.0

    @property
    def makes_silver_stale(self) -> bool:
        """Whether what silver is built from has changed."""
        bars = self.added + self.corrected + self.withdrawn
        return bool(bars + self.splits_changed + self.listings_changed)


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings files into one lake.

    Attributes:
        store: The lake.
        clock: Tells when the lake learns of a bar, and which sessions are over.
        settling: How long after its close a session's bars are taken.
        reading: How the files are to be read.
        on_progress: Called with (done, of how many) as years are committed.
    """

    store: ObjectStore
    clock: Clock
    settling: dt.timedelta = dt.timedelta()
    reading: Reading = field(default_factory=Reading)
    on_progress: Callable[[int, int], None] = lambda _done, _total: None

    def import_files(
        self,
        paths: Sequence[Path],
        *,
        splits: pl.DataFrame | None = None,
        dividends: pl.DataFrame | None = None,
        listed: pl.DataFrame | None = None,
    ) -> ImportReport:
        """Import daily bars, and splits, dividends and listings if given.

        Raises:
            SourceError: If a file cannot be read; no row was written then.
            SessionsChangedError: If the calendar library contradicts committed sessions.
            ConflictError: If other imports kept writing the same bars.
        """
        started = time.perf_counter()
        judged = self._judge(paths, with_values=True) if paths else None
        # First: those that contradict each other are told before anything is written.
        renamed = 0 if listed is None else self._commit_listings(listed)
        report = ImportReport(
            listings_changed=renamed,
            splits_changed=self._commit_actions(SPLITS, splits),
            dividends_changed=self._commit_actions(DIVIDENDS, dividends),
        )
        if judged is not None:
            sources = self._keep_rejects(paths, judged)
            report = _with_bars(report, sources, self._commit(judged.good))
            imports.note(self.store, files_of(judged, paths))
        return replace(report, seconds=_since(started))

    def withdraw_files(self, paths: Sequence[Path]) -> ImportReport:
        """Withdraw the bars whose symbol and session the files name.

        Raises:
            SourceError: If a file cannot be read; nothing was withdrawn then.
            ConflictError: If other imports kept writing the same bars.
        """
        started = time.perf_counter()
        judged = self._judge(paths, with_values=False)
        sources = self._keep_rejects(paths, judged)
        changes = daily.withdraw(self.store, judged.good.select(KEY), clock=self.clock)
        return replace(_with_bars(ImportReport(), sources, changes), seconds=_since(started))

    def _judge(self, paths: Sequence[Path], *, with_values: bool) -> Validated:
        # A file that cannot be read is told before anything is made.
        validator = Validator(self.reading, with_values=with_values)
        for path in paths:
            validator.add(path)
        table = self.sessions()
        return validator.judge(table, self._last_settled(table))

    def sessions(self) -> SessionTable:
        """Return the lake's session table, made or extended first where it must be."""
        return ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )

    def _last_settled(self, table: SessionTable) -> dt.date:
        return last_settled(table, self.clock.now(), self.settling)

    def _commit_actions(self, table: Table, rows: pl.DataFrame | None) -> int:
        return 0 if rows is None else actions.commit(self.store, table, rows, clock=self.clock)

    def _commit_listings(self, listed: pl.DataFrame) -> int:
        has_symbol = pl.col("symbol").is_not_null()
        gone = listed.filter(~has_symbol)["listing"]
        rows = listed.filter(has_symbol)
        return listings.commit(self.store, rows, clock=self.clock, gone=gone.to_list())

    def _keep_rejects(self, paths: Sequence[Path], judged: Validated) -> tuple[SourceReport, ...]:
        return tuple(self._source_report(path, judged) for path in dict.fromkeys(paths))

    def _source_report(self, path: Path, judged: Validated) -> SourceReport:
        source = str(path)
        rejected = judged.rejected.filter(pl.col("source") == source).drop("source")
        key = None
        if not rejected.is_empty():
            key = keys.rejects(path.name, digest_of(path))
            self.store.put(key, rejected.write_csv().encode())
            _log.info("rows rejected", source=source, rows=rejected.height, kept=key)
        reasons = rejected["reason"].str.replace(r"^(malformed line).*", "$1").value_counts()
        return SourceReport(
            source=source,
            rows=judged.rows.get(source, 0),
            rejected=rejected.height,
            reasons=dict(sorted(reasons.iter_rows())),
            rejects=key,
            ignored_columns=judged.ignored[source],
        )

    def _commit(self, good: pl.DataFrame) -> daily.Changes:
        years = good["session"].dt.year().n_unique()
        done = 0

        def advance(year: int) -> None:
            nonlocal done
            done += 1
            _log.info("year committed", year=year)
            self.on_progress(done, years)

        self.on_progress(0, years)
        learnt = good.with_columns(known_from=pl.lit(self.clock.now()))
        return daily.commit(self.store, learnt, on_year=advance)


def _since(started: float) -> float:
    return time.perf_counter() - started


def _with_bars(
    report: ImportReport, sources: tuple[SourceReport, ...], changes: daily.Changes
) -> ImportReport:
    return replace(
        report,
        sources=sources,
        rows=sum(source.rows for source in sources),
        rejected=sum(source.rejected for source in sources),
        added=changes.added,
        corrected=changes.corrected,
        unchanged=changes.unchanged,
        withdrawn=changes.withdrawn,
    )
