"""A feed that is killed amid a day: the next one's lake has every event of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import polars as pl
import pytest

from batch_layer.local_vendor import Access, LiveMarket, LiveSocket, LocalVendor
from lake.recorded import recorded
from lake.store import LocalStore
from tests.feeding import DAY, a_day, eventually, identities

EVENTS = a_day(20_000)


class Process:
    """A feed of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.feed_process", *arguments]
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout
        self._health = self._process.stdout.readline().strip()

    @property
    def is_idle(self) -> bool:
        """Whether it was told of the outage, and has asked for all of it."""
        told = httpx.get(f"{self._health}/health/live", timeout=10).json()
        counts = told["counts"]
        return told["subscribed"] and counts.get("outages", 0) > 0 and not counts.get("filling")

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def stop(self) -> int:
        self._process.terminate()
        return self._end()

    def _end(self) -> int:
        assert self._process.stdout
        self._process.stdout.close()
        return self._process.wait(60)


@pytest.mark.parametrize("at", [(1500,), (3000, 9000, 9100)])
def test_a_lake_has_every_event_of_a_day_whose_feed_was_killed(
    at: tuple[int, ...], vendor_lake_folder: Path, tmp_path: Path, store: LocalStore
) -> None:
    """The day goes on while nobody listens.

    happens   |------1500#####2500------------|
    feed      |------X        ================|
    """
    market = LiveMarket(EVENTS)
    with (
        LocalVendor(LocalStore(vendor_lake_folder), live=market) as vendor,
        LiveSocket(market, Access()) as socket,
    ):
        arguments = (str(tmp_path / "lake"), str(tmp_path / "spool"), socket.url, vendor.url)
        for each in at:
            process = Process(*arguments)
            assert eventually(lambda least=each: market.told >= least)  # type: ignore[misc] # bound
            assert eventually(lambda: bool(list(tmp_path.rglob("*.jsonl*"))))
            process.kill()
            market.advance(1000)
        process = Process(*arguments)
        assert eventually(lambda: market.told == EVENTS.height and process.is_idle)
        status = process.stop()

    landed = pl.concat(recorded(store, "massive", DAY))
    assert 0 == status
    assert identities(EVENTS) == identities(landed)
    assert [] == list((tmp_path / "spool").rglob("*.jsonl"))
