"""The live system killed at any moment: each expected firing is notified exactly once.

What is expected is what one evaluation makes of the day as it is recorded in the end.
"""

from __future__ import annotations

import datetime as dt
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from batch_layer.local_vendor import LiveFault
from database import Database, open_database, prepare
from database.alert_flow import all_states
from lake.alerts.rule import Rule
from lake.envelope import decode_envelope
from lake.event import Event
from lake.instant import microseconds
from lake.recorded import all_recorded
from lake.settings import read_settings
from lake.store import LocalStore
from lake.wire import events_of
from speed_layer.alerts.embedded import HELD_BACK_US
from tests.evaluated_alerts import (
    count_told,
    evaluated_at_once,
    many_rules,
    put_alert,
    put_alerts,
    rule,
    texts,
    told,
)
from tests.feeding import eventually
from tests.live_system import LATENESS_US, System, SystemOf, Vendor, VendorOf, sold_day
from tests.outbox import add_destination
from tests.receiving import Receiver, Told, answer

_START_S: Final = 3.0
"""Within which a kill comes that is to come while the system starts."""
_EARLY: Final = 0.25
"""Which share of the kills does; as many come once so much of the day is sold, and the others soon
after something was told since the start."""
_REST_S: Final = 0.3
_DELIVERY: Final = {
    "FIBLAKE_WEBHOOK_ALLOW": "127.0.0.0/8",
    "FIBLAKE_DELIVERY_TIMEOUT_SECONDS": "1",
    "FIBLAKE_DELIVERY_RETRY_SECONDS": "0.1",
    "FIBLAKE_DELIVERY_LONGEST_RETRY_SECONDS": "1",
    "FIBLAKE_DELIVERY_ATTEMPTS": "100",
}


@dataclass
class Tally:
    """What came of killing.

    Attributes:
        kills: How often it was killed.
        amid: How often when something had been told since it was started.
        told: How many notifications there are.
    """

    kills: int = 0
    amid: int = 0
    told: int = 0


@dataclass(frozen=True)
class Scene:
    """A day that is sold, and alerts on it."""

    vendor: Vendor
    start: Callable[[], System]
    database: Database
    store: LocalStore
    rules: Mapping[str, Rule]
    receiver: Receiver
    later: dict[str, Rule] = field(default_factory=dict)

    @property
    def received(self) -> dict[str, str]:
        """The text of each notification that was received, by id: each once."""
        envelopes = [decode_envelope(each.body) for each in self.receiver.told]
        return {each.id: each.text for each in envelopes}

    def has_told(self, system: System) -> bool:
        """Whether what was evaluated by now is received, and that is all there is."""
        alerts = system.api("/health/live")["feeding"]["alerts"]
        is_idle = alerts["waiting"] == alerts["uncommitted"] == 0
        return is_idle and len(self.received) >= count_told(self.database)

    def add_alerts(self) -> None:
        """Make an alert on each symbol amid the day, as the API does."""
        for number, row in enumerate(self.vendor.day.bars.iter_rows(named=True)):
            share = (len(self.later) % 7 + 1) / 8
            level = round(row["low"] + (row["high"] - row["low"]) * share, 2)
            when = {"kind": "price", "relation": "crosses", "level": level}
            made = rule(row["symbol"], when, repeat=True, cooldown_seconds=0, deliver=("hook",))
            alert = f"al_{len(self.later):06x}{0xF00000 + number:06x}"
            self.later[alert] = made
            put_alert(self.database, alert, made, changed=dt.datetime.now(dt.UTC))

    def expected(self) -> dict[str, str]:
        """Return what is to be told of the day, as it is recorded, and was over in the end."""
        day = self.vendor.day
        over = microseconds(day.hours.dusk) + 2 * LATENESS_US - HELD_BACK_US
        beat = events_of([asdict(Event("heartbeat", "", over, moves=0, received=over))])
        recorded = all_recorded(self.store, "massive", day.session)
        with self.database.read() as connection:
            states = all_states(connection)
        later = {alert: (made, states[alert].adopted) for alert, made in self.later.items()}
        known = {alert: (made, at) for alert, (made, at) in later.items() if at is not None}
        assert known.keys() == later.keys()
        events = pl.concat([recorded, beat])
        return texts(evaluated_at_once(self.rules, events, day.session, later=known))


@contextmanager
def scene(
    vendor: Vendor, system_of: SystemOf, receiver: Receiver, lake_folder: Path, rest_every: int
) -> Iterator[Scene]:
    """Yield a day that a vendor sells, and alerts of many kinds on all its symbols.

    After so many events the vendor rests: else all would be over in a moment.
    """
    day, rests = vendor.day, vendor.socket.faults
    rules = many_rules(day.bars, day.bars["symbol"].to_list(), ("hook",))
    settings = read_settings(lake=str(lake_folder))
    for place in range(rest_every, day.tape.height, rest_every):
        rests.add(LiveFault("silence", at=place, seconds=_REST_S))
    with closing(open_database(settings)) as database:
        prepare(database)
        put_alerts(database, rules)
        add_destination(database, receiver.url, owner="anyone")
        start = partial(system_of, vendor, **_DELIVERY)
        yield Scene(vendor, start, database, LocalStore(lake_folder), rules, receiver)


def kill_over_and_over(
    scene: Scene, kills: int, seed: int, on_progress: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Kill the system at random moments, let the day end, and hold what was told to the record.

    Before each kill more alerts are made.
    """
    moment = random.Random(seed)  # noqa: S311 - when to kill is no secret
    tally = Tally()
    vendor = scene.vendor
    for left in range(kills, 0, -1):
        system = scene.start()
        before = count_told(scene.database)
        scene.add_alerts()
        chance = moment.random()
        if chance < _EARLY:
            time.sleep(moment.uniform(0, _START_S))
        else:
            many = (vendor.market.events.height - vendor.market.told) // left
            place = vendor.market.told + moment.randint(0, 2 * many)
            after = before if chance > 2 * _EARLY else -1
            assert eventually(partial(_is_due, scene, place, after)), system.said
            time.sleep(moment.uniform(0, _REST_S))
        system.kill()
        tally.kills += 1
        tally.told = count_told(scene.database)
        tally.amid += tally.told > before
        on_progress(tally)
    system = scene.start()
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    assert eventually(lambda: scene.has_told(system))
    assert 0 == system.stop(), system.said

    assert scene.expected() == told(scene.database) == scene.received
    assert scene.later.keys() & {each.partition(".")[0] for each in scene.received}
    tally.told = len(scene.received)
    return tally


def _is_due(scene: Scene, place: int, after: int) -> bool:
    """Whether so many events are sold, and more is told than there was; or all of it sold."""
    market = scene.vendor.market
    is_told = market.told >= place and count_told(scene.database) > after
    return is_told or scene.vendor.is_sold_out


def grudging(told: Told) -> Iterable[bytes]:
    """Say of one delivery in five that it was not taken, which it was: it comes again."""
    is_taken = zlib.crc32(told.body + told.headers["webhook-timestamp"].encode()) % 5
    return [answer("204 No Content" if is_taken else "503 Service Unavailable")]


def test_each_firing_is_told_once_however_often_the_system_is_killed(
    vendor_of: VendorOf,
    system_of: SystemOf,
    receive: Callable[..., Receiver],
    lake_folder: Path,
) -> None:
    vendor = vendor_of(sold_day(6, 600), per_frame=5)
    with scene(vendor, system_of, receive(grudging), lake_folder, 200) as scene_:
        tally = kill_over_and_over(scene_, 3, seed=3)
        assert tally.told > 100
        assert tally.amid > 0
