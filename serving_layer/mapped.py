"""Silver mapped into memory: local copies of its partitions, from which warm reads are instant.

A copy is of one partition as of one fingerprint: once silver has moved on, it does not count any
more. It is derived, may be deleted at any time, and is never the truth. The processes of a machine
share the copies, and the pages of them that any has touched.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.errors import StoreError
from lake.parquet import decode
from lake.ranges import rows_of
from lake.schemas import BARS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lake.store import ObjectStore

Rows: TypeAlias = NDArray[np.int64]
_NONE: Final = (0, 0)
_ABANDONED_AFTER_S: Final = 3600.0
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class MappedPartition:
    """One partition, its bars in order of listing and start.

    Attributes:
        bars: Schema `BARS`.
        start: Of each bar, in days since 1970.
        spans: The first bar of each listing, and the one behind its last.
    """

    bars: pa.RecordBatch
    start: NDArray[np.int32]
    spans: Mapping[str, tuple[int, int]]

    def of_one(self, listing: str, first: dt.date | None, last: dt.date | None) -> pa.RecordBatch:
        """Return the bars of a listing that start in [first, last]."""
        begin, end = self.spans.get(listing, _NONE)
        start = self.start[begin:end]
        if last is not None:
            end = begin + int(np.searchsorted(start, _day(last), "right"))
        if first is not None:
            begin += int(np.searchsorted(start, _day(first)))
        return self.bars.slice(begin, max(end - begin, 0))

    def of_many(self, listings: Sequence[str], first: dt.date | None, last: dt.date | None) -> Rows:
        """Return which bars are of some listings, in their order, and start in [first, last]."""
        spans = np.array([self.spans.get(listing, _NONE) for listing in listings], np.int64)
        rows = rows_of(spans[:, 0], spans[:, 1])
        kept: Rows = rows[_between(self.start[rows], first, last)]
        return kept

    def of_all(self, first: dt.date | None, last: dt.date | None) -> Rows:
        """Return which bars start in [first, last]."""
        return np.flatnonzero(_between(self.start, first, last))


def select(
    partitions: Sequence[MappedPartition],
    listings: Sequence[str] | None,
    first: dt.date | None,
    last: dt.date | None,
) -> pa.Table:
    """Return the bars of some listings (None: of all) that start in [first, last].

    Args:
        partitions: Of one interval, in order of time.
        listings: Each once.
        first: First `start`, inclusive; None: from the beginning.
        last: Last `start`, inclusive; None: to the end.

    Returns:
        Schema `BARS`, in the order of the listings (of all: of their ids) and of start.
    """
    if listings is not None and len(listings) == 1:
        pieces = [part.of_one(listings[0], first, last) for part in partitions]
        return pa.Table.from_batches(pieces, BARS).combine_chunks()
    chosen = [
        part.of_all(first, last) if listings is None else part.of_many(listings, first, last)
        for part in partitions
    ]
    pieces = [part.bars.take(rows) for part, rows in zip(partitions, chosen, strict=True)]
    found = pa.Table.from_batches(pieces, BARS)
    return found if len(pieces) == 1 else _by_listing(found, listings)


def _by_listing(bars: pa.Table, listings: Sequence[str] | None) -> pa.Table:
    """Return bars, which are in order of listing a partition, in that order over all of them."""
    bars = bars.combine_chunks()
    if not bars.num_rows:
        return bars
    runs = pc.run_end_encode(bars["listing"].chunk(0))
    ends = runs.run_ends.to_numpy()
    rank = (
        pc.rank(runs.values, tiebreaker="dense")
        if listings is None
        else pc.index_in(runs.values, pa.array(listings))
    ).to_numpy()
    begin = np.append(0, ends[:-1])
    order = np.argsort(rank, kind="stable")
    return bars.take(rows_of(begin[order], ends[order]))


def _day(date: dt.date) -> np.int32:
    return np.int32(date.toordinal() - _EPOCH_DAY)


def _between(
    start: NDArray[np.int32], first: dt.date | None, last: dt.date | None
) -> NDArray[np.bool_]:
    kept = np.ones(len(start), np.bool_)
    if first is not None:
        kept &= start >= _day(first)
    if last is not None:
        kept &= start <= _day(last)
    return kept


class MappedSilver:
    """The local copies of one lake's silver.

    Args:
        store: The lake.
        folder: Where the copies of all lakes are.
    """

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        root = store.uri("")
        place = root if "://" in root else str(Path(root).resolve())
        # Copies of another schema are those of another lake.
        self._folder = folder / _short(f"{place} {BARS}")
        self._opened: dict[str, tuple[str, MappedPartition]] = {}

    def find(self, objects: Mapping[str, str]) -> list[MappedPartition] | None:
        """Return the copies of these objects (key: fingerprint); None where one is missing."""
        found = []
        for key, fingerprint in objects.items():
            partition = self._copy_of(key, fingerprint)
            if partition is None:
                return None
            found.append(partition)
        return found

    def has(self, key: str, fingerprint: str) -> bool:
        """Return whether there is a copy of this object, and it is whole."""
        return self._copy_of(key, fingerprint) is not None

    def copy(self, key: str) -> None:
        """Make a copy of an object as it is now; those of what it was before are removed.

        Raises:
            StoreError: If the object cannot be read, or the copy not be written.
        """
        folder = self._folder / key
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stored = self._store.get(key)
            bars = decode(stored.data, f"{key} in {self._store.location}", BARS)
            path = self._path(key, stored.fingerprint)
            _write(path, bars.combine_chunks())
            _remove_others(path)
        except OSError as error:
            fact = f"The copy in {folder} could not be written: {error.strerror or error}."
            hint = "set FIBLAKE_CACHE to another folder, or to off."
            raise StoreError(fact, hint=hint) from error

    def _copy_of(self, key: str, fingerprint: str) -> MappedPartition | None:
        opened = self._opened.get(key)
        if opened is None or opened[0] != fingerprint:
            partition = _open(self._path(key, fingerprint))
            if partition is None:
                return None
            opened = self._opened[key] = (fingerprint, partition)
        return opened[1]

    def _path(self, key: str, fingerprint: str) -> Path:
        return self._folder / key / f"{_short(fingerprint)}.arrow"


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _write(path: Path, bars: pa.Table) -> None:
    staged = path.with_name(f"{uuid.uuid4().hex}.tmp")
    with staged.open("wb") as file:
        with pa.ipc.new_file(file, BARS) as writer:
            writer.write_table(bars)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


def _remove_others(path: Path) -> None:
    """Remove other copies beside one, and what a killed process left; not what one is writing."""
    abandoned = time.time() - _ABANDONED_AFTER_S
    for other in path.parent.iterdir():
        # Another process may have it open, or have removed it.
        with suppress(OSError):
            is_copy = other.suffix == path.suffix
            if other != path and (is_copy or other.stat().st_mtime < abandoned):
                other.unlink()


def _open(path: Path) -> MappedPartition | None:
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        if file.schema != BARS or file.num_record_batches > 1:
            return None
        is_empty = file.num_record_batches == 0
        bars = pa.RecordBatch.from_pylist([], BARS) if is_empty else file.get_batch(0)
    except (pa.ArrowException, OSError):
        return None
    runs = pc.run_end_encode(bars["listing"])
    ends = runs.run_ends.to_pylist()
    begins = [0, *ends][:-1]
    spans = dict(zip(runs.values.to_pylist(), zip(begins, ends, strict=True), strict=True))
    return MappedPartition(bars, bars["start"].cast(pa.int32()).to_numpy(), spans)
