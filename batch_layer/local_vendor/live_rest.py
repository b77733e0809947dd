"""Massive's REST of a day that passes: its trades and its aggregates until now.

Source: https://massive.com/docs/rest/stocks/trades-quotes/trades, and the official client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl

from batch_layer.local_vendor.aggregates import json_of, ranged, refuse_adjusted
from batch_layer.local_vendor.errors import bad_request
from batch_layer.local_vendor.messages import Reply
from batch_layer.local_vendor.pages import asked, limit_of, next_url

if TYPE_CHECKING:
    from batch_layer.local_vendor.live_market import LiveMarket
    from batch_layer.local_vendor.messages import Request
    from batch_layer.local_vendor.pages import Query

_TRADES: Final = re.compile(r"/v3/trades/([^/]+)")
_RANGE: Final = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(second|minute)/(\d{13})/(\d{13})")
_MOST: Final = 50_000
_LIMIT: Final = 1_000
_OFFSET: Final = "offset"
_TESTS: Final = (".gte", ".gt", ".lte", ".lt")


class LiveRest:
    """Answers of one day's market.

    Args:
        market: The market.
    """

    def __init__(self, market: LiveMarket) -> None:
        self._market = market

    def answer(self, request: Request) -> Reply | None:
        """Return what a request asks for; None: it asks for something else.

        Raises:
            RefusedError: If a parameter cannot be.
        """
        path = unquote(request.path)
        if match := _TRADES.fullmatch(path):
            return self._trades(request, match[1])
        match = _RANGE.fullmatch(path)
        if match is None or self._is_of_another_day(int(match[3])):
            return None
        refuse_adjusted(asked(request))
        rows = self._market.past(match[1], match[2]).with_columns(
            start=pl.col("time") // 1000, close="price", volume="size"
        )
        bars = rows.filter(pl.col("start").is_between(int(match[3]), int(match[4])))
        return ranged(request, match[1], bars, None)

    def _is_of_another_day(self, start_ms: int) -> bool:
        times = self._market.events["time"]
        return times.is_empty() or start_ms * 1000 + 86_400_000_000 < int(str(times.min()))

    def _trades(self, request: Request, ticker: str) -> Reply:
        query = asked(request)
        rows = _within(self._market.past(ticker, "trade"), query)
        if query.get("order", "desc") == "desc":
            rows = rows.reverse()
        limit, offset = limit_of(query, _LIMIT, _MOST), int(query.get(_OFFSET, 0))
        some = rows.slice(offset, limit)
        body = [b'{"results":', json_of(some.select(_COLUMNS)), b',"status":"OK"']
        if offset + limit < rows.height:
            url = next_url(request, {**query, _OFFSET: str(offset + limit)})
            body.append(f',"next_url":"{url}"'.encode())
        body.append(f',"request_id":"{request.request_id}"}}'.encode())
        return Reply(b"".join(body))


_COLUMNS: Final = [
    pl.col("conditions"),
    pl.col("correction").replace(0, None),
    pl.lit(4).alias("exchange"),
    pl.col("sequence").cast(pl.String).alias("id"),
    (pl.col("time") * 1000).alias("participant_timestamp"),
    pl.col("price"),
    pl.col("sequence").alias("sequence_number"),
    # Some nanoseconds into the millisecond that the socket tells.
    (pl.col("time") * 1000 + pl.col("sequence") % 1000).alias("sip_timestamp"),
    pl.col("size"),
    pl.lit(3).alias("tape"),
]


def _within(trades: pl.DataFrame, query: Query) -> pl.DataFrame:
    time_ns = pl.col("time") * 1000
    for suffix in _TESTS:
        text = query.get(f"timestamp{suffix}")
        if text is None:
            continue
        if not text.isascii() or not text.isdigit():
            fact = f"timestamp{suffix}={text} cannot be. Allowed here: nanoseconds."
            raise bad_request(fact)
        bound = int(text)
        trades = trades.filter(
            {
                ".gte": time_ns >= bound,
                ".gt": time_ns > bound,
                ".lte": time_ns <= bound,
                ".lt": time_ns < bound,
            }[suffix]
        )
    return trades
