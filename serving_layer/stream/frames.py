"""What is told as JSON: prices, bars, and the frames that they come in.

Of a price or a bar the JSON is made once, however many are told of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lake.instant import from_microseconds
from lake.interval import DAILY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving_layer.stream.flow import BarRow, PriceRow

FRAME_BYTES: Final = 65_536
"""Of a client's frame at most; and of `changes`, unless one event alone is larger."""
SNAPSHOT_BYTES: Final = 524_288
"""Of a snapshot: clients commonly take up to 1 MiB. What is left comes as changes."""
_CHANGES: Final = b'{"type":"changes","events":['
_END: Final = b"]}"
_DAY: Final = str(DAILY)


def written(told: Any) -> bytes:  # noqa: ANN401 - whatever JSON can say
    """Return something as JSON; instants end in Z."""
    return orjson.dumps(told, option=orjson.OPT_UTC_Z)


def price_json(row: PriceRow) -> bytes:
    """Return a price, or that there is none any more."""
    told = {
        "symbol": row.symbol,
        "price": row.price,
        "time": from_microseconds(row.time),
        "received": from_microseconds(row.received),
        "session": row.session,
        "source": row.source,
        "version": row.version,
    }
    if row.price is None:
        told |= {"time": None, "received": None, "vanished": True}
    return written(told)


def bar_json(row: BarRow) -> bytes:
    """Return a live bar, or that there is no such bar any more."""
    told = {
        "symbol": row.symbol,
        "interval": row.interval,
        "start": row.session if row.interval == _DAY else from_microseconds(row.start),
        "open": row.open,
        "high": row.high,
        "low": row.low,
        "close": row.close,
        "volume": row.volume,
        "vwap": row.vwap,
        "trades": row.trades,
        "minutes": row.minutes,
        "sessions": 1,
        "sessions_expected": 1,
        "through": row.session,
        "state": row.state,
        "version": row.version,
    }
    if row.close is None:
        told["vanished"] = True
    return written(told)


def event_json(head: bytes, seq: int, body: bytes) -> bytes:
    """Return an event of a channel.

    Args:
        head: As `event_head` makes it.
        seq: Of this change.
        body: The price or the bar.
    """
    return b'{"channel":%b%b}' % (head % seq, body)


def event_head(channel: str, kind: str) -> bytes:
    """Return how a channel's events begin, with a place for their seq.

    Args:
        channel: Its name.
        kind: `price` or `bar`: what the event brings.
    """
    return b'%b,"seq":%%d,"%b":' % (written(channel), kind.encode())


def changes_frames(events: Iterable[bytes]) -> Iterator[bytes]:
    """Yield frames of events, or of pieces of several with commas between them, in their order."""
    waiting: list[bytes] = []
    size = len(_CHANGES) + len(_END)
    for event in events:
        if waiting and size + len(event) > FRAME_BYTES:
            yield changes_frame(waiting)
            waiting, size = [], len(_CHANGES) + len(_END)
        waiting.append(event)
        size += len(event) + 1
    if waiting:
        yield changes_frame(waiting)


def changes_frame(events: Iterable[bytes]) -> bytes:
    """Return one frame of some events."""
    return _CHANGES + b",".join(events) + _END


def pieces(events: list[bytes]) -> list[bytes]:
    """Return events with commas between them, in as many pieces as fit a frame each."""
    if sum(map(len, events)) + len(events) < FRAME_BYTES // 2:
        return [b",".join(events)]
    frames = changes_frames(events)
    return [frame[len(_CHANGES) : -len(_END)] for frame in frames]
