"""The envelope of whatever is told to subscribers: alerts, tests of them, and news.

    {"id": "al_5f0c9b2e7d31.1.3", "kind": "alert", "time": "2026-01-05T15:04:05Z",
     "symbols": ["AAPL"], "title": "breakout", "text": "AAPL 13d closed 182.10 above 180.00 ...",
     "data": {"alert": "al_5f0c9b2e7d31", "revision": 1, "number": 3, "price": 182.1}}

The same id is the same notification, however often it is delivered: receivers drop what they have.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import orjson

from lake.instant import parse_instant, written

EnvelopeKind = Literal["alert", "test", "news"]
KINDS: Final[tuple[EnvelopeKind, ...]] = get_args(EnvelopeKind)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A notification.

    Attributes:
        id: Names it, for good.
        kind: What it is.
        time: When what it tells happened, UTC.
        symbols: Of which symbols; may be none.
        title: In a few words.
        text: In one line or more.
        data: What programs read, by kind.
    """

    id: str
    kind: EnvelopeKind
    time: dt.datetime
    symbols: tuple[str, ...]
    title: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def encode_envelope(envelope: Envelope) -> bytes:
    """Return an envelope as JSON."""
    return orjson.dumps(
        {
            "id": envelope.id,
            "kind": envelope.kind,
            "time": written(envelope.time),
            "symbols": list(envelope.symbols),
            "title": envelope.title,
            "text": envelope.text,
            "data": envelope.data,
        }
    )


def decode_envelope(body: str | bytes) -> Envelope:
    """Return the envelope that JSON tells, as `encode_envelope` wrote it."""
    told = orjson.loads(body)
    return Envelope(
        told["id"],
        told["kind"],
        parse_instant(told["time"]),
        tuple(told["symbols"]),
        told["title"],
        told["text"],
        told["data"],
    )
