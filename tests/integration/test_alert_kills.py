"""The live system killed at any moment: each expected firing is notified exactly once.

What is expected is what one evaluation makes of the day as it is recorded in the end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from batch_layer.local_vendor import LiveFault
from database import Database, prepare
from lake.alerts.rule import Rule
from lake.event import Event
from lake.instant import microseconds
from lake.recorded import all_recorded
from lake.settings import Settings, read_settings
from lake.store import LocalStore
from lake.wire import events_of
from speed_layer.alerts.embedded import HELD_BACK_US
from tests.alerting import evaluated_at_once, many_rules, put_alerts, texts, told
from tests.days import Day
from tests.feeding import eventually
from tests.live_system import LATENESS_US, System, SystemOf, Vendor, VendorOf, sold_day

_START_S: Final = 3.0
"""Within which a kill comes that is to come while the system starts."""
_EARLY: Final = 0.25
"""Which share of the kills does."""
_REST_EVERY: Final = 200
"""After so many events the vendor rests: else all would be over in a moment."""
_REST_S: Final = 0.3


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

    def alerts_of(self, system: System) -> dict[str, Any]:
        told_by: dict[str, Any] = system.api("/health/live")["feeding"]["alerts"]
        return told_by

    def expected(self) -> dict[str, str]:
        """Return what is to be told of the day, as it is recorded, and was over in the end."""
        day = self.vendor.day
        over = microseconds(day.hours.dusk) + 2 * LATENESS_US - HELD_BACK_US
        beat = events_of([asdict(Event("heartbeat", "", over, moves=0, received=over))])
        recorded = all_recorded(self.store, "massive", day.session)
        return texts(evaluated_at_once(self.rules, pl.concat([recorded, beat]), day.session))


def scene(
    vendor_of: VendorOf,
    system_of: SystemOf,
    database: Database,
    store: LocalStore,
    day: Day,
    **how: Any,
) -> Scene:
    rules = many_rules(day.bars, day.bars["symbol"].to_list())
    put_alerts(database, rules)
    vendor = vendor_of(day, **how)
    for place in range(_REST_EVERY, day.tape.height, _REST_EVERY):
        vendor.socket.faults.add(LiveFault("silence", at=place, seconds=_REST_S))
    return Scene(vendor, lambda: system_of(vendor), database, store, rules)


def kill_over_and_over(
    scene: Scene, kills: int, seed: int, on_progress: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Kill the system at random moments, let the day end, and hold what was told to the record."""
    moment = random.Random(seed)  # noqa: S311 - when to kill is no secret
    tally = Tally()
    vendor = scene.vendor
    for left in range(kills, 0, -1):
        system = scene.start()
        before = len(told(scene.database))
        if moment.random() < _EARLY:
            time.sleep(moment.uniform(0, _START_S))
        else:
            many = (vendor.market.events.height - vendor.market.told) // left
            place = vendor.market.told + moment.randint(0, 2 * many)
            assert eventually(_has_told(vendor, place)), system.said
            time.sleep(moment.uniform(0, _REST_S))
        system.kill()
        tally.amid += len(told(scene.database)) > before
        tally.kills += 1
        tally.told = len(told(scene.database))
        on_progress(tally)
    system = scene.start()
    assert system.is_up(), system.said
    assert eventually(lambda: vendor.is_sold_out and system.is_idle)
    vendor.let_it_be_over()
    assert system.beats()
    assert 0 == system.stop(), system.said

    found = told(scene.database)
    assert scene.expected() == found
    tally.told = len(found)
    return tally


def _has_told(vendor: Vendor, place: int) -> Callable[[], bool]:
    return lambda: vendor.market.told >= place or vendor.is_sold_out


def test_each_firing_is_told_once_however_often_the_system_is_killed(
    vendor_of: VendorOf,
    system_of: SystemOf,
    database_of: Callable[[Settings], Database],
    lake_folder: Path,
) -> None:
    day = sold_day(6, 600)
    database = database_of(read_settings(lake=str(lake_folder)))
    prepare(database)
    scene_ = scene(vendor_of, system_of, database, LocalStore(lake_folder), day, per_frame=5)
    tally = kill_over_and_over(scene_, 3, seed=3)
    assert tally.told > 100
    assert tally.amid > 0
