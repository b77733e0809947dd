"""The manifest of bronze: a digest of each session's bars, by which silver knows what changed.

It names the symbols of each year as well: so a change of what they name finds the years it touches.

It is derived: where it is missing, or not of the objects that are there, it is made anew from them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from batch_layer.bronze.year import read_year
from lake import keys
from lake.documents import Filed, encode_document, read_document, read_documents
from lake.errors import DamagedObjectError, ObjectNotFoundError, StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from batch_layer.bronze.year import Year
    from lake.store import ObjectStore

Digests = dict[dt.date, str]
_FLOATS: Final = ("open", "high", "low", "close", "volume", "vwap")


@dataclass(frozen=True, slots=True)
class YearContent:
    """What a year holds: a digest of each session, and the symbols it ever had bars of."""

    digests: Digests
    symbols: tuple[str, ...]


def read(store: ObjectStore) -> Digests:
    """Return the digest of every session that was ever committed, in order."""
    digests: Digests = {}
    for content in read_years(store).values():
        digests |= content.digests
    return digests


def read_years(store: ObjectStore) -> dict[int, YearContent]:
    """Return what every year that was ever committed holds, in order."""
    bars = store.fingerprints(keys.DAILY)
    history = store.fingerprints(keys.DAILY_HISTORY)
    manifests = read_documents(store, keys.DAILY_MANIFESTS, keys.DAILY_MANIFESTS_INDEX)
    years = {}
    for year, key in keys.by_year(bars).items():
        filed = manifests.get(keys.daily_manifest(year))
        told = _told(filed, bars[key], history.get(keys.daily_history(year)))
        years[year] = _derive(store, year) if told is None else told
    return years


def write(store: ObjectStore, year: int, content: Year) -> YearContent:
    """Keep, and return, what the manifest tells of a year's content."""
    return _write(store, year, content, digest(content))


def rewrite(store: ObjectStore, year: int, old: Year, new: Year, revised: Year) -> YearContent:
    """Keep, and return, what it tells of a year of which some sessions were revised.

    Args:
        store: The lake.
        year: The year.
        old: What it was.
        new: What it is.
        revised: What it is in the sessions that were revised: the others keep their digests.
    """
    try:
        filed = Filed(*read_document(store, keys.daily_manifest(year)))
    except (ObjectNotFoundError, DamagedObjectError):
        filed = None
    told = _told(filed, old.bars_fingerprint, old.history_fingerprint)
    return (
        write(store, year, new)
        if told is None
        else _write(store, year, new, told.digests | digest(revised))
    )


def _write(store: ObjectStore, year: int, content: Year, digests: Digests) -> YearContent:
    symbols = _symbols(content)
    document = {
        "bars": content.bars_fingerprint,
        "history": content.history_fingerprint,
        "sessions": {session.isoformat(): text for session, text in sorted(digests.items())},
        "symbols": symbols,
    }
    store.put(keys.daily_manifest(year), encode_document(document))
    return YearContent(digests, tuple(symbols))


def digest(content: Year) -> Digests:
    """Return a digest of each session's bars and withdrawals, the same on every machine."""
    rows = pl.concat([content.bars, content.withdrawn()], how="diagonal")
    if not rows["symbol"].is_sorted():
        rows = rows.sort("symbol")
    # Sorted by symbol, and stably by session: by both, at a fraction of the time.
    rows = rows.sort("session", maintain_order=True)
    numbers = {name: rows[name].fill_null(float("nan")).to_numpy() for name in _FLOATS}
    numbers["trades"] = rows["trades"].fill_null(-1).to_numpy()
    numbers["revision"] = rows["revision"].to_numpy()
    names, ends = _lines(rows["symbol"])
    digests: Digests = {}
    start = 0
    for session, length in rows.group_by("session", maintain_order=True).len().iter_rows():
        beyond = start + length
        # The last line ends without a line break.
        state = hashlib.blake2b(names[ends[start] : ends[beyond] - 1], digest_size=16)
        for column in numbers.values():
            state.update(column[start:beyond].data)
        digests[session] = state.hexdigest()
        start = beyond
    return digests


def _lines(texts: pl.Series) -> tuple[memoryview, NDArray[np.int64]]:
    """Return texts as the bytes of lines, and where each line begins and the last one ends."""
    _, offsets, data = (texts + "\n").rechunk().to_arrow().cast(pa.large_string()).buffers()
    return memoryview(data), np.frombuffer(offsets, np.int64)


def _told(filed: Filed | None, bars: str | None, history: str | None) -> YearContent | None:
    """Return what a manifest tells; None where it is not of these objects."""
    document = filed.document if filed else None
    if document is None or (document.get("bars"), document.get("history")) != (bars, history):
        return None
    if "symbols" not in document:  # it is of an earlier version
        return None
    digests = {dt.date.fromisoformat(day): text for day, text in document["sessions"].items()}
    return YearContent(digests, tuple(document["symbols"]))


def _symbols(content: Year) -> list[str]:
    both = [content.bars["symbol"].unique(), content.history["symbol"].unique()]
    return pl.concat(both).unique().sort().to_list()


def _derive(store: ObjectStore, year: int) -> YearContent:
    content = read_year(store, year)
    with suppress(StoreError):  # a lake that may only be read can do without
        return write(store, year, content)
    return YearContent(digest(content), tuple(_symbols(content)))
