"""The feed service, whatever its source: what it refuses it keeps, and how it is it tells."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import httpx
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.clock import SetClock
from lake.coverage import Span
from lake.errors import NotFoundError, VendorKeyError
from lake.health_server import HealthServer
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import LocalStore
from speed_layer.feed import (
    Delivery,
    Feed,
    Health,
    Malformed,
    Recorder,
    opened,
    parse_feed,
)
from tests.feeding import DAY, OPEN_US, Listing, a_day, frame, hours, judge, trade

EVENTS = a_day(1000)


class Told:
    """A source that tells what it is given."""

    name = "told"

    def __init__(self, *deliveries: Delivery) -> None:
        self._left = list(deliveries)

    def start(self) -> None:
        pass

    def take(self, timeout_s: float) -> Delivery | None:  # noqa: ARG002 - a source's
        return self._left.pop(0) if self._left else None

    def now_us(self) -> int:
        return OPEN_US

    def close(self) -> None:
        pass


def run(
    *deliveries: Delivery, recorder: Recorder | None = None, health: Health | None = None
) -> Listing:
    stream = Listing()
    source = Told(*deliveries)
    Feed(source, judge(), stream, recorder=recorder, health=health or Health()).run()
    return stream


def rejects(store: LocalStore) -> Iterable[dict[str, object]]:
    for key in store.fingerprints("rejects/live/told/day=2026-01-05/"):
        yield from map(json.loads, gzip.decompress(store.get(key).data).splitlines())


def test_a_heartbeat_tells_the_time_when_nothing_else_does() -> None:
    stream = run(Delivery(EVENTS), Delivery(), Delivery(EVENTS))

    assert ["trade", "heartbeat", "trade", "heartbeat"] == (
        stream.everything["kind"].rle().struct.field("value").to_list()
    )
    beat = stream.everything.filter(pl.col("kind") == "heartbeat").row(0, named=True)
    assert ("", OPEN_US, 0, "told") == (beat["symbol"], beat["time"], beat["moves"], beat["source"])


def test_what_is_refused_is_kept_and_counted_and_not_recorded(
    store: LocalStore, tmp_path: Path
) -> None:
    """A clock that is an hour ahead would make everything after it late."""
    ahead = trade("A", 1, time=OPEN_US + 3600 * 10**6, received=OPEN_US)
    health = Health()
    with Recorder(store, "told", tmp_path / "spool", hours()) as recorder:
        stream = run(
            Delivery(frame(trade("A", 2), ahead), [Malformed("{", OPEN_US)]),
            recorder=recorder,
            health=health,
        )

    assert [2] == stream.events["sequence"].to_list()
    assert {"ahead": 1, "malformed": 1} == dict(health.refused)
    kept = {line["reason"]: line for line in rejects(store)}
    assert {"reason": "malformed", "received": OPEN_US, "text": "{"} == kept["malformed"]
    assert 3600 * 10**6 == json.loads(str(kept["ahead"]["event"]))["time"] - OPEN_US


def test_events_are_recorded_before_the_stream_has_them(store: LocalStore, tmp_path: Path) -> None:
    class Failing:
        def put(self, events: pl.DataFrame) -> None:  # noqa: ARG002 - a stream's
            raise RuntimeError

        def close(self) -> None:
            pass

    with Recorder(store, "told", tmp_path / "spool", hours()) as recorder:
        feed = Feed(Told(Delivery(EVENTS)), judge(), Failing(), recorder=recorder, health=Health())
        with pytest.raises(RuntimeError):
            feed.run()

    assert 1 == len(store.fingerprints("landing/told/live/"))


def test_a_feed_tells_how_it_is() -> None:
    health = Health()
    with HealthServer(health) as server:
        before = [httpx.get(f"{server.url}/health/{name}") for name in ("live", "ready")]
        health.started()
        health.connected(is_subscribed=True)
        health.accepted(5, OPEN_US, OPEN_US)
        health.gap(Span(OPEN_US, OPEN_US + 10**6, "shed", told="the queue was full"))
        after = [httpx.get(f"{server.url}/health/{name}") for name in ("live", "ready")]
        elsewhere = httpx.get(f"{server.url}/health")

    assert [503, 503, 200, 200, 404] == [each.status_code for each in (*before, *after, elsewhere)]
    told = after[1].json()
    assert ("2026-01-05T14:30:00Z", {"accepted": 5, "gaps": 1}) == (
        told["last_event"],
        told["counts"],
    )
    assert 0 <= told["last_event_age_s"]
    assert [
        {
            "since": "2026-01-05T14:30:00Z",
            "until": "2026-01-05T14:30:01Z",
            "why": "shed",
            "symbols": [],
            "told": "the queue was full",
        }
    ] == told["gaps"]


def test_a_feed_without_a_sign_for_a_while_is_not_ready() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    health.started()
    health.connected(is_subscribed=True)
    health.heartbeat()
    is_ready = health.is_ready
    now[0] = 6.0

    assert (True, False) == (is_ready, health.is_ready)


def test_a_replay_is_opened_as_it_is_named_and_is_not_recorded_again(
    store: LocalStore, tmp_path: Path, sessions: SessionTable, clock: SetClock
) -> None:
    settings = Settings.model_validate({"state": str(tmp_path / "state")})
    with Recorder(store, "massive", tmp_path / "spool", hours()) as recorder:
        recorder.record(EVENTS)  # with a `minute` and `moves` that no judge would tell
    stream = Listing()
    with opened(
        parse_feed(f"replay:{DAY}@max"),
        settings,
        store,
        stream,
        sessions=sessions,
        clock=clock,
        health=Health(),
    ) as feed:
        feed.run()

    assert_frame_equal(EVENTS, stream.events)
    assert ("heartbeat", True) == (
        stream.everything["kind"][-1],
        stream.everything["time"][-1] > OPEN_US + 11 * 3600 * 10**6,
    )
    assert 1 == len(store.fingerprints("landing/"))


@pytest.mark.parametrize(
    ("name", "error"), [("massive", VendorKeyError), (f"replay:{DAY}", NotFoundError)]
)
def test_what_cannot_be_opened_says_why(
    name: str,
    error: type[Exception],
    store: LocalStore,
    sessions: SessionTable,
    clock: SetClock,
) -> None:
    spec, settings = parse_feed(name), Settings()
    with (
        pytest.raises(error),
        opened(spec, settings, store, Listing(), sessions=sessions, clock=clock, health=Health()),
    ):
        pass
