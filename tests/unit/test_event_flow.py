"""What alerts see of events: the same, in the same order, wherever batches of them are cut."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.alerts.history import BarsKey
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.event import OPEN_CLOSE, Event, Kind
from lake.hours import hours_of
from lake.instant import microseconds
from speed_layer.alerts.event_flow import EventFlow
from tests.flow import rough_day
from tests.minutes import at
from tests.trading import MINUTE_US, Oracle, frame, heartbeat, micros, table, trade

DAY: Final = dt.date(2024, 3, 8)
NEXT: Final = dt.date(2024, 3, 11)
GRACE: Final = dt.timedelta(seconds=5)
SECOND_US: Final = 1_000_000
DAWN: Final = microseconds(hours_of(DAY, table()).dawn)
SOME: Final = settings(max_examples=40, deadline=None)


def flow(*symbols: str, kind: Kind = "trade", begin: int = DAWN, **others: Any) -> EventFlow:
    """Return a flow that follows some symbols from its begin on, and tells no bar as it forms."""
    made = EventFlow(table(), kind=kind, grace=GRACE, begin=begin, **others)
    made.follow(symbols)
    made.want(None, ())
    return made


def taken(made: EventFlow, events: Sequence[Event], cuts: Collection[int] = ()) -> list[Seen]:
    """Return all that is seen of events in batches."""
    edges = [0, *sorted(cuts), len(events)]
    batches = [events[first:end] for first, end in itertools.pairwise(edges)]
    return [each for batch in batches for each in made.take(frame(batch))]


def one_by_one(events: Sequence[Event], followed: Collection[str]) -> Iterator[Seen]:
    """Yield what the law says is seen: each event is taken alone, and each bar looked at."""
    oracle = Oracle(table(), lateness=GRACE, clock=DAWN)
    told: set[tuple[Any, ...]] = set()
    for event in events:
        oracle.take([event])
        final = [row for row in oracle.bars().values() if row["state"] == "final"]
        new = [bar_of(row) for row in final if row["interval"] != "1d"]
        due = [bar for bar in new if bar[:4] not in told and bar.symbol in followed]
        told |= {bar[:4] for bar in due}
        yield from sorted(due, key=lambda bar: (bar.time, bar.symbol, -bar.start, bar.interval))
        is_price = event.moves & OPEN_CLOSE and not event.cancelled and event.kind == "trade"
        if is_price and event.symbol in followed:
            yield Tick(event.symbol, event.time, event.sequence, event.price)


def bar_of(row: dict[str, Any]) -> SeenBar:
    hours = hours_of(row["session"], table())
    opens, closes = micros(hours.open), micros(hours.close)
    minutes = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "2h": 120, "4h": 240}.get(row["interval"], 0)
    ends = [row["start"] + minutes * MINUTE_US, micros(hours.dusk)]
    ends += [edge for edge in (opens, closes) if edge > row["start"]]
    told = {name: row[name] for name in SeenBar._fields if name in row}
    return SeenBar(**told, time=min(ends) + 5 * SECOND_US)


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_what_is_seen_is_the_law_s_wherever_batches_are_cut(seed: int, data: st.DataObject) -> None:
    events = rough_day(hours_of(DAY, table()), [12, 8, 5], seed)
    events += [heartbeat(NEXT, "04:00")]
    cuts = data.draw(st.sets(st.integers(0, len(events)), max_size=12))
    followed = data.draw(st.sampled_from([("S0",), ("S0", "S2"), ("S0", "S1", "S2")]))

    seen = taken(flow(*followed), events, cuts)

    assert list(one_by_one(events, followed)) == seen


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_told_again_nothing_is_seen_twice_but_what_is_of_the_instant_at_which_it_was_kept(
    seed: int, data: st.DataObject
) -> None:
    events = rough_day(hours_of(DAY, table()), [12, 8, 5], seed)
    kept = data.draw(st.integers(0, len(events)))
    cuts = data.draw(st.sets(st.integers(0, len(events)), max_size=12))
    first = flow("S0", "S2")
    begin = taken(first, events[:kept])
    reached = first.reached
    rest = taken(first, events[kept:])
    resumed = flow("S0", "S2", kept=reached)
    again = taken(resumed, events, cuts)

    assert len(rest) <= len(again)
    assert ([*begin, *rest])[len(begin) + len(rest) - len(again) :] == again
    clock = itertools.accumulate((e.time if e.kind == "trade" else 0 for e in events[:kept]), max)
    bars = (each.time for each in begin if isinstance(each, SeenBar))
    assert len(again) - len(rest) <= sum(at >= reached for at in itertools.chain(clock, bars))
    assert first.reached == resumed.reached


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_fractions_of_shares_add_up_to_the_same_wherever_batches_are_cut(
    seed: int, data: st.DataObject
) -> None:
    rolled = random.Random(seed)  # noqa: S311 - dice, no secret
    times = sorted(rolled.sample(range(300), 80))
    events = [
        trade(
            DAY, f"10:{time // 60:02}:{time % 60:02}", size=rolled.randrange(1, 10**6) / 10**place
        )
        for time in times
        for place in [rolled.randrange(7)]
    ]
    events.append(heartbeat(DAY, "12:00"))
    cuts = data.draw(st.sets(st.integers(0, len(events)), max_size=12))

    seen = taken(flow("AA"), events)

    assert {"1m", "5m", "15m", "1h"} <= {each[1] for each in seen if isinstance(each, SeenBar)}
    assert seen == taken(flow("AA"), events, cuts)


@SOME
@given(seed=st.integers(0, 2**32), data=st.data())
def test_what_is_followed_amid_a_day_is_seen_alike_when_all_is_told_again(
    seed: int, data: st.DataObject
) -> None:
    """S0 from the begin on, S1 from somewhere, and bars of S0 from elsewhere."""
    events = rough_day(hours_of(DAY, table()), [25, 25], seed)
    since, made = (data.draw(st.integers(0, len(events))) for _ in range(2))
    wanted: list[BarsKey] = [("S1", "1m", "regular"), ("S1", "4h", "extended")]
    live, seen, rows = flow("S0"), list[Seen](), dict[str, str | None]()
    live.want(wanted, ())
    for first, end in itertools.pairwise([0, *sorted([since, made]), len(events)]):
        if first >= since:
            live.follow(["S0", "S1"])
        if first >= made:
            wanted = [*wanted, ("S0", "1m", "regular"), ("S0", "1h", "extended")]
            live.want(wanted, ())
        rows |= live.changed()
        seen += taken(live, events[first:end])

    again = flow("S0", "S1", rows={key: row for key, row in rows.items() if row is not None})
    again.want(wanted, ())
    cuts = data.draw(st.sets(st.integers(0, len(events)), max_size=5))

    assert seen == taken(again, events, cuts)
    assert {} == again.changed()


def test_of_whom_prices_are_seen_alone_no_bars_are_made() -> None:
    made = flow("AA")
    made.want([("AA", "13d", "regular")], ())

    taken(made, [trade(DAY, "10:00:10"), heartbeat(DAY, "10:02")])

    assert {"flow AA": json.dumps({"since": DAWN - 1})} == made.changed()
    made.want([("AA", "1m", "regular")], ())
    clock = made.clock
    assert {"flow AA": json.dumps({"since": DAWN - 1, "bars": clock})} == made.changed()
    seen = taken(made, [trade(DAY, "10:02"), trade(DAY, "10:03"), heartbeat(DAY, "10:05")])
    assert [clock + MINUTE_US] == [each.start for each in seen if isinstance(each, SeenBar)]


def test_a_bar_comes_before_the_first_event_that_its_grace_is_over_at() -> None:
    #  10:00    :10        10:01    :03          :05
    #    |-------1-----------|-------2 of 10:00:50--3 of BB
    seen = taken(
        flow("AA", "BB"),
        [
            trade(DAY, "10:00:10", 10),
            heartbeat(DAY, "10:01:03"),
            trade(DAY, "10:00:50", 12),
            trade(DAY, "10:01:05", 20, symbol="BB"),
        ],
    )

    start = micros(at(DAY, "10:00"))
    assert [
        Tick("AA", start + 10 * SECOND_US, 0, 10),
        Tick("AA", start + 50 * SECOND_US, 0, 12),
        SeenBar("AA", "1m", "regular", start, start + 65 * SECOND_US, 10, 12, 10, 12, 200, "final"),
        Tick("BB", start + 65 * SECOND_US, 0, 20),
    ] == seen


def test_what_comes_after_its_grace_is_a_price_and_in_no_bar() -> None:
    events = [
        trade(DAY, "10:00:10", 10),
        heartbeat(DAY, "10:01:05"),
        trade(DAY, "10:00:50", 99),
        heartbeat(DAY, "10:01:06"),
    ]

    seen = taken(flow("AA"), events)

    assert [10, 10, 99] == [each.price if isinstance(each, Tick) else each.close for each in seen]


def test_what_is_no_last_price_is_no_tick() -> None:
    void = trade(DAY, "10:00:30", 13, cancelled=True, revision=1)
    other = replace(trade(DAY, "10:00:40", 14), kind="second")
    at_night = trade(DAY, "23:00", 15)
    events = [trade(DAY, "10:00:10", 10), trade(DAY, "10:00:20", 12, moves=4), void, other]

    seen = taken(flow("AA"), [*events, at_night])

    assert [10] == [each.price for each in seen if isinstance(each, Tick)]


def test_the_price_of_an_aggregate_is_of_its_end() -> None:
    start = micros(at(DAY, "10:00"))
    told = Event("minute", "AA", start, minute=start, price=11, size=5, open=10, high=12, low=9)

    seen = taken(flow("AA", kind="minute"), [told])

    assert [Tick("AA", start + MINUTE_US, 0, 11)] == seen


def test_a_bar_that_began_before_it_was_followed_is_not_seen() -> None:
    made = flow()
    taken(made, [heartbeat(DAY, "10:00:30")])
    made.follow(["AA"])

    seen = taken(
        made,
        [
            # As late as the present of the clock: whether it came before or after cannot be told.
            trade(DAY, "10:00:30", 10),
            trade(DAY, "10:00:31", 11),
            trade(DAY, "10:01:30", 12),
            heartbeat(DAY, "10:06"),
        ],
    )

    assert [11, 12, "1m"] == [
        each.price if isinstance(each, Tick) else each.interval for each in seen
    ]


def test_who_is_followed_amid_a_day_lacks_its_begin_and_so_the_bar_of_the_day() -> None:
    made = flow("AA")
    taken(made, [heartbeat(DAY, "10:00:30")])
    made.follow(["AA", "BB"])
    made.want((), None)

    seen = taken(made, [trade(DAY, "10:01", symbol="BB"), trade(DAY, "10:01")])

    assert {"BB"} == made.lacking(DAY)
    assert frozenset() == made.lacking(NEXT)
    assert ["AA"] == [each[0] for each in seen if each[1] == "1d"]


def test_of_an_earlier_day_no_bar_is_seen_when_a_day_is_told_from_its_begin() -> None:
    late = trade(DAY, "19:59:30", 10)
    begin = microseconds(hours_of(NEXT, table()).dawn)

    followed = {"flow AA": '{"since": 0}'}
    seen = taken(flow("AA", begin=begin, rows=followed), [late, heartbeat(NEXT, "04:30")])

    assert [Tick("AA", late.time, 0, 10)] == seen


def test_bars_are_told_as_they_form_at_the_end_of_a_batch_and_not_again() -> None:
    made = flow("AA")
    made.want(None, [("AA", "13d", "regular"), ("AA", "1h", "regular")])
    first = made.take(frame([trade(DAY, "10:00:10", 10), trade(DAY, "10:00:20", 12)]))
    clock = made.clock

    assert {("1h", 12, 200.0, clock), ("1d", 12, 200.0, clock)} == {
        (each.interval, each.close, each.volume, each.time)
        for each in first
        if isinstance(each, SeenBar)
    }

    again = flow("AA", resumed=clock)
    again.want(None, None)
    assert [Tick, Tick] == [
        type(each)
        for each in again.take(frame([trade(DAY, "10:00:10", 10), trade(DAY, "10:00:20", 12)]))
    ]
    assert 7 == sum(
        isinstance(each, SeenBar) and each.state == "forming"
        for each in again.take(frame([trade(DAY, "10:00:21", 12)]))
    )


def test_only_bars_that_are_wanted_are_seen() -> None:
    made = flow("AA", "BB")
    made.want([("AA", "1m", "regular"), ("BB", "1m", "extended")], ())

    seen = taken(
        made,
        [
            trade(DAY, "10:00:10", 10),
            trade(DAY, "10:00:10", 10, symbol="BB"),
            heartbeat(DAY, "17:00"),
        ],
    )

    assert [("AA", "1m")] == [
        (each.symbol, each.interval) for each in seen if isinstance(each, SeenBar)
    ]


def test_rows_of_symbols_that_are_followed_no_more_are_dropped() -> None:
    made = flow("AA", "BB")
    assert {"flow AA", "flow BB"} == made.changed().keys()

    made.follow(["BB"])
    assert {"flow AA": None} == made.changed()

    row = json.dumps({"since": 5, "bars": 7})
    again = flow("BB", rows={"flow AA": row, "flow BB": row, "AA": "{}"})
    taken(again, [heartbeat(DAY, "10:00")])
    assert {"flow AA": None} == again.changed()
    assert frozenset({"BB"}) == again.symbols


@pytest.mark.parametrize("of", ["nothing", "heartbeats"])
def test_without_events_nothing_is_seen(of: str) -> None:
    events = [] if of == "nothing" else [heartbeat(DAY, "10:00")]

    assert [] == taken(flow("AA"), events)
