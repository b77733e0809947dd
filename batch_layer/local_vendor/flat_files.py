"""Massive's flat files: a session's aggregates as one CSV.gz, and under which keys they are.

Source: https://massive.com/docs/flat-files/stocks/day-aggregates and .../minute-aggregates.
`window_start` is in ns: of a day's bar, midnight at the exchange.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from batch_layer.local_vendor.aggregates import whole_numbers
from batch_layer.local_vendor.hours import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["day", "minute"]
KINDS: Final[tuple[Kind, ...]] = ("day", "minute")
BUCKET: Final = "flatfiles"
HEADER: Final = (
    "ticker",
    "volume",
    "open",
    "close",
    "high",
    "low",
    "window_start",
    "transactions",
)
_PREFIX: Final = "us_stocks_sip"
_KEY: Final = re.compile(
    rf"{_PREFIX}/(day|minute)_aggs_v1/\d{{4}}/\d\d/(\d{{4}}-\d\d-\d\d)\.csv\.gz"
)
_LEVEL: Final = 1
"""Of gzip: five times as fast as the usual one, for files larger by an eighth."""
_KEPT_BYTES: Final = 64 << 20
_NS_PER_MS: Final = 1_000_000


def key_of(kind: Kind, session: dt.date) -> str:
    """Return the key of a session's file."""
    return f"{_PREFIX}/{kind}_aggs_v1/{session:%Y/%m}/{session}.csv.gz"


def parse_key(key: str) -> tuple[Kind, dt.date] | None:
    """Return of which kind and session a key is; None where it is no flat file's."""
    match = _KEY.fullmatch(key)
    if not match:
        return None
    kind: Kind = "day" if match[1] == "day" else "minute"
    try:
        session = dt.date.fromisoformat(match[2])
    except ValueError:
        return None
    return (kind, session) if key == key_of(kind, session) else None


@dataclass(frozen=True, slots=True)
class File:
    """One flat file: what is told of it in listings.

    Attributes:
        size: In bytes.
        etag: Its MD5, in quotation marks.
        modified: When it was published: 11:00 at UTC-4 of the day after; a day later each time
            that it was published again.
    """

    size: int
    etag: str
    modified: dt.datetime


class FlatFiles:
    """The files, made when they are asked for; the last ones are kept.

    Args:
        frame_of: Returns the rows of a kind and session: columns `HEADER`, in order of ticker.
        edition_of: Returns how often a session was published again.
    """

    def __init__(
        self,
        frame_of: Callable[[Kind, dt.date], pl.DataFrame],
        edition_of: Callable[[dt.date], int],
    ) -> None:
        self._frame_of = frame_of
        self._edition_of = edition_of
        self._lock = threading.Lock()
        self._told: dict[tuple[Kind, dt.date, int], File] = {}
        self._bodies: OrderedDict[tuple[Kind, dt.date, int], bytes] = OrderedDict()

    def body(self, kind: Kind, session: dt.date) -> bytes:
        """Return a file's bytes: the same each time."""
        which = (kind, session, self._edition_of(session))
        with self._lock:
            if which in self._bodies:
                self._bodies.move_to_end(which)
                return self._bodies[which]
        text = self._frame_of(kind, session).select(HEADER).write_csv()
        data = gzip.compress(text.encode(), _LEVEL, mtime=0)
        published = dt.datetime.combine(session, dt.time(15), tzinfo=dt.UTC)
        told = File(
            size=len(data),
            etag=f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"',
            modified=published + dt.timedelta(days=1 + which[2]),
        )
        self._keep(which, data, told)
        return data

    def told(self, kind: Kind, session: dt.date) -> File:
        """Return what is told of a file; it is made for that, once."""
        which = (kind, session, self._edition_of(session))
        if which not in self._told:
            self.body(kind, session)
        return self._told[which]

    def _keep(self, which: tuple[Kind, dt.date, int], data: bytes, told: File) -> None:
        with self._lock:
            self._told[which] = told
            self._bodies[which] = data
            kept = sum(map(len, self._bodies.values()))
            while kept > _KEPT_BYTES and len(self._bodies) > 1:
                kept -= len(self._bodies.popitem(last=False)[1])


def day_rows(session: dt.date, day: pl.DataFrame) -> pl.DataFrame:
    """Return a session's daily bars as the rows of its file."""
    return _rows(day.with_columns(start=pl.lit(milliseconds(session))))


def minute_rows(minutes: pl.DataFrame) -> pl.DataFrame:
    """Return a session's minute bars, which have a `start` in ms, as the rows of its file."""
    return _rows(minutes)


def _rows(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select(
        pl.col("symbol").alias("ticker"),
        whole_numbers(bars).alias("volume"),
        *("open", "close", "high", "low"),
        (pl.col("start") * _NS_PER_MS).alias("window_start"),
        pl.col("trades").alias("transactions"),
    )
