"""What a feed tells of the exchange's hours, so that its silence at night is no alarm."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from lake.clock import SetClock
from lake.measuring import Measures
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import LocalStore
from speed_layer.feed import Health, opened, parse_feed
from tests.feeding import Listing


def test_a_feed_tells_whether_the_exchange_trades(sessions: SessionTable, tmp_path: Path) -> None:
    settings = Settings.model_validate({"massive_key": "k", "state": str(tmp_path / "state")})
    clock, measures = SetClock(dt.datetime(2025, 7, 2, 18, tzinfo=dt.UTC)), Measures("feed")
    store, spec = LocalStore(tmp_path / "lake"), parse_feed("massive")
    told = []
    with opened(
        spec,
        settings,
        store,
        Listing(),
        sessions=sessions,
        clock=clock,
        health=Health(),
        measures=measures,
    ):
        for day in (2, 3, 4):  # the 3rd closes at 17:00 UTC, and on the 4th nobody trades
            clock.instant = dt.datetime(2025, 7, day, 18, tzinfo=dt.UTC)
            lines = measures.text().decode().splitlines()
            told += [line for line in lines if line.startswith("fiblake_market_open ")]

    assert [f"fiblake_market_open {value}" for value in ("1.0", "0.0", "0.0")] == told
