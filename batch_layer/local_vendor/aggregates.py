"""Massive's aggregates: the whole market of a session.

Source: https://massive.com/docs/rest/stocks/aggregates/daily-market-summary, and what the official
client reads. `t` is in ms; that of a grouped bar is 16:00 at the exchange, whenever it closed.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from batch_layer.local_vendor.errors import bad_request
from batch_layer.local_vendor.messages import Reply

if TYPE_CHECKING:
    from batch_layer.local_vendor.messages import Request

ZONE: Final = ZoneInfo("America/New_York")
_FOUR: Final = dt.time(16)


def refuse_adjusted(request: Request) -> None:
    """Refuse a request that leaves `adjusted` at its default, which is true.

    Raises:
        RefusedError: If it does: this vendor has the bars as they were traded, and no others.
    """
    if request.query.get("adjusted", "true").lower() != "false":
        text = "This vendor has unadjusted bars only. Ask with adjusted=false."
        raise bad_request(text)


def grouped(request: Request, session: dt.date, day: pl.DataFrame) -> Reply:
    """Return the bars of a session, or that there are none.

    Args:
        request: What was asked.
        session: Of which session.
        day: Its bars, `market.COLUMNS`.
    """
    rows = day.select(
        pl.col("symbol").alias("T"),
        *prices(whole_numbers(day)),
        pl.lit(milliseconds(session, _FOUR)).alias("t"),
        pl.col("trades").alias("n"),
    )
    start = f'{{"queryCount":{day.height},"resultsCount":{day.height},"adjusted":false,'
    end = f'"status":"OK","request_id":"{request.request_id}"'
    if not day.height:
        return Reply(f"{start}{end}}}".encode())
    end = f',{end},"count":{day.height}}}'
    return Reply(b"".join([start.encode(), b'"results":', json_of(rows), end.encode()]))


def prices(volume: pl.Expr) -> list[pl.Expr]:
    """Return Massive's columns of a bar: v, vw, o, c, h, l."""
    names = {"vwap": "vw", "open": "o", "close": "c", "high": "h", "low": "l"}
    return [volume.alias("v"), *(pl.col(name).alias(short) for name, short in names.items())]


def whole_numbers(day: pl.DataFrame) -> pl.Expr:
    """Return the volume, written without a decimal point where all of the volumes are whole."""
    volume = day["volume"]
    is_whole = bool((volume == volume.floor()).all())
    return pl.col("volume").cast(pl.Int64) if is_whole else pl.col("volume")


def json_of(rows: pl.DataFrame) -> bytes:
    """Return rows as a JSON list of objects, which lack what is null."""
    text = rows.write_json().encode()
    for name, count in zip(rows.columns, rows.null_count().row(0), strict=True):
        if count:
            text = text.replace(f',"{name}":null'.encode(), b"")
    return text


def milliseconds(session: dt.date, time: dt.time = dt.time()) -> int:
    """Return the instant of a time of day at the exchange, in ms since 1970."""
    return int(dt.datetime.combine(session, time, tzinfo=ZONE).timestamp()) * 1000
