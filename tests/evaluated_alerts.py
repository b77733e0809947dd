"""Alerts in tests: kept in a database, evaluated in one go, and what was told of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson
import polars as pl
import sqlalchemy as sa

from database import Database
from database.tables import ALERT_RULES, NOTIFICATIONS
from lake.alerts.book import BarsKey, Book, Firing
from lake.alerts.history import forming_keys
from lake.alerts.rule import Rule, parse_rule, rule_document
from lake.alerts.seen import Seen, SeenBar
from lake.event import Kind
from lake.hours import hours_of
from lake.instant import microseconds
from lake.live_wire import decode_told
from speed_layer.alerts.event_flow import EventFlow
from speed_layer.alerts.told_flow import ToldFlow
from tests.days import SESSION, calendar

MADE: Final = dt.datetime(2025, 1, 2, tzinfo=dt.UTC)
GRACE: Final = dt.timedelta(seconds=5)


class NoBars:
    """A lake without bars."""

    def before(
        self,
        wanted: Mapping[BarsKey, tuple[int, int]],
        as_of: dt.date,  # noqa: ARG002 - its protocol's
    ) -> dict[BarsKey, list[SeenBar]]:
        return {key: [] for key in wanted}

    def closed(
        self, keys: Collection[BarsKey], after: Mapping[BarsKey, int], as_of: dt.date
    ) -> list[SeenBar]:
        del keys, after, as_of
        return []

    def forming(self, keys: Collection[BarsKey], session: dt.date) -> dict[BarsKey, SeenBar]:
        del keys, session
        return {}

    def present(self, keys: Collection[BarsKey], session: dt.date) -> list[SeenBar]:
        del keys, session
        return []

    def boundary(self) -> dt.date | None:
        return None

    def splits(self, session: dt.date) -> dict[str, float]:
        del session
        return {}


def rule(symbol: str, when: dict[str, Any], **others: Any) -> Rule:
    return parse_rule({"symbol": symbol, "when": when, **others})


def put_alert(
    database: Database,
    alert: str,
    of: Rule | None,
    *,
    revision: int = 1,
    changed: dt.datetime = MADE,
    owner: str = "anyone",
    **others: Any,
) -> None:
    """Make an alert, or change it, as the API does; None: its rule stays."""
    row = {"revision": revision, "changed": changed, "muted_until": None, "deleted": None, **others}
    if of is not None:
        row |= {"definition": orjson.dumps(rule_document(of)).decode(), "symbol": of.symbol}
    with database.write() as connection:
        is_there = sa.select(ALERT_RULES.c.alert).where(ALERT_RULES.c.alert == alert)
        if connection.scalar(is_there):
            changed_row = sa.update(ALERT_RULES).where(ALERT_RULES.c.alert == alert)
            connection.execute(changed_row.values(row))
        else:
            row |= {"alert": alert, "owner": owner, "created": MADE}
            connection.execute(sa.insert(ALERT_RULES).values(row))


def put_alerts(database: Database, rules: Mapping[str, Rule]) -> None:
    for alert, each in rules.items():
        put_alert(database, alert, each)


def evaluated_at_once(
    rules: Mapping[str, Rule],
    events: pl.DataFrame,
    session: dt.date = SESSION,
    kind: Kind = "trade",
    later: Mapping[str, tuple[Rule, dt.datetime]] | None = None,
) -> list[Firing]:
    """Return what fires where a record is evaluated in one go, from the session's dawn.

    Args:
        rules: Alerts that are there at its begin.
        events: The record.
        session: Of which session.
        kind: Of the events that count.
        later: Alerts on prices that were adopted amid it, each at an instant of the flow: they
            count from the first event whose clock is later.
    """
    late = sorted((later or {}).items(), key=lambda item: item[1][1])
    book = _book(rules)
    begin = microseconds(hours_of(session, calendar()).dawn)
    flow = EventFlow(calendar(), kind=kind, grace=GRACE, begin=begin)
    clock = events["time"].cum_max()
    fired: list[Firing] = []
    done = 0
    for alert, (each, adopted) in late:
        until = int(clock.search_sorted(microseconds(adopted), side="right"))
        fired += _fired(book, flow, rules, partial(flow.take, events[done:until]))
        book.add(alert, 1, each)
        done = until
    return fired + _fired(book, flow, rules, partial(flow.take, events[done:]))


def _book(rules: Mapping[str, Rule]) -> Book:
    book = Book()
    for alert, each in rules.items():
        book.add(alert, 1, each)
    return book


def _fired(
    book: Book,
    flow: EventFlow | ToldFlow,
    rules: Mapping[str, Rule],
    take: Callable[[], Sequence[Seen]],
) -> list[Firing]:
    flow.follow(book.symbols | {symbol for symbol, _, _ in book.wants()})
    flow.want(book.wants(), forming_keys(rules.values()))
    seen = take()
    for key in book.unseeded(seen):
        book.seed(key, [])
    return book.take(seen)


def told_at_once(rules: Mapping[str, Rule], lines: Sequence[bytes]) -> list[Firing]:
    """Return what fires where all that an engine told is evaluated in one go."""
    book = _book(rules)
    flow = ToldFlow(calendar(), grace=GRACE)
    return _fired(book, flow, rules, lambda: flow.take(decode_told(lines)))


def told(database: Database) -> dict[str, str]:
    """Return the text of each notification, by id."""
    with database.read() as connection:
        rows = connection.execute(sa.select(NOTIFICATIONS.c.notification, NOTIFICATIONS.c.body))
        return {each: orjson.loads(body)["text"] for each, body in rows}


def count_told(database: Database) -> int:
    """Return how many notifications there are."""
    with database.read() as connection:
        count = sa.select(sa.func.count()).select_from(NOTIFICATIONS)
        return int(connection.scalar(count) or 0)


def texts(firings: Iterable[Firing]) -> dict[str, str]:
    """Return the text of each firing, by id."""
    return {each.id: each.text for each in firings}


def many_rules(
    bars: pl.DataFrame, symbols: Sequence[str], deliver: Sequence[str] = ("log",)
) -> dict[str, Rule]:
    """Return alerts of many kinds on symbols, which fire many times on such a day.

    Args:
        bars: Daily bars of the symbols: symbol, open, high, low, close, volume.
        symbols: Of these.
        deliver: Where to.
    """
    found: dict[str, Rule] = {}
    for number, symbol in enumerate(symbols):
        day = bars.row(by_predicate=pl.col("symbol") == symbol, named=True)
        for kind, (when, others) in enumerate(_kinds(day)):
            found[f"al_{number:06x}{kind:06x}"] = rule(symbol, when, deliver=deliver, **others)
    return found


def _kinds(day: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a condition of each kind that a day's prices meet, and how often it may fire."""
    middle, span = (day["high"] + day["low"]) / 2, day["high"] - day["low"]
    more = {"repeat": True, "cooldown_seconds": 0}
    level = {"level": round(middle, 2)}
    above = {"kind": "price", "relation": "above", **level}
    over_average = {"relation": "above", "than": {"average": 2}}
    return [
        (above, more),
        (
            {"kind": "price", "relation": "crosses", **level, "hysteresis_percent": 0.05},
            {**more, "cooldown_seconds": 60},
        ),
        ({"kind": "price", "relation": "below", "level": day["low"] + span / 4}, {}),
        ({"kind": "move", "percent": 100 * span / middle / 8, "window": "5m"}, more),
        (
            {"kind": "close", "interval": "1m", "relation": "crosses", "than": level},
            {**more, "active": {"start": "10:00", "end": "15:30"}},
        ),
        ({"kind": "close", "interval": "5m", "relation": "above", "than": {"range": 2}}, more),
        ({"kind": "close", "interval": "15m", "relation": "below", "than": {"average": 3}}, more),
        ({"kind": "volume", "interval": "5m", "times": 1.2, "average": 3}, more),
        (
            {"kind": "all", "of": [above, {"kind": "close", "interval": "1m", **over_average}]},
            more,
        ),
    ]
