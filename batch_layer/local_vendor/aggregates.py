"""Massive's aggregates: the whole market of a session, and the bars of one ticker.

Source: https://massive.com/docs/rest/stocks/aggregates/daily-market-summary, and what the official
client reads. `t` is in ms; that of a grouped bar is 16:00 at the exchange, whenever it closed.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Final

import polars as pl

from batch_layer.local_vendor.errors import bad_request
from batch_layer.local_vendor.hours import ZONE, milliseconds
from batch_layer.local_vendor.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_layer.local_vendor.messages import Request

_FOUR: Final = dt.time(16)


def refuse_adjusted(query: Mapping[str, str]) -> None:
    """Refuse a query that leaves `adjusted` at its default, which is true.

    Raises:
        RefusedError: If it does: this vendor has the bars as they were traded, and no others.
    """
    if query.get("adjusted", "true").lower() != "false":
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


def ranged(request: Request, ticker: str, bars: pl.DataFrame, following: str | None) -> Reply:
    """Return bars of one ticker.

    Args:
        request: What was asked.
        ticker: Of which ticker.
        bars: `market.COLUMNS`, and `start` in ms.
        following: The URL of the bars that come next; None: there are none.
    """
    rows = bars.select(
        *prices(whole_numbers(bars)), pl.col("start").alias("t"), pl.col("trades").alias("n")
    )
    count = f'"queryCount":{bars.height},"resultsCount":{bars.height}'
    start = f'{{"ticker":{json.dumps(ticker)},{count},"adjusted":false,'
    end = f'"status":"OK","request_id":"{request.request_id}","count":{bars.height}'
    if following:
        end += f',"next_url":{json.dumps(following)}'
    results = b'"results":' + json_of(rows) + b"," if bars.height else b""
    return Reply(b"".join([start.encode(), results, end.encode(), b"}"]))


def with_midnights(bars: pl.DataFrame) -> pl.DataFrame:
    """Return daily bars with their `start`: midnight at the exchange."""
    midnight = pl.col("session").cast(pl.Datetime("ms")).dt.replace_time_zone(ZONE.key)
    return bars.with_columns(start=midnight.dt.epoch("ms"))
