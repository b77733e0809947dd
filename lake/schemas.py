"""The Arrow schemas of everything the lake stores.

Units: prices USD a share, volume shares, dates of the exchange's calendar, instants UTC in
microseconds.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_INSTANT: Final = pa.timestamp("us", tz="UTC")

_VALUES: Final = [
    pa.field("open", pa.float64(), nullable=False),
    pa.field("high", pa.float64(), nullable=False),
    pa.field("low", pa.float64(), nullable=False),
    pa.field("close", pa.float64(), nullable=False),
    pa.field("volume", pa.float64(), nullable=False),
    pa.field("vwap", pa.float64()),
    pa.field("trades", pa.int64()),
]

_SYMBOL: Final = pa.field("symbol", pa.string(), nullable=False)
_LISTING: Final = pa.field("listing", pa.string(), nullable=False)

SESSIONS: Final = pa.schema(
    [
        pa.field("ordinal", pa.int32(), nullable=False),
        pa.field("session", pa.date32(), nullable=False),
        pa.field("open", _INSTANT, nullable=False),
        pa.field("close", _INSTANT, nullable=False),
    ]
)

DAILY: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("session", pa.date32(), nullable=False),
        *_VALUES,
        pa.field("revision", pa.int32(), nullable=False),
        pa.field("known_from", _INSTANT, nullable=False),
    ]
)
"""Bronze: unadjusted daily bars, by the symbol under which they were received.

`revision` counts the changes of a bar, from 0.
"""

_KNOWN_TO: Final = pa.field("known_to", _INSTANT, nullable=False)

DAILY_HISTORY: Final = DAILY.append(_KNOWN_TO)
"""Bars that were superseded or withdrawn, and until when they were known."""

SPLITS: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("effective", pa.date32(), nullable=False),
        pa.field("split_from", pa.float64(), nullable=False),
        pa.field("split_to", pa.float64(), nullable=False),
        pa.field("known_from", _INSTANT, nullable=False),
    ]
)
"""From session `effective` on, `split_to` shares stand for `split_from` before."""

SPLITS_HISTORY: Final = SPLITS.append(_KNOWN_TO)
"""Splits that were corrected, and until when they were known."""

DIVIDENDS: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("ex_date", pa.date32(), nullable=False),
        pa.field("amount", pa.float64(), nullable=False),
        pa.field("known_from", _INSTANT, nullable=False),
    ]
)
"""`amount` USD a share, as shares are counted on `ex_date`; 0 where it was withdrawn."""

DIVIDENDS_HISTORY: Final = DIVIDENDS.append(_KNOWN_TO)
"""Dividends that were corrected, and until when they were known."""

LISTINGS: Final = pa.schema(
    [
        _LISTING,
        _SYMBOL,
        pa.field("first", pa.date32(), nullable=False),
        pa.field("last", pa.date32()),
        pa.field("name", pa.string()),
        pa.field("exchange", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("known_from", _INSTANT, nullable=False),
    ]
)
"""From `first` to `last`, both inclusive, the listing trades as `symbol`; null: to this day."""

LISTINGS_HISTORY: Final = LISTINGS.append(_KNOWN_TO)
"""What was said of listings before, and until when."""

BARS: Final = pa.schema(
    [
        _LISTING,
        _SYMBOL,
        pa.field("start", pa.date32(), nullable=False),
        *_VALUES,
        pa.field("sessions", pa.int32(), nullable=False),
        pa.field("sessions_expected", pa.int32(), nullable=False),
        pa.field("through", pa.date32(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("revision", pa.int32(), nullable=False),
    ]
)
"""Silver: bars of session intervals, each on the split basis of its `through`."""

_START: Final = pa.field("start", _INSTANT, nullable=False)
_HOURS: Final = pa.field("hours", pa.string(), nullable=False)
_MINUTES: Final = [
    pa.field("minutes", pa.int32(), nullable=False),
    pa.field("minutes_expected", pa.int32(), nullable=False),
]
_TOLD: Final = [BARS.field(name) for name in ("through", "state", "revision")]

_NULLABLE_PRICES: Final = [field.with_nullable(True) for field in _VALUES[:4]]  # noqa: FBT003 - no keyword

MINUTE: Final = pa.schema(
    [
        _SYMBOL,
        _START,
        *_NULLABLE_PRICES,
        *_VALUES[4:],
        pa.field("revision", pa.int32(), nullable=False),
        pa.field("known_from", _INSTANT, nullable=False),
    ]
)
"""Bronze: unadjusted minute bars; `revision` counts the changes of a bar, from 0.

Prices are null where no trade of the minute may make one, as of odd lots alone: it is no bar of one
minute, but its volume counts in longer ones.
"""

INTRADAY: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("session", pa.date32(), nullable=False),
        _HOURS,
        _START,
        *_VALUES,
        *_MINUTES,
        *_TOLD,
    ]
)
"""Silver: bars of minutes and hours, each inside the regular or the extended hours of a session.

By symbol as bronze is: what that names is asked when they are read.
"""

INTRADAY_BARS: Final = pa.schema(
    [
        _LISTING,
        _SYMBOL,
        _START,
        *_VALUES,
        BARS.field("sessions"),
        BARS.field("sessions_expected"),
        *_TOLD,
        _HOURS,
        *_MINUTES,
    ]
)
"""What readers answer of intraday bars: the columns of `BARS`, and what their minutes tell."""

EVENTS: Final = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        _SYMBOL,
        pa.field("time", pa.int64(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("minute", pa.int64(), nullable=False),
        pa.field("moves", pa.int32(), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("size", pa.float64(), nullable=False),
        pa.field("cancelled", pa.bool_(), nullable=False),
        pa.field("open", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("vwap", pa.float64()),
        pa.field("trades", pa.int64()),
        pa.field("conditions", pa.list_(pa.int32()), nullable=False),
        pa.field("received", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""Events of the live flow, the fields of `lake.event.Event`; instants in microseconds."""

LIVE_BARS: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("interval", pa.string(), nullable=False),
        pa.field("session", pa.date32(), nullable=False),
        _HOURS,
        pa.field("start", pa.int64(), nullable=False),
        *_NULLABLE_PRICES,
        *_VALUES[4:],
        _MINUTES[0],
        BARS.field("state"),
        pa.field("version", pa.int64(), nullable=False),
    ]
)
"""Bars of 1m 5m 15m 1h 2h 4h and 1d as the speed layer tells them.

`start` is in microseconds since 1970, UTC; of a 1d bar, midnight UTC of its session's date, and its
`hours` are regular. `minutes` counts those in which the symbol traded. `version` grows with each
change of a bar, and is the same for the same statements, in any order: twice the sum over those in
force of 1 + revision, void ones too, plus 1 in a final bar. Null prices: no such bar (any more), as
when its trades were cancelled; who was told of it before drops it.
"""

TRADES: Final = pa.schema(
    [
        field
        for field in EVENTS
        if field.name not in {"kind", "open", "high", "low", "vwap", "trades"}
    ]
)
"""Bronze: the statements in force of a session's trades, void ones too, as they are judged now.

A trade that other statements told of another minute has a void row of that minute too.
"""

PRICES: Final = pa.schema(
    [
        _SYMBOL,
        pa.field("session", pa.date32(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("received", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
    ]
)
"""The latest price of each symbol, of regular or extended hours; instants in microseconds.

Of two, the one of the later session is in force, within one the one of the higher `version`: the
sum over the session's minutes and the statements in force in each, void ones too, of 1 + revision.
A null price: no such price (any more); its `time` and `received` are 0, its `source` is empty.
"""

_COMPARED: Final = [*_VALUES, _MINUTES[0]]

DIFFERENCES: Final = pa.schema(
    [
        *[LIVE_BARS.field(name) for name in ("symbol", "interval", "session", "hours", "start")],
        pa.field("cause", pa.string(), nullable=False),
        pa.field("lacks", pa.string()),
        pa.field("fields", pa.string(), nullable=False),
        pa.field("version", pa.int64()),
        *[
            pa.field(f"{side}_{field.name}", field.type)
            for field in _COMPARED
            for side in ("speed", "batch")
        ],
    ]
)
"""Bars of which the speed layer and batch told differently; one row a bar.

`cause` is `missing` (`lacks` tells who lacks it: `speed` or `batch`), `late`, `corrected`, `vendor`
or `unexplained`; `fields` names those that differ, with commas; `version` is that of the live bar.
"""
