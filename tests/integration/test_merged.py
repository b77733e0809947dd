"""The lake's bars and live ones, merged over real parts, whatever happens and comes between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.bronze import splits
from fiblake import Lake
from lake.bar import Hours
from lake.boundary import read_boundary
from lake.clock import SetClock
from lake.interval import DAILY, SESSION_INTERVALS, Interval
from lake.session import SessionTable, bucket_of
from serving_layer.merged import MergedReader
from serving_layer.query import ADJUSTMENTS, Adjustment, BarsQuery
from serving_layer.reader import Reader
from speed_layer.views import MemoryView
from tests.conftest import NOW
from tests.frames import assert_bars_close, commit, split
from tests.integration.test_resample import new_lake
from tests.live import NO_PRICES, bars_of, day_bar
from tests.oracle import bars_of as folded

SOME = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
SYMBOLS: Final = ("AA", "B")
FIRST: Final = 10_500
SESSIONS: Final = 12
Row = dict[str, Any]


@dataclass
class World:
    """A lake, a view, and all that ever happened, from which an answer can be computed anew.

    Attributes:
        days: The latest of each (symbol, session), as it was told.
        told: How far the live sessions are.
        imported: Of which (symbol, session) bronze has a bar.
        resampled: Of which silver has.
        between: What happens, one at a time, whenever a query has looked at something.
    """

    lake: Lake
    table: SessionTable
    view: MemoryView = field(default_factory=lambda: MemoryView(SetClock(NOW)))
    days: dict[tuple[str, dt.date], Row] = field(default_factory=dict)
    splits: list[Row] = field(default_factory=list)
    told: int = FIRST
    imported: set[tuple[str, dt.date]] = field(default_factory=set)
    resampled: set[tuple[str, dt.date]] = field(default_factory=set)
    between: list[Callable[[], None]] = field(default_factory=list)

    @property
    def today(self) -> dt.date:
        return self.table[self.told]

    def tick(self, symbol: str, price: float, size: float) -> None:
        """Let a trade happen today."""
        before = self.days.get((symbol, self.today))
        old = before or {"open": price, "high": price, "low": price, "volume": 0.0, "version": 0}
        self.days[symbol, self.today] = day_bar(
            symbol,
            self.today,
            old["version"] // 2 + 1,
            open=old["open"],
            high=max(old["high"], price),
            low=min(old["low"], price),
            close=price,
            volume=old["volume"] + size,
        )
        self.view.put(bars_of(self.days[symbol, self.today]), NO_PRICES)

    def end_day(self) -> None:
        for symbol in SYMBOLS:
            row = self.days.get((symbol, self.today))
            if row:
                row = row | {"state": "final", "version": row["version"] + 1}
                self.days[symbol, self.today] = row
                self.view.put(bars_of(row), NO_PRICES)
        self.told += 1

    def split(self, symbol: str, ratio: float) -> None:
        """Split a symbol from tomorrow on, and say so today."""
        tomorrow = self.table[self.told + 1]
        if not any(
            (symbol, tomorrow) == (each["listing"], each["effective"]) for each in self.splits
        ):
            row = {"listing": symbol, "effective": tomorrow, "split_to": ratio, "split_from": 1.0}
            self.splits.append(row)
            splits.commit(self.lake.store, split(symbol, tomorrow, ratio), clock=SetClock(NOW))

    def import_days(self, *symbols: str) -> None:
        """Let bronze learn of all sessions that are over, of some symbols or of all."""
        fresh = {
            key: row
            for key, row in self.days.items()
            if key[0] in (symbols or SYMBOLS) and key[1] < self.today and key not in self.imported
        }
        names = ["open", "high", "low", "close", "volume", "vwap", "trades"]
        rows = [
            {"symbol": symbol, "session": session, **{name: row[name] for name in names}}
            for (symbol, session), row in fresh.items()
        ]
        if rows:
            commit(self.lake, pl.DataFrame(rows, infer_schema_length=None))
        self.imported |= fresh.keys()

    def resample(self) -> None:
        if self.imported:
            self.lake.resample()
        self.resampled = set(self.imported)

    def commit(self) -> None:
        """Let batch cover all that is over, and the view forget it."""
        self.import_days()
        self.resample()
        self.forget()

    def forget(self) -> None:
        """Let the view forget what batch has covered."""
        self.view.forget(daily=read_boundary(self.lake.store).daily, minute=None)

    def bars(self, symbol: str, interval: Interval, hours: Hours = "regular") -> pl.DataFrame:
        self.happen()
        found = self.view.bars(symbol, interval, hours)
        self.happen()
        return found

    def price(self, symbols: Iterable[str] | None = None) -> pl.DataFrame:
        return self.view.price(symbols)

    def happen(self) -> None:
        if self.between:
            self.between.pop(0)()

    def reader(self) -> MergedReader:
        return MergedReader(_Interrupted(self.lake, self), self)

    def committed(self) -> dt.date | None:
        return read_boundary(self.lake.store).daily

    def known(self) -> dt.date | None:
        """Return the last session that bronze has, of whichever symbol."""
        return max((session for _, session in self.imported), default=None)

    def expected(self, symbol: str, n: int, adjustment: str) -> list[list[Row]]:
        """Return the bars that all events make: of each look at the lake that an answer may have.

        What batch has considered counts as batch has it, and what is after it, whoever has it.
        """
        committed = self.committed()
        answers = []
        for has, covered in product((self.resampled, self.imported), (committed, self.known())):
            by_bucket: dict[dt.date, list[Row]] = {}
            for (name, session), row in sorted(self.days.items()):
                if name == symbol and ((name, session) in has or is_after(session, committed)):
                    bucket = bucket_of(session, sessions_per_bar=n, table=self.table)
                    told = {"listing": symbol, "revision": 0, **row}
                    by_bucket.setdefault(bucket.first, []).append(told)
            bars = [self._bar(start, rows, n, covered) for start, rows in by_bucket.items()]
            answers.append([self._based(bar, adjustment) for bar in bars])
        return answers

    def _bar(self, start: dt.date, rows: list[Row], n: int, covered: dt.date | None) -> Row:
        last = bucket_of(start, sessions_per_bar=n, table=self.table).last
        through = rows[-1]["session"]
        if covered is not None and covered > through:
            through = min(covered, last)
        (bar,) = folded(rows, self.splits, n=n, table=self.table, through=through)
        is_over = bar.state == "final" and all(row["state"] == "final" for row in rows)
        return asdict(bar) | {"state": "final" if is_over else "forming"}

    def _based(self, bar: Row, adjustment: str) -> Row:
        """Return a bar on the basis of today, or as it is where it is raw."""
        later = [
            each["split_to"]
            for each in self.splits
            if each["listing"] == bar["listing"] and each["effective"] > bar["through"]
        ]
        shares = prod(later) if adjustment != "raw" else 1.0
        prices = {name: bar[name] / shares for name in ("open", "high", "low", "close", "vwap")}
        return bar | prices | {"volume": bar["volume"] * shares}


def is_after(session: dt.date, boundary: dt.date | None) -> bool:
    return boundary is None or session > boundary


class _Interrupted(Reader):
    """The lake's reader, that lets things happen before and after it looks at something."""

    def __init__(self, lake: Lake, world: World) -> None:
        super().__init__(lake.store, SetClock(NOW))
        self._world = world

    def boundary(self, interval: Interval = SESSION_INTERVALS[0]) -> dt.date | None:
        self._world.happen()
        found = super().boundary(interval)
        self._world.happen()
        return found

    def bars_of(self, *asked: Any, **more: Any) -> pa.Table:
        self._world.happen()
        found = super().bars_of(*asked, **more)
        self._world.happen()
        return found


def assert_one_of(possible: list[list[Row]], found: list[Row]) -> None:
    """Assert that there are as many bars as there may be, and that each is one of those."""
    starts = [[bar["start"] for bar in bars] for bars in possible]
    assert [bar["start"] for bar in found] in starts
    for bar in found:
        same = [each for bars in possible for each in bars if each["start"] == bar["start"]]
        told = [each for each in same if each["through"] == bar["through"]]
        near = [each for each in told if each["volume"] == pytest.approx(bar["volume"])]
        assert_bars_close((near or told or same)[:1], [bar])


def worlds(blank: Path, table: SessionTable, data: st.DataObject) -> World:
    """Draw a world in which something happened."""
    world = World(new_lake(blank), table)
    sizes, prices = st.integers(1, 9), st.integers(1, 100)
    seldom = ["import", "import one", "batch", "forget", "split"]
    acts = st.sampled_from(["tick"] * 6 + ["end_day"] * 4 + seldom)
    for act in data.draw(st.lists(acts, min_size=4, max_size=24)):
        symbol = data.draw(st.sampled_from(SYMBOLS))
        if act == "tick":
            world.tick(symbol, float(data.draw(prices)), float(data.draw(sizes)))
        elif act == "end_day" and world.told < FIRST + SESSIONS:
            world.end_day()
        elif act == "split":
            world.split(symbol, data.draw(st.sampled_from([2.0, 4.0, 0.5])))
        elif act == "import one":
            world.import_days(symbol)
        elif act in {"import", "batch"}:
            world.import_days()
            if act == "batch":
                world.resample()
        elif act == "forget":
            world.forget()
    return world


@SOME
@given(data=st.data())
def test_whatever_happens_an_answer_is_what_all_events_make(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    """Ticks, splits, commits of batch and what the view forgets, also between the looks of a query.

    query    view ---- boundary ---- silver
    batch        import ... resample, forget       wherever they fall
    """
    world = worlds(blank_lake, sessions, data)
    world.import_days(data.draw(st.sampled_from(SYMBOLS)))
    known = [symbol for symbol in SYMBOLS if any(symbol == name for name, _ in world.days)]
    for symbol in known:
        interval = data.draw(st.sampled_from(SESSION_INTERVALS))
        adjustment = data.draw(st.sampled_from(ADJUSTMENTS))
        batch: list[Callable[[], None]] = [world.import_days, world.resample, world.forget]
        pauses = data.draw(st.integers(0, 5))
        world.between = [lambda: None] * pauses + data.draw(
            st.sampled_from([batch, [world.commit], []])
        )
        before = world.expected(symbol, interval.sessions, adjustment)
        query = BarsQuery((symbol,), interval, adjustment=adjustment)

        found = world.reader().bars(query).to_pylist()

        world.between = []
        after = world.expected(symbol, interval.sessions, adjustment)
        assert_one_of(before + after, found)


@pytest.mark.parametrize("adjustment", ADJUSTMENTS)
def test_a_live_day_counts_though_the_lake_has_that_session_of_another(
    blank_lake: Path, sessions: SessionTable, adjustment: Adjustment
) -> None:
    # silver       |one                |
    # bronze of B  |one  two           |     of AA the vendor has not told of two yet
    # live of AA          two   three  |
    world = World(new_lake(blank_lake), sessions)
    for volume in (1.0, 2.0):
        world.tick("AA", 10.0 * volume, volume)
        world.tick("B", 10.0, 5.0)
        world.end_day()
        if volume == 1:
            world.commit()
    world.import_days("B")
    world.tick("AA", 30.0, 4.0)

    found = world.reader().bars(BarsQuery(("AA",), DAILY, adjustment=adjustment))

    assert [1.0, 2.0, 4.0] == found["volume"].to_pylist()


@pytest.mark.parametrize("interval", ["1d", "5d"])
@pytest.mark.parametrize("pauses", range(7))
def test_a_commit_between_any_two_looks_makes_no_hole_and_counts_nothing_twice(
    blank_lake: Path, sessions: SessionTable, pauses: int, interval: str
) -> None:
    # silver  |one             |
    # live         two  three  |       batch covers two, and it is forgotten, amid the query
    world = World(new_lake(blank_lake), sessions)
    world.tick("AA", 10.0, 1.0)
    world.end_day()
    world.commit()
    world.tick("AA", 20.0, 2.0)
    world.end_day()
    world.tick("AA", 30.0, 4.0)
    world.between = [lambda: None] * pauses + [world.commit]
    query = BarsQuery(("AA",), Interval.parse(interval), adjustment="raw")

    found = world.reader().bars(query)

    assert 7.0 == sum(found["volume"].to_pylist())
    assert 3 == sum(found["sessions"].to_pylist())
    assert (10.0, 30.0) == (found["open"][0].as_py(), found["close"][-1].as_py())


@SOME
@given(data=st.data())
def test_silver_s_road_and_that_of_daily_bars_meet(
    blank_lake: Path, sessions: SessionTable, data: st.DataObject
) -> None:
    """Without dividends `all` is `split`; pages in either order make the whole of it."""
    world = worlds(blank_lake, sessions, data)
    world.import_days()
    world.resample()
    if world.told < FIRST + SESSIONS:
        world.tick("AA", 50.0, 3.0)
    known = tuple(symbol for symbol in SYMBOLS if any(symbol == name for name, _ in world.days))
    interval = data.draw(st.sampled_from(SESSION_INTERVALS))
    as_of = data.draw(st.sampled_from([None, sessions[FIRST + 3]]))
    limit = data.draw(st.integers(1, 7))
    reader = world.reader()
    if not known:
        return
    asked: Row = {"symbols": known, "interval": interval, "as_of": as_of}

    by_split = reader.bars(BarsQuery(**asked))
    by_all = reader.bars(BarsQuery(**asked, adjustment="all"))

    assert_bars_close(by_split.to_pylist(), by_all.to_pylist())
    assert by_split.num_rows == sum(piece.num_rows for piece in reader.stream(BarsQuery(**asked)))
    for adjustment in ("split", "all"):
        paged = BarsQuery(**asked, limit=limit, adjustment=adjustment)
        assert_bars_close(by_split.to_pylist(), pages(reader, paged))
        backwards = pages(reader, BarsQuery(**asked, limit=limit, descending=True))
        by_name = sorted(backwards, key=lambda row: (row["listing"], row["start"]))
        assert_bars_close(by_split.to_pylist(), by_name)
        assert [*reversed([row["listing"] for row in backwards])] == sorted(
            (row["listing"] for row in backwards), reverse=True
        )


def pages(reader: MergedReader, query: BarsQuery) -> list[Row]:
    """Return the bars of a query, page by page."""
    rows: list[Row] = []
    while True:
        page = reader.bars(query).to_pylist()
        rows += page
        if len(page) < (query.limit or 0):
            return rows
        query = replace(query, after=(page[-1]["listing"], page[-1]["start"]))
