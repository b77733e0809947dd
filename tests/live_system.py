"""The embedded system in a process of its own, and the local vendor that sells it a day.

`lake_folder`  the lake that it feeds
`vendor_of`    sells a day, and sets the clock that the system looks at
`system_of`    starts it
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import polars as pl
import pytest

from batch_layer.local_vendor import Access, LiveMarket, LiveSocket, LocalVendor
from lake import keys
from lake.instant import microseconds
from lake.live import BARS_SCHEMA
from lake.parquet import read_frame
from lake.schemas import LIVE_BARS
from lake.store import LocalStore
from tests.clocked import WallClock
from tests.command_line import Ran
from tests.days import SESSION, Day, made_day
from tests.feeding import eventually
from tests.parity.through import COLUMNS, KEY
from tests.parts import free_port

ROOT: Final = Path(__file__).parents[1]
LATENESS_US: Final = 900 * 10**6
_HOUR_US: Final = 3600 * 10**6
_URL: Final = re.compile(r"fiblake serves (http://\S+?)/ until")
_IDENTITY: Final = ["symbol", "time", "sequence"]


class Market(LiveMarket):
    """A market whose clock shows when the last event happened; an hour less before the first."""

    def __init__(self, events: pl.DataFrame, wall: WallClock) -> None:
        super().__init__(events)
        self._wall = wall
        wall.advance(events["received"].item(0) - _HOUR_US)

    def advance(self, count: int) -> pl.DataFrame:
        """Let so many more events happen, and return them."""
        events = super().advance(count)
        if events.height:
            self._wall.advance(events["received"].item(-1))
        return events


def sold_day(
    symbols: int = 6, each: int = 600, *, is_late: bool = True, session: dt.date = SESSION
) -> Day:
    """Return a messy day as Massive can sell it.

    It tells of milliseconds, and that a trade was restated, once: not how often.

    Args:
        symbols: How many.
        each: How many trades each has.
        is_late: Whether some come later than any engine waits.
        session: Of which session.
    """
    day = made_day(symbols, each, session=session)
    last = pl.col("revision").max().over(_IDENTITY)
    tape = day.tape.filter((last < 2) | (pl.col("revision") != 1))
    tape = tape.with_columns(
        time=pl.col("time") // 1000 * 1000, revision=pl.min_horizontal("revision", 1)
    )
    if not is_late:
        is_soon = pl.col("received") < pl.col("minute") + LATENESS_US
        tape = tape.filter(is_soon.all().over(_IDENTITY))
    return Day(day.hours, day.bars, day.trades, tape)


@dataclass
class Vendor:
    """Who sells a day, and the clock on everyone's wall."""

    day: Day
    rest: LocalVendor
    socket: LiveSocket
    market: Market
    wall: WallClock

    @property
    def is_sold_out(self) -> bool:
        return self.market.told == self.market.events.height

    def let_it_be_over(self) -> None:
        """Let it be so late that all bars are final."""
        self.wall.advance(microseconds(self.day.hours.dusk) + 2 * LATENESS_US)


VendorOf = Callable[..., Vendor]


@pytest.fixture
def lake_folder(tmp_path: Path, blank_lake: Path) -> Path:
    """A lake that has its session table, and nothing else."""
    shutil.copytree(blank_lake, tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def vendor_of(vendor_lake_folder: Path, tmp_path: Path) -> Iterator[VendorOf]:
    with ExitStack() as stack:

        def sell(day: Day, tape: pl.DataFrame | None = None, **how: Any) -> Vendor:
            wall = WallClock(tmp_path / "clock")
            stack.callback(wall.close)
            market = Market(day.tape if tape is None else tape, wall)
            rest = stack.enter_context(LocalVendor(LocalStore(vendor_lake_folder), live=market))
            socket = stack.enter_context(LiveSocket(market, Access(), **how))
            return Vendor(day, rest, socket, market, wall)

        yield sell


def command(wall: WallClock, *arguments: str | Path, **environment: str) -> Ran:
    """Run a command of `fiblake` by a clock."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.clocked", wall.path, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class System:
    """`fiblake up --feed massive`, until it is killed or stopped.

    Args:
        vendor: Whom it listens to.
        lake: The lake's folder.
        log: Where its standard error goes.
        environment: More of its settings.
    """

    def __init__(self, vendor: Vendor, lake: Path, log: Path, **environment: str) -> None:
        self._log = log
        self._health = f"http://127.0.0.1:{(port := free_port())}/health/live"
        settings = {
            "FIBLAKE_MASSIVE_KEY": "local-key",
            "FIBLAKE_MASSIVE_READER": "own",
            "FIBLAKE_MASSIVE_SOCKET": vendor.socket.url,
            "FIBLAKE_MASSIVE_URL": vendor.rest.url,
            "FIBLAKE_HEALTH_PORT": str(port),
            "FIBLAKE_FEED_LAND_SECONDS": "0.2",
            **environment,
        }
        asked = ["up", "--feed", "massive", "--port", "0", "--lake", str(lake)]
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.clocked", vendor.wall.path, *asked],
                stderr=errors,
                cwd=ROOT,
                env=os.environ | settings,
            )
        self._client = httpx.Client(timeout=30)

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def health(self) -> dict[str, Any]:
        """What the feed tells of itself; nothing before it can."""
        try:
            told: dict[str, Any] = self._client.get(self._health).json()
        except httpx.TransportError:
            return {}
        return told

    @property
    def is_idle(self) -> bool:
        """Whether it has asked for all that it missed."""
        told = self.health
        return bool(told) and told["subscribed"] and not told["counts"].get("filling")

    def has_taken(self, events: pl.DataFrame) -> bool:
        """Whether all events have reached it, since it was started."""
        told = self.health
        return bool(told) and told["counts"].get("accepted", 0) >= events.height

    def beats(self, times: int = 2) -> bool:
        """Wait until the engine was told the time."""
        before = self.health["counts"].get("heartbeats", 0)
        return eventually(lambda: self.health["counts"].get("heartbeats", 0) >= before + times)

    def is_up(self) -> bool:
        return eventually(lambda: bool(_URL.search(self.said)))

    def live(self, symbol: str, interval: str = "1m", hours: str = "regular") -> dict[str, Any]:
        """Return what the API tells of a symbol."""
        return self.api(f"/v1/live/{symbol}", interval=interval, session=hours)

    def api(self, path: str, **asked: str) -> dict[str, Any]:
        """Return what the API answers."""
        found = _URL.search(self.said)
        assert found, self.said
        answer = self._client.get(f"{found[1]}{path}", params=asked)
        told: dict[str, Any] = answer.raise_for_status().json()
        return told

    def versions(self, *symbols: str) -> dict[tuple[str, ...], int]:
        """Return the versions of the bars of some intervals that the API tells of."""
        return {
            (symbol, interval, hours, bar["start"]): bar["version"]
            for symbol in symbols
            for interval in ("1m", "1h", "1d")
            for hours in ("regular", "extended")
            for bar in self.live(symbol, interval, hours)["bars"]
        }

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """End it as an init system does, and return its exit code."""
        self.process.terminate()
        return self._end()

    def ended(self) -> int:
        """Wait until it ends by itself."""
        return self._end()

    def _end(self) -> int:
        self._client.close()
        return self.process.wait(60)


SystemOf = Callable[..., System]


@pytest.fixture
def system_of(lake_folder: Path, tmp_path: Path) -> Iterator[SystemOf]:
    """Start systems on one lake; whatever runs at the end is killed."""
    started: list[System] = []

    def start(vendor: Vendor, **environment: str) -> System:
        log = tmp_path / f"system-{len(started)}.log"
        started.append(System(vendor, lake_folder, log, **environment))
        return started[-1]

    yield start
    for system in started:
        if system.process.poll() is None:
            system.kill()


def kept_bars(store: LocalStore, session: dt.date) -> pl.DataFrame:
    """Return the live bars that were kept in the lake; all of them are final."""
    told, _ = read_frame(store, keys.live_bars(session), LIVE_BARS)
    return final(told)


def final(told: pl.DataFrame) -> pl.DataFrame:
    """Return bars that are all final, as `through_batch` has them."""
    bars = told.filter(pl.col("open").is_not_null())
    assert ["final"] == bars["state"].unique().to_list()
    return bars.select(pl.col(name).cast(BARS_SCHEMA[name]) for name in COLUMNS).sort(KEY)
