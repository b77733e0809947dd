"""The tables of the view in DynamoDB, whose keys `lake.dynamodb_tables` tells: rows as items.

A series of bars is SYMBOL#INTERVAL#HOURS. The `time` of a price is `latest`, or `time#` and when it
was, in microseconds.

Numbers are written as `repr` says them, the shortest text that reads back as the same float64;
DynamoDB keeps 38 digits. What is null is left out. Items have a `ttl`, in seconds since 1970:
DynamoDB deletes them some time after it, so who reads passes over them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from lake.dynamodb_tables import BARS, LATEST, TICKS, TTL, definition
from lake.live import BARS_SCHEMA, PRICES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, CreateTableInputTypeDef

Item = dict[str, "AttributeValueTypeDef"]


def ticks_table(prefix: str) -> str:
    """Return the name of the table of prices."""
    return TICKS.under(prefix)


def bars_table(prefix: str) -> str:
    """Return the name of the table of bars."""
    return BARS.under(prefix)


def definitions(prefix: str) -> Iterator[CreateTableInputTypeDef]:
    """Yield what creates each table."""
    yield definition(TICKS, prefix)
    yield definition(BARS, prefix)


def series(symbol: str, interval: str, hours: str) -> str:
    """Return the first key of a series' bars."""
    return f"{symbol}#{interval}#{hours}"


def bar_items(bars: pl.DataFrame, ttl: int) -> Iterator[Item]:
    """Yield the item of each bar."""
    for row in bars.iter_rows(named=True):
        key = series(row["symbol"], row["interval"], row["hours"])
        yield {"series": {"S": key}, TTL: {"N": str(ttl)}, **_item(row)}


def latest_items(prices: pl.DataFrame, ttl: int) -> Iterator[Item]:
    """Yield the item of each price as its symbol's latest."""
    for row in prices.iter_rows(named=True):
        item = _item(row)
        yield {
            **item,
            "at": item["time"],
            "time": {"S": LATEST},
            LATEST: item["symbol"],
            TTL: {"N": str(ttl)},
        }


def recent_items(prices: pl.DataFrame, ttl: int) -> Iterator[Item]:
    """Yield the item of each price as one of its time."""
    for row in prices.iter_rows(named=True):
        item = _item(row)
        yield {
            **item,
            "at": item["time"],
            "time": {"S": f"time#{row['time']:016d}"},
            TTL: {"N": str(ttl)},
        }


def bars_of(items: Iterable[Item], now: dt.datetime, *, vanished: bool = False) -> pl.DataFrame:
    """Return the bars of items that are not past their time nor, unless asked for, vanished."""
    return _frame((item for item in items if vanished or "close" in item), BARS_SCHEMA, now)


def prices_of(items: Iterable[Item], now: dt.datetime) -> pl.DataFrame:
    """Return the prices of items that stand: not null, nor past their time; as they come."""
    timed = ({**item, "time": item["at"]} for item in items if "price" in item)
    return _frame(timed, PRICES_SCHEMA, now)


def _item(row: Mapping[str, object]) -> Item:
    return {name: _attribute(value) for name, value in row.items() if value is not None}


def _attribute(value: object) -> AttributeValueTypeDef:
    return {"N": repr(value)} if isinstance(value, int | float) else {"S": str(value)}


def _frame(items: Iterable[Item], schema: pl.Schema, now: dt.datetime) -> pl.DataFrame:
    living = (item for item in items if int(item[TTL]["N"]) > now.timestamp())
    rows = [[_value(item.get(name), kind) for name, kind in schema.items()] for item in living]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _value(attribute: AttributeValueTypeDef | None, kind: pl.DataType) -> object:
    if attribute is None:
        return None
    if kind.is_float():
        return float(attribute["N"])
    if kind.is_integer():
        return int(attribute["N"])
    return dt.date.fromisoformat(attribute["S"]) if kind == pl.Date else attribute["S"]
