"""Which partitions of silver are stale.

A partition is the bars of one interval whose bucket starts in one year. It is a pure function of
its inputs: the digests of the sessions its buckets cover, the splits effective in them, what their
symbols name, the session table's rows, the last session considered, and the resampler itself. Its
checkpoint keeps the fingerprint of those inputs and of the object that came of them. Where either
differs, it is stale: new sessions, late symbols, corrections, new splits, renamed companies, a
killed run and a changed algorithm alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from inspect import getsource
from operator import itemgetter
from typing import TYPE_CHECKING

from batch_layer.bronze import manifest, splits
from batch_layer.bronze import year as bronze_year
from batch_layer.processing import dailies, fold, shape
from batch_layer.processing.fold import PACKAGE
from batch_layer.processing.listing import silver_objects
from lake import keys, parquet
from lake import listings as lake_listings
from lake.boundary import Boundary, boundary_to_move
from lake.documents import read_documents
from lake.errors import IMPORT_HINT, EmptyLakeError
from lake.exchange import load_sessions
from lake.listings import read_listings
from lake.scan import sql
from lake.schemas import BARS
from lake.session import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from lake.documents import Document, Filed
    from lake.interval import Interval
    from lake.listings import Listings
    from lake.session import SessionTable
    from lake.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Inputs:
    """Fingerprints of all that a partition is built from.

    Attributes:
        resampler: Of the code that builds it.
        through: The last session considered.
        bars: Of the bars of the sessions that its buckets cover.
        splits: Of the splits effective in them.
        listings: Of what their symbols name.
    """

    resampler: str
    through: str
    bars: str
    splits: str
    listings: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a partition was last built from, and what came of it.

    Attributes:
        inputs: Fingerprints of the inputs.
        object: Fingerprint of the object.
        bars: Bars in it.
        last_start: Start of its last bucket with a bar; None where there are no bars.
    """

    inputs: Inputs
    object: str
    bars: int
    last_start: str | None


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as it should be, and as it is.

    Attributes:
        first: Ordinal of the first session its buckets cover.
        last: Ordinal of the last one that is considered.
        inputs: Fingerprints of what it is built from.
        checkpoint: What it was last built from; None where it never was.
        checkpoint_fingerprint: Of the checkpoint's object; None where there is none.
        object_fingerprint: Of the partition's object; None where there is none.
    """

    interval: Interval
    year: int
    first: int
    last: int
    inputs: Inputs
    checkpoint: Checkpoint | None
    checkpoint_fingerprint: str | None
    object_fingerprint: str | None

    @property
    def session(self) -> None:
        """It is of a year, and of no one session."""

    @property
    def key(self) -> str:
        """Of its object."""
        return keys.silver(self.interval, self.year)

    @property
    def stale(self) -> str | None:
        """Why it must be rebuilt; None where it need not."""
        if self.checkpoint is None:
            return "never built"
        if self.object_fingerprint is None:
            return "object lost"
        if self.checkpoint.object != self.object_fingerprint:
            return "object is not the one built"
        return self._changed(self.checkpoint.inputs)

    def _changed(self, before: Inputs) -> str | None:
        if before.resampler != self.inputs.resampler:
            return "resampler changed"
        if before.through != self.inputs.through:
            return f"sessions after {before.through}"
        changed = [
            name
            for name in ("bars", "splits", "listings")
            if getattr(before, name) != getattr(self.inputs, name)
        ]
        return f"{' and '.join(changed)} changed" if changed else None


@dataclass(frozen=True, slots=True)
class Plan:
    """The lake at one moment, as the resampler sees it.

    Attributes:
        sessions: The session table.
        splits: Splits, schema `SPLITS`, with the `listing` of each.
        listings: What symbols name.
        years: The years of which bronze holds bars.
        committed: The last session that bronze has committed.
        boundary: The last session that silver has committed, as published.
        partitions: Every partition there should be, by interval and year.
        checkpoints: All checkpoints as they were found.
    """

    sessions: SessionTable
    splits: pl.DataFrame
    listings: Listings
    years: frozenset[int]
    committed: dt.date
    boundary: Boundary
    partitions: tuple[Partition, ...]
    checkpoints: Mapping[str, Filed]


def make_plan(store: ObjectStore, intervals: Sequence[Interval]) -> Plan:
    """Return what silver should be for `intervals`, and how it is.

    Raises:
        EmptyLakeError: If bronze holds no bars.
    """
    # Read in this order, a plan may take newer content for older inputs, never the reverse: at
    # worst a partition is built once more.
    boundary = boundary_to_move(store)
    objects = silver_objects(store, intervals)
    checkpoints = read_documents(store, keys.SILVER_CHECKPOINTS, keys.SILVER_CHECKPOINTS_INDEX)
    contents = manifest.read_years(store)
    if not contents:
        fact = f"The lake {store.location} holds no daily bars."
        raise EmptyLakeError(fact, hint=IMPORT_HINT)
    sessions = load_sessions(store)
    listings = read_listings(store)
    known_splits = listings.of_actions(splits.read(store), "effective")
    bronze = _Bronze(sessions, contents, known_splits, listings)
    partitions = tuple(
        _partition(interval, year, bronze, objects, checkpoints)
        for interval in intervals
        for year in bronze.years(interval)
    )
    return Plan(
        sessions=sessions,
        splits=known_splits,
        listings=listings,
        years=frozenset(contents),
        committed=bronze.committed,
        boundary=boundary,
        partitions=partitions,
        checkpoints=checkpoints,
    )


class _Bronze:
    """What partitions are built from, ready to be fingerprinted."""

    def __init__(
        self,
        sessions: SessionTable,
        contents: Mapping[int, manifest.YearContent],
        known_splits: pl.DataFrame,
        listings: Listings,
    ) -> None:
        digests = {day: text for year in contents.values() for day, text in year.digests.items()}
        self.committed = max(digests)
        self._beyond = sessions.ordinals(self.committed, self.committed).stop
        self._lines = [
            f"{ordinal} {sessions[ordinal]} {digests.get(sessions[ordinal], '-')}"
            for ordinal in range(self._beyond)
        ]
        self._held = [ordinal for ordinal in range(self._beyond) if sessions[ordinal] in digests]
        splits_said = known_splits.select("effective", "listing", "split_from", "split_to")
        self._splits = sorted(splits_said.rows())
        self._sessions = sessions
        self._listings = {
            year: _digest([listings.within(year, content.symbols).write_csv()])
            for year, content in contents.items()
        }

    def years(self, interval: Interval) -> list[int]:
        """Return the years in which a bucket with committed sessions starts."""
        n = interval.sessions
        buckets = {ordinal // n for ordinal in self._held}
        return sorted({self._sessions[bucket * n].year for bucket in buckets})

    def covered(self, interval: Interval, year: int) -> range:
        """Return the ordinals that a partition's buckets cover, up to the last committed."""
        n = interval.sessions
        of_year = self._sessions.ordinals(dt.date(year, 1, 1), dt.date(year, 12, 31))
        first = -(-of_year.start // n) * n
        beyond = -(-of_year.stop // n) * n
        return range(first, min(beyond, self._beyond))

    def inputs(self, covered: range) -> Inputs:
        """Return the fingerprints of all that a partition covering these ordinals is built from."""
        first, last = self._sessions[covered[0]], self._sessions[covered[-1]]
        begin = bisect_left(self._splits, first, key=itemgetter(0))
        end = bisect_right(self._splits, last, key=itemgetter(0))
        return Inputs(
            resampler=resampler_version(),
            through=last.isoformat(),
            bars=_digest(self._lines[covered.start : covered.stop]),
            splits=_digest(str(split) for split in self._splits[begin:end]),
            listings=_digest(
                self._listings[year]
                for year in range(first.year, last.year + 1)
                if year in self._listings
            ),
        )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


@cache
def resampler_version() -> str:
    """Return a fingerprint of the code that makes a partition of its inputs, and of its format."""
    code = map(getsource, (dailies, fold, shape, bronze_year, parquet, lake_listings))
    return _digest([sql(PACKAGE, "fold"), *code, str(BARS), str(EPOCH)])


def _partition(
    interval: Interval,
    year: int,
    bronze: _Bronze,
    objects: Mapping[str, str],
    checkpoints: Mapping[str, Filed],
) -> Partition:
    covered = bronze.covered(interval, year)
    filed = checkpoints.get(keys.silver_checkpoint(interval, year))
    return Partition(
        interval=interval,
        year=year,
        first=covered[0],
        last=covered[-1],
        inputs=bronze.inputs(covered),
        checkpoint=_checkpoint(filed.document) if filed else None,
        checkpoint_fingerprint=filed.fingerprint if filed else None,
        object_fingerprint=objects.get(keys.silver(interval, year)),
    )


def _checkpoint(document: Document | None) -> Checkpoint | None:
    """Return what a document says; None where it is damaged, or of another version."""
    try:
        said = dict(document or {})
        return Checkpoint(**{**said, "inputs": Inputs(**said["inputs"])})
    except (KeyError, TypeError):
        return None
