"""What a drill holds a whole system to: nothing is lost, whoever is asked."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import boto3
import polars as pl

from database import open_database
from fiblake.client import Bar, Price
from lake.alerts.rule import rule_document
from lake.envelope import decode_envelope
from lake.instant import microseconds
from lake.recorded import all_recorded
from tests.evaluated_alerts import many_rules, told
from tests.feeding import identities
from tests.following import Follower, Poller
from tests.moto_serially import REGION
from tests.parity.through import assert_same_bars, through_law
from tests.receiving import SECRET, Receiver, Told, answer
from tests.whole_system import APIS, WholeSystem

if TYPE_CHECKING:
    from tests.days import Day

_INTERVALS: Final = ("1m", "1h", "1d")
_HOPS: Final = {"feed", "stream", "view", "api"}
_MOST: Final = 10


class Drill:
    """Who listens to a whole system, and what it must have told them.

    Args:
        system: Which.
        receive: Starts receivers of webhooks.
    """

    def __init__(self, system: WholeSystem, receive: Callable[..., Receiver]) -> None:
        self.system = system
        # Of a symbol a snapshot tells the whole session, of all symbols the last two starts alone.
        symbols = system.days[0].bars["symbol"]
        self._channels = [f"bars:{each}:{name}" for each in _INTERVALS for name in symbols]
        self._channels.append("price:*")
        self.followers: list[Follower] = []
        self._pollers: list[Poller] = []
        self._receiver = receive(grudging)
        self._queued: dict[str, str] = {}
        hook = {"url": self._receiver.url, "secret": SECRET}
        system.put("PUT", "/v1/alerts/destinations/hook", hook)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let clients listen to each API, and ask it, until the block ends."""
        paths = "/v1/live/S0000?interval=1h", "/v1/bars/S0001?interval=5d", "/v1/prices/S0002"
        with ExitStack() as stack:
            for name in APIS:
                url, key = self.system.urls[name], self.system.key
                self.followers.append(stack.enter_context(Follower(url, key, *self._channels)))
                self._pollers.append(stack.enter_context(Poller(url, key, *paths)))
            yield

    def statuses(self) -> set[int]:
        """Return with what all questions were answered so far."""
        return {status for each in self._pollers for status in each.statuses}

    def make_alerts(self, day: Day) -> None:
        """Make alerts of many kinds by the API, told to a webhook and to SNS."""
        symbols = day.bars["symbol"].to_list()
        for rule in many_rules(day.bars, symbols, ("hook", "sns")).values():
            self.system.put("POST", "/v1/alerts", rule_document(rule))

    def end_day(self, day: Day) -> None:
        """Let a day be over, hold all to its tape, and let batch make it while all goes on."""
        self.system.let_it_be_over(day)
        self.system.wait_until_ready()
        expected = through_law(day.tape, day.hours)
        self.system.wait(lambda: _is_same(expected, self.system.bars(day)), "the view has all")
        recorded = all_recorded(self.system.store, "massive", day.session)
        assert identities(day.tape) == identities(recorded)
        for follower in self.followers:
            self.system.wait(
                lambda it=follower: self._apart(it, day, expected) == set(),  # type: ignore[misc]
                "who listens knows all",
                lambda it=follower: self._apart(it, day, expected),  # type: ignore[misc]
            )
        assert any(hops >= _HOPS for hops in self.system.traces().values())
        self._check_told()
        self._let_batch_make(day)

    def _apart(self, follower: Follower, day: Day, expected: pl.DataFrame) -> set[object]:
        """Return what who listens lacks, or has otherwise, of bars and prices in the end."""
        assert follower.error is None, follower.error
        prices = {
            each.symbol
            for each in follower.items("price:*")
            if isinstance(each, Price) and each.session == day.session
        }
        known = {
            (each.symbol, channel.split(":")[1], _micros(each), each.close, each.volume)
            for channel in self._channels
            for each in follower.items(channel)
            if isinstance(each, Bar) and _session(each) == day.session and each.state == "final"
        }
        asked = expected.filter(pl.col("interval").is_in(_INTERVALS), hours="regular")
        wanted = set(asked.select("symbol", "interval", "start", "close", "volume").iter_rows())
        return (wanted ^ known) | (prices ^ set(day.bars["symbol"]))

    def _check_told(self) -> None:
        """Each notification that there is was told, and nothing else, by each of its ways."""
        with closing(open_database(self.system.settings)) as database:
            self.system.wait(lambda: told(database) == self._received(), "the webhook has all")
            self.system.wait(lambda: told(database) == self._of_queue(), "the queue has all")
            assert told(database)

    def _received(self) -> dict[str, str]:
        envelopes = [decode_envelope(each.body) for each in list(self._receiver.told)]
        return {each.id: each.text for each in envelopes}

    def _of_queue(self) -> dict[str, str]:
        """Return what came by SNS into the queue so far, each once."""
        asked: dict[str, Any] = {"QueueUrl": self.system.queue, "MaxNumberOfMessages": _MOST}
        client = boto3.client(
            "sqs",
            endpoint_url=self.system.parts.moto.url,
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - the test's own
        )
        with closing(client):
            while messages := client.receive_message(**asked).get("Messages", []):
                for each in messages:
                    envelope = decode_envelope(each["Body"])
                    self._queued[envelope.id] = envelope.text
                    client.delete_message(
                        QueueUrl=asked["QueueUrl"], ReceiptHandle=each["ReceiptHandle"]
                    )
        return self._queued

    def _let_batch_make(self, day: Day) -> None:
        """Let batch make a day's bars, and servers answer them without a restart."""
        for job in ("trades", "resample"):
            self.system.done("batch_layer.entry", job)
        report = json.loads(self.system.done("reconcile", "--json").out)
        found = {each["session"]: each for each in report["sessions"]}[str(day.session)]
        assert {} == found["differences"]
        assert found["speed"] == found["batch"] == found["agreed"] > 0
        for name in APIS:
            self.system.wait(lambda name=name: self._is_of_batch(name, day), "batch is answered")  # type: ignore[misc]

    def _is_of_batch(self, api: str, day: Day) -> bool:
        asked = {"interval": "1d", "start": str(day.session)}
        told = self.system.ask(api, "/v1/bars/S0000", **asked).json()
        live = self.system.ask(api, "/v1/live/S0000", interval="1d").json()
        is_kept = any(each["start"] == str(day.session) for each in live["bars"])
        return told["boundary"] == str(day.session) and len(told["bars"]) == 1 and not is_kept


def grudging(told: Told) -> Iterable[bytes]:
    """Say of one delivery in five that it was not taken, which it was: it comes again."""
    is_taken = zlib.crc32(told.body + told.headers["webhook-timestamp"].encode()) % 5
    return [answer("204 No Content" if is_taken else "503 Service Unavailable")]


def _is_same(expected: pl.DataFrame, actual: pl.DataFrame) -> bool:
    try:
        assert_same_bars(expected, actual)
    except AssertionError:
        return False
    return True


def _session(bar: Bar) -> dt.date:
    """Return the session that a bar of regular hours is of: its date in UTC too."""
    return bar.start.date() if isinstance(bar.start, dt.datetime) else bar.start


def _micros(bar: Bar) -> int:
    start = bar.start
    if not isinstance(start, dt.datetime):
        start = dt.datetime.combine(start, dt.time(), dt.UTC)
    return microseconds(start)
