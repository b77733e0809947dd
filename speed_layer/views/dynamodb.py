"""The realtime view in DynamoDB: durable, for many processes; it tells nobody of changes."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lake.clock import SystemClock
from lake.dynamodb import DynamoDBServer, part
from lake.dynamodb_creating import create_tables
from lake.dynamodb_tables import BY_INTERVAL, LATEST
from lake.errors import ViewError
from lake.interval import DAILY, MINUTE_INTERVALS
from speed_layer.views import dynamodb_tables as tables
from speed_layer.views.records import (
    highest_bars,
    highest_prices,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

    from lake.bar import Hours
    from lake.clock import Clock
    from lake.dynamodb_creating import Table
    from lake.interval import Interval
    from lake.settings import Settings
    from speed_layer.views.dynamodb_tables import Item

_RECENT: Final = dt.timedelta(days=1)
_GOT_AT_ONCE: Final = 100
_DELETED_AT_ONCE: Final = 25
_NIGHT: Final = dt.timedelta(hours=6)
"""After midnight UTC: between 20:00 and 04:00 of the exchange, whatever the season."""
_NEWER_BAR: Final = "attribute_not_exists(#v) OR #v < :v OR #ttl <= :now"
_NEWER_PRICE: Final = "attribute_not_exists(#v) OR #s < :s OR (#s = :s AND #v < :v) OR #ttl <= :now"
_VERSION: Final = {"#v": "version", "#ttl": "ttl"}


class DynamoDBView:
    """A view that outlives its servers.

    Each bar is a conditional write of its own, many at a time. It is for bars that are put now and
    then, as once a second; every change of a busy market would cost more than it is worth.

    Args:
        settings: How tables' names begin, how many write at once, how often it is asked.
        clock: Tells what is past its time.

    Raises:
        ViewRefusedError: If AWS's own settings make no sense.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._server = DynamoDBServer(settings)
        self._clock = clock or SystemClock()
        self._prefix = settings.dynamodb_prefix
        self._kept = dt.timedelta(days=settings.view_days)
        self._pool = ThreadPoolExecutor(settings.dynamodb_workers, "dynamodb")

    @property
    def filling(self) -> str:
        """Always the same: DynamoDB loses nothing."""
        return self._prefix

    def create_tables(self) -> list[Table]:
        """Create the tables that are not there, and return both once they can be used.

        Raises:
            ViewError: If that cannot be.
        """
        return create_tables(self._server, list(tables.definitions(self._prefix)))

    def put(self, bars: pl.DataFrame, prices: pl.DataFrame) -> None:
        """Bring in bars and prices.

        Raises:
            ViewError: The first one, once all were tried.
        """
        now = self._clock.now()
        kept, recent = (int((now + span).timestamp()) for span in (self._kept, _RECENT))
        ticks = tables.ticks_table(self._prefix)
        put_tick = partial(self._put, ticks, _NEWER_PRICE, now)
        put_bar = partial(self._put, tables.bars_table(self._prefix), _NEWER_BAR, now)
        latest = highest_prices(prices)
        timed = prices.drop_nulls("price")
        writes = [
            *(partial(put_tick, item) for item in tables.latest_items(latest, kept)),
            *(partial(put_tick, item) for item in tables.recent_items(timed, recent)),
            *(partial(put_bar, item) for item in tables.bar_items(highest_bars(bars), kept)),
        ]
        self._do_all(writes)

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        """Return the latest prices; of all, those of a moment ago: an index follows its table."""
        found = self._all_latest() if symbols is None else self._latest_of(list(symbols))
        return tables.prices_of(found, self._clock.now()).sort("symbol")

    def recent(self, symbol: str) -> pl.DataFrame:
        """Return a symbol's prices of the last 24 hours as they were told, in order of time."""
        found = self._query(
            TableName=tables.ticks_table(self._prefix),
            KeyConditionExpression="symbol = :symbol AND begins_with(#time, :time)",
            ExpressionAttributeNames={"#time": "time"},
            ExpressionAttributeValues={":symbol": {"S": symbol}, ":time": {"S": "time#"}},
            ConsistentRead=True,
        )
        return tables.prices_of(found, self._clock.now())

    def bars(
        self,
        symbol: str,
        interval: Interval,
        hours: Hours = "regular",
        *,
        vanished: bool = False,
    ) -> pl.DataFrame:
        """Return the bars of a symbol."""
        found = self._query(
            TableName=tables.bars_table(self._prefix),
            KeyConditionExpression="series = :series",
            ExpressionAttributeValues={
                ":series": {"S": tables.series(symbol, str(interval), hours)}
            },
            ConsistentRead=True,
        )
        return tables.bars_of(found, self._clock.now(), vanished=vanished)

    def forget(self, *, daily: dt.date | None, minute: dt.date | None) -> None:
        """Drop what the batch layer has covered."""
        covered: list[Item] = []
        if daily is not None:
            covered += self._begun_before(DAILY, _midnight_after(daily))
        if minute is not None:
            for interval in MINUTE_INTERVALS:
                covered += self._begun_before(interval, _midnight_after(minute) + _NIGHT)
        some = range(0, len(covered), _DELETED_AT_ONCE)
        self._do_all([partial(self._delete, covered[at : at + _DELETED_AT_ONCE]) for at in some])

    def close(self) -> None:
        """Let go of threads and connections."""
        self._pool.shutdown()
        self._server.client.close()

    def _put(self, table: str, condition: str, now: dt.datetime, item: Item) -> None:
        names, values = dict(_VERSION), {":v": item["version"]}
        values[":now"] = {"N": str(int(now.timestamp()))}
        if ":s" in condition:
            names["#s"], values[":s"] = "session", item["session"]
        self._server.ask_unless_held(
            lambda: self._server.client.put_item(
                TableName=table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        )

    def _do_all(self, works: list[partial[None]]) -> None:
        errors = [error for error in self._pool.map(_error_of, works) if error]
        if errors:
            first = errors[0]
            fact = f"{len(errors)} of {len(works)} writes failed; the first: {first.fact}"
            raise type(first)(fact, hint=first.hint)

    def _query(self, **query: Any) -> Iterator[Item]:  # noqa: ANN401 - boto3's own arguments
        return self._pages(self._server.client.query, query)

    def _all_latest(self) -> Iterator[Item]:
        table = tables.ticks_table(self._prefix)
        scan = {"TableName": table, "IndexName": LATEST}
        return self._pages(self._server.client.scan, scan)

    def _pages(self, read: Any, what: dict[str, Any]) -> Iterator[Item]:  # noqa: ANN401 - likewise
        def get(**more: Any) -> tuple[list[Item], Any]:  # noqa: ANN401 - likewise
            answer = read(**what, **more)
            return part(answer, "Items"), answer.get("LastEvaluatedKey")

        items, last = self._server.ask(get)
        yield from items
        while last:
            items, last = self._server.ask(partial(get, ExclusiveStartKey=last))
            yield from items

    def _latest_of(self, symbols: list[str]) -> Iterator[Item]:
        table = tables.ticks_table(self._prefix)
        keys = [{"symbol": {"S": name}, "time": {"S": LATEST}} for name in set(symbols)]

        def get(wanted: Any) -> tuple[list[Item], Any]:  # noqa: ANN401 - likewise
            answer = self._server.client.batch_get_item(RequestItems=wanted)
            return part(answer, "Responses").get(table, []), part(answer, "UnprocessedKeys")

        for at in range(0, len(keys), _GOT_AT_ONCE):
            wanted = {table: {"Keys": keys[at : at + _GOT_AT_ONCE], "ConsistentRead": True}}
            for items in self._server.ask_for_all(get, wanted):
                yield from items

    def _begun_before(self, interval: Interval, instant: dt.datetime) -> Iterator[Item]:
        return self._query(
            TableName=tables.bars_table(self._prefix),
            IndexName=BY_INTERVAL,
            KeyConditionExpression="#interval = :interval AND #start < :end",
            ExpressionAttributeNames={"#interval": "interval", "#start": "start"},
            ExpressionAttributeValues={
                ":interval": {"S": str(interval)},
                ":end": {"N": str(int(instant.timestamp()) * 1_000_000)},
            },
        )

    def _delete(self, items: list[Item]) -> None:
        keys = [{name: item[name] for name in ("series", "start")} for item in items]
        requests = [{"DeleteRequest": {"Key": key}} for key in keys]

        def write(wanted: Any) -> tuple[None, Any]:  # noqa: ANN401 - likewise
            answer = self._server.client.batch_write_item(RequestItems=wanted)
            return None, part(answer, "UnprocessedItems")

        self._server.ask_for_all(write, {tables.bars_table(self._prefix): requests})


def _error_of(work: partial[None]) -> ViewError | None:
    try:
        work()
    except ViewError as error:
        return error
    return None


def _midnight_after(date: dt.date) -> dt.datetime:
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=1)
