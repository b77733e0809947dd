"""Import: files of daily bars, splits, dividends and listings into bronze.

All files are read and judged before a row is written, so that one that cannot be read stops the
import while the lake's bars are still as they were.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import polars as pl
import structlog

from batch_layer.bronze import actions, daily, imports, listings
from batch_layer.bronze.committed import last_committed
from batch_layer.bronze.dividends import TABLE as DIVIDENDS
from batch_layer.bronze.splits import TABLE as SPLITS
from batch_layer.bronze.year import KEY
from batch_layer.fetching.counts import files_of
from batch_layer.fetching.source_reports import keep_rejects
from batch_layer.fetching.sources import check_path, digest_of
from batch_layer.fetching.told_rows import json_rows, rows_and_gone
from batch_layer.fetching.validation import Reading, Validator
from batch_layer.landing.told import Told, land_file, land_told
from lake.clock import SetClock
from lake.exchange import ensure_sessions, last_settled, trading_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batch_layer.bronze.actions import Table
    from batch_layer.fetching.source_reports import SourceReport
    from batch_layer.fetching.validation import Validated
    from batch_layer.landing.told import Action
    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.store import ObjectStore

_log = structlog.get_logger(__name__)


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
        judged, settled = None, None
        digests: dict[Path, str] = {}
        if paths:
            judged, settled, digests = self._judge(paths, with_values=True)
        # Those that contradict each other are told before anything is kept.
        if listed is not None:
            rows, gone = rows_and_gone(listed)
            listings.check(self.store, rows, gone=gone)
        rows_told = {"splits": splits, "dividends": dividends, "listings": listed}
        at = self._land("import", settled, digests, rows_told)
        learnt = SetClock(at)
        report = ImportReport(
            listings_changed=_commit_listings(self.store, listed, learnt),
            splits_changed=_commit_actions(self.store, SPLITS, splits, learnt),
            dividends_changed=_commit_actions(self.store, DIVIDENDS, dividends, learnt),
        )
        if judged is not None:
            sources = keep_rejects(self.store, paths, judged)
            report = _with_bars(report, sources, self._commit(judged.good, at))
            imports.note(self.store, files_of(judged, paths))
        return replace(report, seconds=_since(started))

    def withdraw_files(self, paths: Sequence[Path]) -> ImportReport:
        """Withdraw the bars whose symbol and session the files name.

        Raises:
            SourceError: If a file cannot be read; nothing was withdrawn then.
            ConflictError: If other imports kept writing the same bars.
        """
        started = time.perf_counter()
        judged, settled, digests = self._judge(paths, with_values=False)
        at = self._land("withdraw", settled, digests)
        sources = keep_rejects(self.store, paths, judged)
        changes = daily.withdraw(self.store, judged.good.select(KEY), clock=SetClock(at))
        return replace(_with_bars(ImportReport(), sources, changes), seconds=_since(started))

    def _judge(
        self, paths: Sequence[Path], *, with_values: bool
    ) -> tuple[Validated, dt.date, dict[Path, str]]:
        """Return what files hold, the last session that may be taken, and the files' digests."""
        # A file that cannot be read is told before anything is made.
        validator = Validator(self.reading, with_values=with_values)
        digests: dict[Path, str] = {}
        for path in paths:
            check_path(path)
            # Before it is read: what lands later has to be what was read.
            digests.setdefault(path, digest_of(path))
            validator.add(path)
        table = self.sessions()
        settled = last_settled(table, self.clock.now(), self.settling)
        return validator.judge(table, settled), settled, digests

    def sessions(self) -> SessionTable:
        """Return the lake's session table, made or extended first where it must be."""
        return ensure_sessions(
            self.store,
            today=trading_day(self.clock.now()),
            committed=lambda: last_committed(self.store),
        )

    def _land(
        self,
        action: Action,
        settled: dt.date | None,
        digests: Mapping[Path, str],
        rows: Mapping[str, pl.DataFrame | None] = MappingProxyType({}),
    ) -> dt.datetime:
        """Keep what the lake is told, before it counts; return when it is told."""
        files = [land_file(self.store, path, digest) for path, digest in digests.items()]
        told = {name: json_rows(some) for name, some in rows.items() if some is not None}
        reading = {} if self.reading == Reading() else asdict(self.reading)
        # As late as can be: in this order all is told again, so it should be that of commits.
        at = self.clock.now()
        land_told(self.store, Told(at, action, settled, files, reading, told))
        return at

    def _commit(self, good: pl.DataFrame, at: dt.datetime) -> daily.Changes:
        years = good["session"].dt.year().n_unique()
        done = 0

        def advance(year: int) -> None:
            nonlocal done
            done += 1
            _log.info("year committed", year=year)
            self.on_progress(done, years)

        self.on_progress(0, years)
        learnt = good.with_columns(known_from=pl.lit(at, pl.Datetime("us", "UTC")))
        return daily.commit(self.store, learnt, on_year=advance)


def _commit_actions(
    store: ObjectStore, table: Table, rows: pl.DataFrame | None, learnt: Clock
) -> int:
    return 0 if rows is None else actions.commit(store, table, rows, clock=learnt)


def _commit_listings(store: ObjectStore, listed: pl.DataFrame | None, learnt: Clock) -> int:
    if listed is None:
        return 0
    rows, gone = rows_and_gone(listed)
    return listings.commit(store, rows, clock=learnt, gone=gone)


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
