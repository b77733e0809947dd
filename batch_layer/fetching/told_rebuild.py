"""What users told by commands, told again from landing: bars by year, and rows of reference data.

Files are judged as they were then, by the session that was settled then; their rejected rows and
their counts are kept again. Bars go to files by year, so that memory holds one year of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.bronze import daily, imports
from batch_layer.bronze.year import KEY
from batch_layer.fetching.counts import files_of
from batch_layer.fetching.source_reports import keep_rejects
from batch_layer.fetching.told_rows import told_rows
from batch_layer.fetching.validation import Reading, Validator
from batch_layer.generating.generate import claim_anew, market_of, market_years
from batch_layer.landing.told import SOURCE, all_told, contents, restore_file
from lake.clock import SetClock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from batch_layer.landing.told import Told
    from lake.session import SessionTable
    from lake.store import ObjectStore

FILES: Final = SOURCE
_INSTANT: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Part:
    """The bars of a year that one command told of, or withdrew, in a file of this machine's.

    Attributes:
        number: Of the command.
        at: When it was.
        is_withdrawal: Whether it withdrew them.
        path: The file: Parquet.
    """

    number: int
    at: dt.datetime
    is_withdrawal: bool
    path: Path


@dataclass(slots=True)
class Run:
    """Bars of a year that were told one after the other, and nothing else of these meanwhile.

    Attributes:
        at: When the first of them were.
        is_withdrawal: Whether they were withdrawn.
        rows: The columns of `DAILY` but `revision`; of a withdrawal symbol, session, `known_from`.
        symbols: Theirs.
        sessions: Likewise.
    """

    at: dt.datetime
    is_withdrawal: bool
    rows: list[pl.DataFrame]
    symbols: set[str] = field(default_factory=set)
    sessions: set[dt.date] = field(default_factory=set)

    @property
    def frame(self) -> pl.DataFrame:
        """All rows."""
        return pl.concat(self.rows)


@dataclass(frozen=True, slots=True)
class ToldRows:
    """Rows of reference data, and when the lake was told of them."""

    at: dt.datetime
    rows: pl.DataFrame


def lay_out(store: ObjectStore, table: SessionTable, folder: Path) -> dict[int, list[Part]]:
    """Write the bars of all that was told into files in a folder; return them by year, in order.

    Raises:
        DamagedObjectError: If landing cannot be read.
        SourceError: If a file cannot be read any more as it was.
    """
    found: defaultdict[int, list[Part]] = defaultdict(list)
    for number, told in enumerate(all_told(store)):
        for bars in _bars(store, told, table):
            known = bars.with_columns(known_from=pl.lit(told.at, _INSTANT))
            years = known.with_columns(year=pl.col("session").dt.year())
            for (year,), rows in years.partition_by(
                "year", as_dict=True, include_key=False
            ).items():
                path = folder / f"{number:08}-{year}.parquet"
                rows.write_parquet(path)
                is_withdrawal = told.action == "withdraw"
                found[year].append(Part(number, told.at, is_withdrawal, path))
    return dict(found)


def unlanded(store: ObjectStore) -> tuple[str, ...]:
    """Return the names of files that brought bars before files landed: landing has not these.

    Raises:
        StoreError: If the lake cannot be read.
    """
    landed = contents(store)
    return tuple(file.name for file in imports.read(store) if file.digest not in landed)


def runs_of(parts: Sequence[Part], others: Iterable[dt.datetime]) -> list[Run]:
    """Return a year's parts as few runs, each to be committed at once.

    Args:
        parts: In order.
        others: When others told of the year: what was told before and after is no one run.
    """
    between = sorted(others)
    runs: list[Run] = []
    for part in parts:
        rows = pl.read_parquet(part.path)
        symbols, sessions = set(rows["symbol"].unique()), set(rows["session"].unique())
        last = runs[-1] if runs else None
        if (
            last is None
            or last.is_withdrawal
            or part.is_withdrawal
            or not (last.symbols.isdisjoint(symbols) or last.sessions.isdisjoint(sessions))
            or any(last.at <= at <= part.at for at in between)
        ):
            runs.append(Run(part.at, part.is_withdrawal, [rows], symbols, sessions))
        else:
            last.rows.append(rows)
            last.symbols |= symbols
            last.sessions |= sessions
    return runs


def bring(store: ObjectStore, run: Run, sessions: Sequence[dt.date]) -> None:
    """Bring what a run tells of some sessions into bronze, as it was brought then.

    Raises:
        ConflictError: If others kept writing the same bars.
    """
    rows = run.frame.filter(pl.col("session").is_in(sessions))
    if run.is_withdrawal:
        daily.withdraw(store, rows.select(KEY), clock=SetClock(run.at))
    else:
        daily.commit(store, rows)


def reference_told(store: ObjectStore, table: SessionTable, kind: str) -> list[ToldRows]:
    """Return what was told of a kind (`splits`, `dividends`, `listings`), in order.

    Raises:
        DamagedObjectError: If landing cannot be read.
    """
    found = []
    for told in all_told(store):
        if kind in told.rows:
            found.append(ToldRows(told.at, told_rows(kind, told.rows[kind])))
        elif told.action == "generate" and kind != "listings":
            years = market_years(market_of(told.market), table)
            rows = [year.splits if kind == "splits" else year.dividends for year in years]
            found.append(ToldRows(told.at, pl.concat(rows)))
    return found


def _bars(store: ObjectStore, told: Told, table: SessionTable) -> Iterable[pl.DataFrame]:
    if told.action == "generate":
        market = market_of(told.market)
        claim_anew(store, market)
        return (year.bars for year in market_years(market, table))
    if not told.files or told.settled is None:
        return ()
    return (_judged(store, told, table, told.settled),)


def _judged(store: ObjectStore, told: Told, table: SessionTable, settled: dt.date) -> pl.DataFrame:
    is_import = told.action == "import"
    validator = Validator(Reading(**told.reading), with_values=is_import)
    with TemporaryDirectory() as folder:
        paths = []
        for number, file in enumerate(told.files):
            within = Path(folder) / str(number)  # two of one name may be there
            within.mkdir()
            paths.append(restore_file(store, file, within))
            validator.add(paths[-1])
        judged = validator.judge(table, settled)
        keep_rejects(store, paths, judged)
        if is_import:
            imports.note(store, files_of(judged, paths))
    return judged.good if is_import else judged.good.select(KEY)
