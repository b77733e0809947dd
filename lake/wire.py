"""Events as lines of JSON: how they travel through a stream, and how they are recorded.

One line an event, its keys the columns of `EVENTS`; what is null may be left out.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
import polars as pl

from lake.schemas import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SCHEMA: Final = pl.Schema(EVENTS)
"""The columns of `EVENTS` as Polars has them."""
_FEW: Final = 128
_REQUIRED: Final = frozenset(field.name for field in EVENTS if not field.nullable)


def encode_events(events: pl.DataFrame) -> list[bytes]:
    """Return each event as a line, without its end.

    Args:
        events: Schema `EVENTS`.
    """
    return encode_lines(events).splitlines()


def encode_lines(events: pl.DataFrame) -> bytes:
    """Return events as lines, one behind the other, each with its end.

    Args:
        events: Schema `EVENTS`.
    """
    told = [
        column
        for column in events.get_columns()
        if column.name in _REQUIRED or column.null_count() < events.height
    ]
    if events.height <= _FEW:
        return _few_lines(told)
    lines = io.BytesIO()
    pl.DataFrame(told).write_ndjson(lines)
    return lines.getvalue()


def _few_lines(columns: Sequence[pl.Series]) -> bytes:
    """Return a few events as lines, at once: Polars would have a dozen threads take turns."""
    names = [column.name for column in columns]
    rows = zip(*(column.to_list() for column in columns), strict=True)
    lines = (dict(zip(names, row, strict=True)) for row in rows)
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def decode_events(lines: Sequence[bytes]) -> tuple[pl.DataFrame, list[bytes]]:
    """Return the events that lines tell, in order, and the lines that tell none."""
    with suppress(pl.exceptions.PolarsError):
        events = _read(lines)
        if events.height == len(lines) and not _is_lacking(events):
            return events, []
    good: list[bytes] = []
    bad: list[bytes] = []
    for line in lines:
        (good if _is_event(line) else bad).append(line)
    return _read(good), bad


def events_of(rows: Iterable[dict[str, object]]) -> pl.DataFrame:
    """Return rows as events, schema `EVENTS`."""
    return pl.DataFrame(list(rows), schema=SCHEMA)


def _read(lines: Sequence[bytes]) -> pl.DataFrame:
    if not lines:
        return pl.DataFrame(schema=SCHEMA)
    return pl.read_ndjson(io.BytesIO(b"\n".join(lines)), schema=SCHEMA)


def _is_lacking(events: pl.DataFrame) -> bool:
    return any(events[name].null_count() for name in _REQUIRED)


def _is_event(line: bytes) -> bool:
    """Return whether a line alone is an event."""
    try:
        told = json.loads(line)
        events = _read([line])
    except (ValueError, pl.exceptions.PolarsError):
        return False
    return isinstance(told, dict) and events.height == 1 and not _is_lacking(events)
