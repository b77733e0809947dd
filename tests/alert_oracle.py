"""What a rule of one condition would have told, by a plain loop over bars: no part evaluates it.

Rules are of one price, close or volume condition, with neither hysteresis, cooldown nor hours of a
day; they repeat. Bars of n sessions are folded here, one after the other, and so are minutes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from lake.interval import Interval
from lake.session import SessionTable
from tests.minutes import ZONE, bucket

Row = dict[str, Any]
Told = list[tuple[dt.datetime, float]]
"""When, and at which price."""
_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Complete:
    """A bar, and when it was complete; `formed` where it is not, but as it was by then."""

    time: dt.datetime
    start: dt.datetime | dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    formed: bool = False


def session_bars(
    rows: list[Row], n: int, table: SessionTable, last: dt.date, *, forming: bool
) -> list[Complete]:
    """Return the bars of n sessions as they were complete, or formed, by each session."""
    by_day = {row["session"]: row for row in rows}
    found: list[Complete] = []
    made: list[Row] = []
    first = min(by_day)
    for ordinal, session in enumerate(table.dates):
        if session > last:
            break
        if ordinal % n == 0:
            made = []
        if session < first:
            continue
        if session in by_day:
            made.append(by_day[session])
        is_last = ordinal % n == n - 1
        if made and (is_last or (forming and session in by_day)):
            begin = table.dates[ordinal - ordinal % n]
            found.append(merged(table.closes[ordinal], begin, made, formed=not is_last))
    return found


def intraday_bars(
    rows: list[Row], interval: Interval, hours: str, table: SessionTable, *, forming: bool
) -> list[Complete]:
    """Return the bars of minutes, as they were complete, and formed, by the end of each minute."""
    buckets: dict[tuple[dt.datetime, dt.datetime], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["start"]):
        session = row["start"].astimezone(ZONE).date()
        begin, end, of_hours = bucket(row["start"], session, interval, table)
        if of_hours == hours:
            buckets.setdefault((begin, end), []).append(row)
    found: list[Complete] = []
    for (begin, end), made in buckets.items():
        ends = [row["start"] + _MINUTE for row in made]
        by_then = [(time, made[: place + 1]) for place, time in enumerate(ends) if time < end]
        if forming:
            found += [merged(time, begin, some, formed=True) for time, some in by_then]
        found.append(merged(end, begin, made))
    return found


def merged(
    time: dt.datetime, start: dt.datetime | dt.date, rows: list[Row], *, formed: bool = False
) -> Complete:
    """Return what bars in order make."""
    return Complete(
        time,
        start,
        rows[0]["open"],
        max(row["high"] for row in rows),
        min(row["low"] for row in rows),
        rows[-1]["close"],
        sum(row["volume"] for row in rows),
        formed,
    )


def path_of(begin: dt.datetime, end: dt.datetime, row: Row) -> Told:
    """Return the prices that a bar is taken to have had."""
    third = (end - begin) / 3
    low_first = row["open"] - row["low"] < row["high"] - row["open"]
    nearer, farther = ("low", "high") if low_first else ("high", "low")
    names = ["open", nearer, farther, "close"]
    times = [begin, begin + third, begin + 2 * third, end]
    return [(time, row[name]) for time, name in zip(times, names, strict=True)]


def told_of_prices(path: Told, condition: dict[str, Any]) -> Told:
    """Return when a price condition became true."""
    level, relation = condition["level"], condition["relation"]
    fired: Told = []
    was, side = False, 0
    for time, price in path:
        now = (price > level) - (price < level)
        if relation in {"above", "below"}:
            holds = now == (1 if relation == "above" else -1)
            if holds and not was:
                fired.append((time, price))
            was = holds
        elif now:
            is_asked = relation == "crosses" or (relation == "crosses_up") == (now > 0)
            if side and now != side and is_asked:
                fired.append((time, price))
            side = now
    return fired


def told_of_bars(bars: list[Complete], since: dt.datetime, condition: dict[str, Any]) -> Told:
    """Return when a condition on bars became true, from an instant on; those before are known.

    Each is compared with complete ones before it.
    """
    final = [bar for bar in bars if bar.time < since and not bar.formed]
    fired: Told = []
    was, side = False, 0
    for bar in (bar for bar in bars if bar.time >= since):
        value = bar.volume if condition["kind"] == "volume" else bar.close
        relation = condition.get("relation", "reaches")
        edge = reference(final, condition)
        if relation.startswith("crosses"):
            side = side or _side_of_last(final, condition)
            now = 0 if edge is None else (value > edge) - (value < edge)
            is_asked = relation == "crosses" or (relation == "crosses_up") == (now > 0)
            if now and side and now != side and is_asked:
                fired.append((bar.time, bar.close))
            side = now or side
        else:
            holds = edge is not None and _holds(relation, value, edge)
            if holds and not was:
                fired.append((bar.time, bar.close))
            was = holds
        if not bar.formed:
            final.append(bar)
    return fired


def _holds(relation: str, value: float, edge: float) -> bool:
    if relation == "above":
        return value > edge
    return value < edge if relation == "below" else value >= edge


def _side_of_last(final: list[Complete], condition: dict[str, Any]) -> int:
    edge = reference(final[:-1], condition) if final else None
    return 0 if edge is None else (final[-1].close > edge) - (final[-1].close < edge)


def reference(final: list[Complete], condition: dict[str, Any]) -> float | None:
    """Return what a bar behind complete ones is compared with; None where too few are known."""
    if condition["kind"] == "volume":
        count = condition["average"]
        mean = sum(each.volume for each in final[-count:]) / count
        return float(condition["times"]) * mean if len(final) >= count and mean else None
    than = condition["than"]
    if "level" in than:
        return float(than["level"])
    count = than.get("average") or than["range"]
    if len(final) < count:
        return None
    before = final[-count:]
    if "average" in than:
        return float(sum(each.close for each in before) / count)
    is_above = condition["relation"] == "above"
    return max(each.high for each in before) if is_above else min(each.low for each in before)
