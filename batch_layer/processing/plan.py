"""Which partitions of silver are stale.

A partition is the bars of one interval whose bucket starts in one year. It is a pure function of
its inputs: the digests of the sessions its buckets cover, the splits effective in them, the session
table's rows, the last session considered, and the resampler itself. Its checkpoint keeps the
fingerprint of those inputs and of the object that came of them. Where either differs, it is stale:
new sessions, late symbols, corrections, new splits, a killed run and a changed algorithm alike.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_layer.bronze import manifest, splits
from lake import keys
from lake.boundary import Boundary, read_boundary
from lake.documents import read_document
from lake.errors import IMPORT_HINT, DamagedObjectError, EmptyLakeError, ObjectNotFoundError
from lake.exchange import load_sessions
from lake.scan import sql
from lake.schemas import BARS
from lake.session import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from lake.interval import Interval
    from lake.session import SessionTable
    from lake.store import ObjectStore

PACKAGE: Final = "batch_layer.processing"
STATEMENTS: Final = ("daily", "bars")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a partition was last built from, and what came of it.

    Attributes:
        inputs: Fingerprint of the inputs.
        object: Fingerprint of the object.
        bars: Bars in it.
        last_start: Start of its last bucket with a bar; None where there are no bars.
        through: The last session considered.
    """

    inputs: str
    object: str
    bars: int
    last_start: str | None
    through: str


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as it should be, and as it is.

    Attributes:
        first: Ordinal of the first session its buckets cover.
        last: Ordinal of the last one that is considered.
        inputs: Fingerprint of what it is built from.
        checkpoint: What it was last built from; None where it never was.
        checkpoint_fingerprint: Of the checkpoint's object; None where there is none.
        object_fingerprint: Of the partition's object; None where there is none.
    """

    interval: Interval
    year: int
    first: int
    last: int
    inputs: str
    checkpoint: Checkpoint | None
    checkpoint_fingerprint: str | None
    object_fingerprint: str | None

    @property
    def stale(self) -> str | None:
        """Why it must be rebuilt; None where it need not."""
        if self.checkpoint is None:
            return "never built"
        if self.object_fingerprint is None:
            return "object lost"
        if self.checkpoint.object != self.object_fingerprint:
            return "object is not the one built"
        return None if self.checkpoint.inputs == self.inputs else "inputs changed"


@dataclass(frozen=True, slots=True)
class Plan:
    """The lake at one moment, as the resampler sees it.

    Attributes:
        table: The sessions.
        splits: Splits, schema `SPLITS`.
        years: The years of which bronze holds bars.
        committed: The last session that bronze has committed.
        boundary: The last session that silver has committed, as published.
        partitions: Every partition there should be, by interval and year.
    """

    table: SessionTable
    splits: pl.DataFrame
    years: frozenset[int]
    committed: dt.date
    boundary: Boundary
    partitions: tuple[Partition, ...]


def make_plan(store: ObjectStore, intervals: Sequence[Interval]) -> Plan:
    """Return what silver should be for `intervals`, and how it is.

    Raises:
        EmptyLakeError: If bronze holds no bars.
    """
    # Read in this order, a plan may take newer content for older inputs, never the reverse: at
    # worst a partition is built once more.
    boundary = _boundary_to_move(store)
    objects = store.fingerprints(keys.SILVER)
    checkpoints = store.fingerprints(keys.SILVER_CHECKPOINTS)
    digests = manifest.read(store)
    if not digests:
        fact = f"The lake {store.location} holds no daily bars."
        raise EmptyLakeError(fact, hint=IMPORT_HINT)
    table = load_sessions(store)
    known_splits = splits.read(store)
    inputs = _Inputs(table, digests, known_splits)
    partitions = tuple(
        _partition(store, interval, year, inputs, objects, checkpoints)
        for interval in intervals
        for year in inputs.years(interval)
    )
    years = frozenset(session.year for session in digests)
    return Plan(table, known_splits, years, max(digests), boundary, partitions)


class _Inputs:
    """What partitions are built from, ready to be fingerprinted."""

    def __init__(
        self, table: SessionTable, digests: manifest.Digests, known_splits: pl.DataFrame
    ) -> None:
        self._beyond = table.ordinals(max(digests), max(digests)).stop
        self._lines = {
            ordinal: f"{ordinal} {session} {text}"
            for session, text in digests.items()
            if (ordinal := table.ordinal(session)) is not None
        }
        self._splits = known_splits.select("effective", "listing", "split_from", "split_to").rows()
        self._table = table

    def years(self, interval: Interval) -> list[int]:
        """Return the years in which a bucket with committed sessions starts."""
        n = interval.sessions
        return sorted({self._table[ordinal // n * n].year for ordinal in self._lines})

    def covered(self, interval: Interval, year: int) -> range:
        """Return the ordinals that a partition's buckets cover, up to the last committed."""
        n = interval.sessions
        of_year = self._table.ordinals(dt.date(year, 1, 1), dt.date(year, 12, 31))
        first = -(-of_year.start // n) * n
        beyond = -(-of_year.stop // n) * n
        return range(first, min(beyond, self._beyond))

    def fingerprint(self, covered: range) -> str:
        """Return the fingerprint of all that a partition covering these ordinals is built from."""
        first, last = self._table[covered[0]], self._table[covered[-1]]
        lines = [_resampler_version(), f"through {last}"]
        lines += [
            self._lines.get(ordinal, f"{ordinal} {self._table[ordinal]} -") for ordinal in covered
        ]
        lines += sorted(str(split) for split in self._splits if first <= split[0] <= last)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _resampler_version() -> str:
    parts = [*(sql(PACKAGE, name) for name in STATEMENTS), str(BARS), str(EPOCH)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _partition(  # noqa: PLR0913, PLR0917 - one value each, none belongs to another
    store: ObjectStore,
    interval: Interval,
    year: int,
    inputs: _Inputs,
    objects: Mapping[str, str],
    checkpoints: Mapping[str, str],
) -> Partition:
    key = keys.silver_checkpoint(interval, year)
    covered = inputs.covered(interval, year)
    checkpoint, fingerprint = _read_checkpoint(store, key) if key in checkpoints else (None, None)
    return Partition(
        interval=interval,
        year=year,
        first=covered[0],
        last=covered[-1],
        inputs=inputs.fingerprint(covered),
        checkpoint=checkpoint,
        checkpoint_fingerprint=fingerprint,
        object_fingerprint=objects.get(keys.silver(interval, year)),
    )


def _read_checkpoint(store: ObjectStore, key: str) -> tuple[Checkpoint | None, str | None]:
    try:
        document, fingerprint = read_document(store, key)
        return Checkpoint(**document), fingerprint
    except ObjectNotFoundError:
        return None, None
    except (DamagedObjectError, TypeError):
        # Damaged, or of another version: the partition is built anew, and this replaced.
        return None, store.fingerprint(key)


def _boundary_to_move(store: ObjectStore) -> Boundary:
    try:
        return read_boundary(store)
    except DamagedObjectError:
        return Boundary(daily=None, fingerprint=store.fingerprint(keys.BOUNDARY))
