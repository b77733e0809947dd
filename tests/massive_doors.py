"""Massive's own clients at a door of ours, and what is expected of it by the bars of `/v1/bars`."""

from __future__ import annotations

from typing import Any

import polygon

from tests.dialects import Doors, milliseconds, start_of
from tests.merged import FOUR

SPANS = {"m": "minute", "h": "hour", "d": "day"}
ALL = {"from_": "2000-01-01", "to": "2013-12-31"}
Row = dict[str, Any]


def client(at_: Doors, key: str = "any", kind: Any = polygon) -> Any:
    return kind.RESTClient(key, base=at_.url, retries=0)


def as_aggregate(bar: Row) -> Row:
    """Return a bar of ours as Massive's client hands one over."""
    same = {name: bar[name] for name in (*FOUR, "volume", "vwap")}
    stamp = milliseconds(start_of(bar))
    return {**same, "timestamp": stamp, "transactions": bar["trades"], "otc": None}


def expected(at_: Doors, symbol: str, interval: str, **asked: Any) -> list[Row]:
    return [as_aggregate(bar) for bar in at_.bars(symbol, interval, **asked)]


def aggregates(at_: Doors, symbol: str, interval: str, kind: Any = polygon, **asked: Any) -> Any:
    """Return what the client's pager hands over."""
    given = {**ALL, **asked}
    count, span = int(interval[:-1]), SPANS[interval[-1]]
    found = client(at_, kind=kind).list_aggs(symbol, count, span, **given)
    return [dict(vars(each)) for each in found]


def refusal(at_: Doors, path: str, **asked: Any) -> tuple[int, str, str]:
    """Return the status, Massive's word and the text of a refusal."""
    answer = at_.get(path, **asked)
    told = answer.json()
    assert {"status", "request_id"} < set(told)
    return answer.status_code, told["status"], told.get("error") or told["message"]


def pages(at_: Doors, path: str, **asked: Any) -> list[Row]:
    """Return all answers to a question, one page after the other."""
    found = [at_.get(path, params=asked).json()]
    while "next_url" in found[-1]:
        found.append(at_.get(found[-1]["next_url"].removeprefix(at_.url)).json())
    return found
