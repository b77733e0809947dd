"""Replays in one process: of whatever kind the day was recorded, it has its bars."""

from __future__ import annotations

from typing import Final

import orjson
import pytest

from batch_layer.generating.trading import record
from database import Database
from database.alert_flow import (
    Progress,
    StateRow,
    all_market,
    all_states,
    keep_progress,
    take_over,
)
from fiblake import Lake
from fiblake.alerts.alerting import Alerting
from fiblake.live import fed_view
from lake.errors import FiblakeError
from lake.event import Event, Kind
from lake.interval import Interval
from speed_layer.alerts.embedded import PRESENT
from tests.days import SESSION
from tests.evaluated_alerts import put_alert, rule, told
from tests.feeding import eventually
from tests.minutes import at
from tests.trading import frame, micros

DAY: Final = Interval.parse("1d")


@pytest.mark.parametrize("kind", ["second", "minute"])
def test_a_day_of_aggregates_is_replayed_as_one(lake: Lake, kind: Kind) -> None:
    start = micros(at(SESSION, "10:00:00"))
    event = Event(
        kind, "AA", start, minute=start, price=10.0, size=100.0, open=9.0, high=11.0, low=8.0
    )
    record(lake.store, "generated", SESSION, frame([event]))
    failures: list[FiblakeError] = []

    with fed_view(lake, f"replay:{SESSION}@max", failures.append) as (view, told_of):
        assert eventually(lambda: not view.bars("AA", DAY).is_empty())
        (bar,) = view.bars("AA", DAY).iter_rows(named=True)
        assert 1 == told_of()["engine"]["accepted"] == told_of()["feed"]["counts"]["accepted"]

    assert [] == failures
    assert (9.0, 11.0, 8.0, 10.0, 100.0) == tuple(
        bar[name] for name in ("open", "high", "low", "close", "volume")
    )


@pytest.mark.parametrize(("flow", "is_evaluated"), [(PRESENT, False), ("replay:other", True)])
def test_a_replay_leaves_alerts_alone_that_are_of_the_present(
    lake: Lake,
    any_database: Database,
    flow: str,
    is_evaluated: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    record(lake.store, "generated", SESSION, frame([minute_of(10.0)]))
    put_alert(any_database, "al_a", rule("AA", {"kind": "price", "relation": "above", "level": 1}))
    with any_database.write() as connection:
        epoch = take_over(connection).epoch
        state = StateRow("al_a", 1, '{"marks":[0]}', 0, None, is_done=False, adopted=None)
        market = {"MSFT": "{}"} if flow == PRESENT else {}
        position = orjson.dumps({"flow": flow}).decode()
        keep_progress(connection, epoch, Progress(position, [state], market))
    failures: list[FiblakeError] = []
    alerting = Alerting(any_database)
    feed = f"replay:{SESSION}@max"

    with fed_view(lake, feed, failures.append, alerting=alerting) as (view, told_of):
        assert eventually(lambda: not view.bars("AA", DAY).is_empty())
        alerts = told_of()["alerts"]
        if is_evaluated and any_database.is_embedded:
            assert eventually(lambda: {"al_a.1.1"} == told(any_database).keys())

    assert [] == failures
    if is_evaluated and any_database.is_embedded:
        return
    assert "A replay evaluates no alerts" in alerts["failure"]
    assert "FIBLAKE_STATE of its own" in alerts["hint"]
    with any_database.write() as connection:
        assert market == all_market(connection)
        assert {"al_a": state} == all_states(connection)
        assert epoch + 1 == take_over(connection).epoch
    assert {} == told(any_database)


def minute_of(price: float) -> Event:
    start = micros(at(SESSION, "10:00:00"))
    return Event(
        "minute",
        "AA",
        start,
        minute=start,
        price=price,
        size=1.0,
        open=price,
        high=price,
        low=price,
    )
