"""What alerts see of what an engine elsewhere tells: the same in whichever batches it comes."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.alerts.seen import Seen, SeenBar, Tick
from lake.hours import hours_of
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from lake.live_wire import Told, decode_told, encode_told
from speed_layer.alerts.ends import Ends
from speed_layer.alerts.told_flow import ToldFlow
from speed_layer.engine import Engine
from tests.flow import rough_day
from tests.minutes import at
from tests.trading import MINUTE_US, frame, micros, table

DAY: Final = dt.date(2024, 3, 8)
GRACE: Final = dt.timedelta(seconds=5)
SECOND_US: Final = 1_000_000
Row = dict[str, Any]
SOME: Final = settings(max_examples=30, deadline=None)
START: Final = micros(at(DAY, "10:00"))


def flow(*symbols: str, **others: Any) -> ToldFlow:
    """Return a flow that follows some symbols, and tells no bar as it forms."""
    made = ToldFlow(table(), grace=GRACE, **others)
    made.follow(symbols)
    made.want(None, ())
    return made


def lines_of(seed: int, counts: Sequence[int], every: int) -> list[bytes]:
    """Return what an engine tells of a day, so many events at a time."""
    events, engine = rough_day(hours_of(DAY, table()), counts, seed), Engine(table())
    batches = [events[first : first + every] for first in range(0, len(events), every)]
    changes = [engine.apply(frame(batch)) for batch in batches]
    return [line for each in changes for line in encode_told(Told(each.bars, each.prices))]


def taken(made: ToldFlow, lines: Sequence[bytes], cuts: Collection[int] = ()) -> list[Seen]:
    """Return all that is seen of lines in batches."""
    edges = [0, *sorted(cuts), len(lines)]
    batches = [lines[first:end] for first, end in itertools.pairwise(edges)]
    return [each for batch in batches for each in made.take(decode_told(batch))]


class OneByOne:
    """What the law says is seen of a symbol, line by line."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.ends = Ends(table())
        self.clock = 0
        self.latest: dict[tuple[str, str, int], Row] = {}
        self.done: dict[tuple[str, str], int] = {}

    def take(self, lines: Iterable[bytes]) -> Iterator[Seen]:
        for row in map(json.loads, lines):
            if row["symbol"] != self.symbol:
                continue
            if row["row"] == "bar":
                yield from self.bar(row)
            elif row.get("price") is not None:
                self.clock = max(self.clock, row["time"])
                yield from self.complete()
                yield Tick(self.symbol, row["time"], row["version"], row["price"])

    def bar(self, row: Row) -> Iterator[Seen]:
        key = (row["interval"], row["hours"], row["start"])
        is_old = key in self.latest and row["version"] <= self.latest[key]["version"]
        if row["interval"] != "1d" and row["start"] > self.done.get(key[:2], 0) and not is_old:
            self.latest[key] = row
            yield from self.complete()

    def complete(self) -> Iterator[SeenBar]:
        ready = []
        for (interval, hours, start), row in self.latest.items():
            due = self.ends.of(interval, DAY)[start] + 5 * SECOND_US
            is_over = due <= self.clock or row["state"] == "final"
            if is_over and start > self.done.get((interval, hours), 0):
                ready.append((due, -start, interval, hours, row))
        for due, _, interval, hours, row in sorted(ready, key=lambda each: each[:3]):
            self.done[interval, hours] = row["start"]
            if row.get("open") is not None:
                told = {name: row[name] for name in SeenBar._fields if name in row}
                yield SeenBar(**{**told, "time": due, "state": "final"})


@SOME
@given(
    seed=st.integers(0, 2**32),
    every=st.sampled_from([1, 2, 7]),
    again=st.booleans(),
    data=st.data(),
)
def test_what_is_seen_of_a_symbol_is_the_law_s_in_whichever_batches_lines_come(
    seed: int,
    every: int,
    again: bool,  # noqa: FBT001 - Hypothesis gives it by name
    data: st.DataObject,
) -> None:
    lines = lines_of(seed, [12, 6], every)
    if again:
        # An engine that was killed tells some of it again.
        cut = data.draw(st.integers(0, len(lines)))
        lines = lines[:cut] + lines[max(0, cut - 20) :]
    cuts = data.draw(st.sets(st.integers(0, len(lines)), max_size=8))

    seen = taken(flow("S0"), lines, cuts)

    assert list(OneByOne("S0").take(lines)) == seen


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_a_flow_made_of_its_rows_goes_on_as_if_it_had_never_stopped(
    seed: int, data: st.DataObject
) -> None:
    lines = lines_of(seed, [15, 15], 3)
    stops = sorted(data.draw(st.sets(st.integers(0, len(lines)), min_size=1, max_size=4)))
    whole = flow("S0", "S1")
    whole.want(None, None)
    expected = taken(whole, lines)

    rows: dict[str, str] = {}
    seen: list[Seen] = []
    for first, end in itertools.pairwise([0, *stops, len(lines)]):
        part = flow("S0", "S1", rows=rows)
        part.want(None, None)
        seen += taken(part, lines[first:end])
        rows |= {key: row for key, row in part.changed().items() if row is not None}

    assert expected == seen


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_told_again_from_an_earlier_place_the_rest_is_the_same(
    seed: int, data: st.DataObject
) -> None:
    lines = lines_of(seed, [20], 3)
    kept, killed = sorted(data.draw(st.tuples(*[st.integers(0, len(lines))] * 2)))
    live = flow("S0")
    taken(live, lines[:kept])
    rows = {key: row for key, row in live.changed().items() if row is not None}
    between = taken(live, lines[kept:killed])
    after = taken(live, lines[killed:])

    again = taken(flow("S0", rows=rows), lines[kept:])

    assert between + after == again


def bar(**others: Any) -> pl.DataFrame:
    row = dict.fromkeys(("open", "high", "low", "close", "vwap"), 10.0)
    told = {"symbol": "AA", "interval": "5m", "session": DAY, "hours": "regular", "start": START}
    rest = {"volume": 5.0, "trades": 1, "minutes": 1, "state": "forming", "version": 2}
    return pl.DataFrame([row | told | rest | others], schema=BARS_SCHEMA)


def price(after_s: float, amount: float | None = 10.0, **others: Any) -> pl.DataFrame:
    row = {"symbol": "AA", "session": DAY, "price": amount, "time": START + int(after_s * 10**6)}
    rest = {"received": 0, "source": "test", "version": 1}
    return pl.DataFrame([row | rest | others], schema=PRICES_SCHEMA)


def names(seen: Sequence[Seen]) -> list[str]:
    return [
        f"{each.interval} {each.state}" if isinstance(each, SeenBar) else "tick" for each in seen
    ]


def test_a_bar_is_complete_once_a_price_of_its_symbol_is_past_its_grace() -> None:
    made = flow("AA")
    assert [] == made.take(Told(bars=bar()))
    assert ["tick"] == names(made.take(Told(prices=price(301))))
    # Another symbol's time tells nothing: its shard may be ahead.
    assert [] == names(made.take(Told(prices=price(900, symbol="BB"))))

    seen = made.take(Told(prices=price(305)))

    assert ["5m final", "tick"] == names(seen)
    assert START + 305 * SECOND_US == seen[0].time


def test_what_is_told_of_a_bar_after_it_was_complete_is_not_seen() -> None:
    made = flow("AA")
    made.want(None, None)
    made.take(Told(bar(), price(305)))

    assert [] == made.take(Told(bar(version=4)))
    assert [] == made.take(Told(bar(version=7, state="final")))


def test_a_bar_that_the_engine_calls_final_is_complete_without_a_price() -> None:
    made = flow("AA")

    assert ["5m final"] == names(made.take(Told(bar(state="final", version=3))))


def test_a_bar_that_comes_after_the_price_that_completes_it_is_complete() -> None:
    made = flow("AA")
    made.take(Told(prices=price(400)))

    assert ["5m final"] == names(made.take(Told(bar())))


def test_a_bar_that_vanished_is_not_seen() -> None:
    made = flow("AA")
    made.want(None, None)
    gone = dict.fromkeys(("open", "high", "low", "close"))

    assert ["5m forming"] == names(made.take(Told(bar())))
    assert [] == names(made.take(Told(bar(version=4, **gone))))
    assert ["tick"] == names(made.take(Told(prices=price(400))))


def test_a_price_that_was_cancelled_is_no_tick() -> None:
    assert [] == flow("AA").take(Told(prices=price(0, None, time=0)))


def test_the_bar_of_a_day_is_told_as_it_forms_and_never_as_final() -> None:
    made = flow("AA")
    made.want((), [("AA", "21d", "regular")])
    midnight = micros(dt.datetime.combine(DAY, dt.time(), dt.UTC))
    day = {"interval": "1d", "start": midnight}

    assert ["1d forming"] == names(made.take(Told(bar(**day))))
    assert [] == names(made.take(Told(bar(**day))))
    assert ["1d forming"] == names(made.take(Told(bar(**day, version=5, state="final"))))
    assert [] == names(made.take(Told(bar())))


def test_of_a_symbol_followed_later_nothing_is_seen_that_was_over() -> None:
    made = flow()
    made.take(Told(prices=price(400, symbol="BB")))
    made.follow(["AA"])

    assert [] == made.take(Told(bar(state="final"), price(400)))
    later = bar(start=START + 5 * MINUTE_US)
    assert ["tick", "5m final"] == names(made.take(Told(prices=price(700)))) + names(
        made.take(Told(later))
    )


def test_bars_are_told_as_they_form_once_the_clock_is_past_what_was_kept() -> None:
    made = flow("AA", resumed=START + 60 * SECOND_US)
    made.want(None, None)

    assert ["tick"] == names(made.take(Told(prices=price(60))))
    assert [] == names(made.take(Told(bar())))
    assert ["tick"] == names(made.take(Told(prices=price(61))))
    assert ["5m forming"] == names(made.take(Told(bar(version=4))))


def test_rows_of_symbols_that_are_followed_no_more_are_dropped() -> None:
    made = flow("AA", "BB")
    rows = made.changed()
    made.follow(["AA"])
    assert {"flow BB": None} == made.changed()

    again = flow("AA", rows={key: row for key, row in rows.items() if row})
    again.take(Told())
    assert {"flow BB": None} == again.changed()


@pytest.mark.parametrize("start", [START + 1, START - 30 * 86_400 * SECOND_US])
def test_a_bar_that_can_be_none_is_passed_over(start: int) -> None:
    assert [] == flow("AA").take(Told(bar(start=start, state="final")))
