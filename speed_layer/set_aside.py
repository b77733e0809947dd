"""What moves no live bar is kept: late statements for the batch layer, poison and gaps for people.

An object's name is made of its content, so that what is told again is kept once where it comes in
the same company; statements that are kept twice are one to whoever reads them.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Final

import polars as pl

from lake import keys
from lake.exchange import ZONE
from lake.wire import encode_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lake.live_wire import Poison
    from lake.store import ObjectStore

_MOST: Final = 50_000


class SetAside:
    """Waits in memory until it is landed; of one thread.

    Args:
        store: The lake.
        stream: Where it came from.
    """

    def __init__(self, store: ObjectStore, stream: str) -> None:
        self._store = store
        self._stream = stream
        self._late: list[pl.DataFrame] = []
        self._rejects: list[bytes] = []

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be landed before more comes."""
        return sum(len(each) for each in self._late) + len(self._rejects) >= _MOST

    def late(self, events: pl.DataFrame) -> None:
        """Keep statements that came too late for the live bars, schema `EVENTS`."""
        if not events.is_empty():
            self._late.append(events)

    def poison(self, poison: Iterable[Poison]) -> None:
        """Keep lines that make no sense."""
        for each in poison:
            self._rejects.append(_document(reason=each.reason, **_text(each.line)))

    def gaps(self, gaps: Iterable[str]) -> None:
        """Keep what is known of what was lost."""
        self._rejects += [_document(gap=gap) for gap in gaps]

    def land(self) -> None:
        """Write what waits into the lake; after an error it waits still.

        Raises:
            StoreError: If it cannot be written.
        """
        for session, events in _by_session(self._late):
            lines = encode_events(events)
            self._put(keys.late(session, _digest(lines)), lines)
        self._late = []
        if self._rejects:
            self._put(keys.stream_rejects(self._stream, _digest(self._rejects)), self._rejects)
        self._rejects = []

    def _put(self, key: str, lines: Sequence[bytes]) -> None:
        self._store.put(key, gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))


def _by_session(frames: Sequence[pl.DataFrame]) -> Iterator[tuple[dt.date, pl.DataFrame]]:
    """Yield the events of each session: the exchange's date of their minute."""
    if not frames:
        return
    minute = pl.from_epoch("minute", time_unit="us").dt.replace_time_zone("UTC")
    session = minute.dt.convert_time_zone(ZONE.key).dt.date()
    dated = pl.concat(frames).with_columns(session.alias("session"))
    for (date,), events in dated.group_by("session", maintain_order=True):
        assert isinstance(date, dt.date)  # noqa: S101 - tells mypy what a group's key is
        yield date, events.drop("session")


def _digest(lines: Sequence[bytes]) -> str:
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def _text(line: bytes) -> dict[str, str]:
    try:
        return {"line": line.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(line).decode()}


def _document(**told: str) -> bytes:
    return json.dumps(told).encode()
