"""`Lake`: the Python face of one lake."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import polars as pl

from batch_layer.bronze.compaction import compact
from batch_layer.fetching.importing import Importer
from batch_layer.fetching.sample import sample_file, sample_splits
from batch_layer.fetching.validation import Reading
from batch_layer.generating.generate import Generation, generate
from batch_layer.processing.resample import resample
from batch_layer.processing.status import status_of
from batch_layer.quality.quality import quality_of
from batch_layer.reconciling.reconcile import reconcile
from batch_layer.trades.build import build_trades
from fiblake.arguments import Narrowed, date_of, folder_of, parsed_date, query_of
from fiblake.backtesting import Backtesting
from fiblake.fetching import Fetching
from fiblake.frames import SYMBOLS, Bars
from fiblake.referring import Referring
from lake import keys
from lake.clock import Clock, SystemClock
from lake.interval import FIBONACCI, RESAMPLED, parse_one_of
from lake.logs import configure_logs
from lake.settings import read_settings
from lake.store import open_store
from serving_layer.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import pyarrow as pa

    from batch_layer.bronze.compaction import CompactReport
    from batch_layer.fetching.importing import ImportReport
    from batch_layer.generating.generate import GenerateReport
    from batch_layer.processing.resample import ResampleReport
    from batch_layer.processing.share import Share
    from batch_layer.processing.status import Status
    from batch_layer.quality.report import QualityReport
    from batch_layer.reconciling.reconcile import ReconcileReport
    from batch_layer.trades.build import TradesReport
    from lake.interval import Interval
    from lake.store import ObjectStore


class Lake(Fetching, Backtesting, Referring):
    """One lake: fetch or import into it, resample it, read from it.

    Args:
        location: A folder or `s3://bucket/prefix`; None: what `FIBLAKE_LAKE` says, else `data`.
        clock: Tells the present.

    Raises:
        InvalidLocationError: If `location` is neither.

    Example:
        >>> Lake("data").bars("AAPL", "13d")  # doctest: +SKIP
    """

    def __init__(self, location: str | Path | None = None, *, clock: Clock | None = None) -> None:
        self.settings = read_settings(lake=None if location is None else str(location))
        configure_logs(self.settings)
        self.clock = clock or SystemClock()
        self.store: ObjectStore = open_store(self.settings)
        self._reader: Reader | None = None

    def __repr__(self) -> str:
        return f"Lake({self.store.location!r})"

    @property
    def reader(self) -> Reader:
        """The reader behind `bars` and `symbols`."""
        cache = folder_of(self.settings.cache)
        self._reader = self._reader or Reader(self.store, self.clock, cache)
        return self._reader

    def bars(
        self,
        symbols: str | Iterable[str] | None,
        interval: str = "1d",
        **narrowed: Unpack[Narrowed],
    ) -> Bars:
        """Return bars, in order of the names asked for (of the whole market: by listing) and start.

        Args:
            symbols: One symbol or listing, or several; None: the whole market. A symbol means the
                listing that has it on `as_of`, else had it last, and so that one's whole history.
            interval: `1d`, a Fibonacci interval: `3d 5d 8d 13d 21d 34d`, or an intraday one:
                `1m 5m 15m 1h 2h 4h`.
            narrowed: What narrows the answer down, and on which basis it is: see `Narrowed`.

        Returns:
            One row a bar: listing, symbol, start, open, high, low, close, volume, vwap, trades,
            sessions, sessions_expected, through, state, revision. Of intraday bars `start` is an
            instant, UTC, and hours, minutes and minutes_expected follow.

        Raises:
            MisuseError: If the interval, a date, the instant or the adjustment is not one.
            UnknownSymbolError: If the lake has no bar of a symbol or listing, nor had one where
                `known_at` is given.
            EmptyLakeError: If the lake has no bars, none of the interval, or knew none then.
            ForgottenError: If what it knew at `known_at` is no longer kept.
            TypeError: If an argument is not one of `Narrowed`.
        """
        return Bars(self.reader.bars(query_of(symbols, interval, **narrowed)))

    def pieces(
        self,
        symbols: str | Iterable[str] | None,
        interval: str = "1d",
        **narrowed: Unpack[Narrowed],
    ) -> Iterator[pa.Table]:
        """Return bars as Arrow tables, in order of symbol and start.

        Each table has the bars of some symbols: an answer larger than memory can be worked through.
        The arguments, and the errors, are those of `bars`.
        """
        return self.reader.stream(query_of(symbols, interval, **narrowed))

    def warm(self, *intervals: str) -> int:
        """Copy silver of some intervals (by default of all) to this machine's cache.

        Bars of session intervals are then read from files mapped into memory, by all processes of
        this machine. Where silver has moved on, a copy is passed over until it is made anew.

        Returns:
            How many partitions were copied: none where all are here, or FIBLAKE_CACHE is off.

        Raises:
            InvalidIntervalError: If an interval is not a Fibonacci one.
            StoreError: If silver cannot be read, or a copy not be written.
        """
        return self.reader.warm(_intervals(intervals))

    def symbols(self, text: str = "") -> pl.DataFrame:
        """Return the symbols that contain `text`: symbol, listing, first, last, bars.

        Raises:
            EmptyLakeError: If the lake has no bars.
        """
        return pl.DataFrame(self.reader.symbols(text), schema=SYMBOLS)

    def importer(
        self,
        *,
        reading: Reading | None = None,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Importer:
        """Return what brings files into this lake."""
        return Importer(
            store=self.store,
            clock=self.clock,
            settling=dt.timedelta(minutes=self.settings.settling_minutes),
            reading=reading or Reading(),
            on_progress=on_progress,
        )

    def import_files(self, *paths: str | Path) -> ImportReport:
        """Import files of daily bars; bad rows are rejected, kept and counted.

        Raises:
            SourceError: If a file cannot be read; no row was written then.
        """
        return self.importer().import_files([Path(path) for path in paths])

    def import_sample(self) -> ImportReport:
        """Import the sample: real daily bars of five stocks, 2000 to 2013, with their splits.

        Raises:
            SourceError: If the package it comes in is not installed.
        """
        return self.importer().import_files([sample_file()], splits=sample_splits())

    def generate(
        self,
        symbols: int = 100,
        *,
        start: dt.date | str = "1962-01-02",
        end: dt.date | str = "2025-10-03",
        seed: int = 7,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> GenerateReport:
        """Fill an empty lake with a made-up market; the same arguments make the same one.

        Args:
            symbols: How many there are in all, 1 to 100,000: few at first, and ever more.
            start: The first date; 1962-01-02 or later.
            end: The last date; before today.
            seed: Not negative.
            on_progress: Called with (done, of how many) as years are committed.

        Raises:
            MisuseError: If an argument cannot be, or the lake holds other bars.
        """
        generation = Generation(symbols, parsed_date(start), parsed_date(end), seed)
        return generate(self.store, generation, clock=self.clock, on_progress=on_progress)

    def resample(
        self,
        intervals: str | Sequence[str] = (),
        *,
        force: bool = False,
        share: Share | None = None,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> ResampleReport:
        """Rebuild what is stale of the intervals named, `5m` to `34d`; of all by default.

        Args:
            intervals: One or several; none: all.
            force: Rebuild what is not stale too.
            share: Only the years of this share, as one of several workers; None: all years.
            on_progress: Called with (done, of how many) as partitions are rebuilt.

        Raises:
            InvalidIntervalError: If an interval is not one that silver holds.
            EmptyLakeError: If the lake has no daily bars and no minutes to make them of.
        """
        names = (intervals,) if isinstance(intervals, str) else intervals
        chosen = [parse_one_of(name, RESAMPLED) for name in names] or RESAMPLED
        return resample(
            self.store, intervals=chosen, force=force, share=share, on_progress=on_progress
        )

    def build_trades(
        self,
        sessions: Collection[dt.date] | None = None,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> TradesReport:
        """Make bronze of what was recorded of the live flow: trades, minutes and daily bars.

        Args:
            sessions: Only these; None: all that are settled.
            on_progress: Called with (done, of how many) as sessions are made.

        Raises:
            ConflictError: If others kept writing the same bars.
            StoreError: If the lake cannot be read or written.
        """
        settling = dt.timedelta(minutes=self.settings.settling_minutes)
        return build_trades(self.store, self.clock, settling, sessions, on_progress=on_progress)

    def reconcile(
        self,
        *,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> ReconcileReport:
        """Compare the live bars that were kept with those that batch made of the same sessions.

        Args:
            start: First session, inclusive; by default the first that the speed layer told of.
            end: Last one, inclusive.
            on_progress: Called with (done, of how many) as sessions are compared.

        Raises:
            MisuseError: If a date is not one.
            EmptyLakeError: If the lake has no sessions.
        """
        first, last = date_of(start) or dt.date.min, date_of(end) or dt.date.max
        lateness = dt.timedelta(seconds=self.settings.lateness_seconds)
        told = keys.by_session(self.store.fingerprints(keys.LIVE_BARS))
        chosen = [day for day in told if first <= day <= last]
        return reconcile(self.store, chosen, lateness=lateness, on_progress=on_progress)

    def compact(self) -> CompactReport:
        """Drop the history that is older than the setting `history_days`; unset: none of it.

        Raises:
            EmptyLakeError: If the lake has no daily bars.
            StoreError: If the history cannot be read, or others kept writing it.
        """
        days = self.settings.history_days
        horizon = None if days is None else self.clock.now() - dt.timedelta(days=days)
        return compact(self.store, horizon=horizon)

    def status(self) -> Status:
        """Return what the lake holds, and what of it is stale.

        Raises:
            EmptyLakeError: If the lake has no bars.
        """
        return status_of(self.store)

    def quality(
        self,
        *,
        source: str | None = None,
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
    ) -> QualityReport:
        """Return how much of what came in was accepted, and what is odd in the daily bars.

        Args:
            source: Count this vendor, or files of this name, alone, and look at no bars.
            start: First session looked at, inclusive; by default the first there is.
            end: Last one, inclusive.

        Raises:
            MisuseError: If a date is not one, or no such source brought anything.
            EmptyLakeError: If the lake holds no bars, and nothing was ever counted.
        """
        return quality_of(self.store, source=source, start=date_of(start), end=date_of(end))


def _intervals(names: Sequence[str]) -> list[Interval]:
    return [parse_one_of(name, FIBONACCI) for name in names] or list(FIBONACCI)
