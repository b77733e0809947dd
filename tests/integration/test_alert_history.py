"""The stored bars that alerts ask for: those before what they see, as they are served."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import polars as pl
import pytest

from fiblake import Lake
from fiblake.alerts import history
from fiblake.alerts.history import LakeHistory
from lake.alerts.history import BarsKey, forming_keys
from lake.alerts.rule import parse_rule
from lake.alerts.seen import SeenBar
from lake.errors import EmptyLakeError, ViewUnavailableError
from lake.exchange import ZONE, load_sessions
from lake.instant import microseconds
from lake.interval import SESSION_INTERVALS
from lake.session import EPOCH
from speed_layer.alerts.ends import midnight
from speed_layer.views import MemoryView
from tests.frames import commit, tell
from tests.integration.test_resample import plain_bars
from tests.live import NO_PRICES, bar, bars_of
from tests.minutes import at, every_minute
from tests.minutes import bar as minute_bar
from tests.minutes import commit as commit_minutes

VALUES: Final = ("open", "high", "low", "close", "volume")
FRI, MON, TUE = dt.date(2024, 3, 8), dt.date(2024, 3, 11), dt.date(2024, 3, 12)
LAST: Final = dt.date(2013, 3, 1)
"""Of the sample."""


def regular(symbol: str, interval: object) -> BarsKey:
    return (symbol, str(interval), "regular")


@pytest.mark.parametrize("interval", SESSION_INTERVALS, ids=str)
@pytest.mark.parametrize("count", [1, 20, 250, 5_000])
def test_the_bars_before_are_the_last_final_ones_that_are_served(
    sample_lake: Lake, interval: object, count: int
) -> None:
    before = midnight(dt.date(2011, 6, 1))
    wanted = {regular(symbol, interval): (before, count) for symbol in ("AAPL", "IBM", "NONE")}

    found = LakeHistory(sample_lake.reader).before(wanted, LAST)

    assert [] == found.pop(regular("NONE", interval))
    for (symbol, *_), bars in found.items():
        served = sample_lake.bars(symbol, str(interval), as_of=LAST, end="2011-05-31")
        final = served.filter(state="final").tail(count)
        assert final.height == len(bars)
        assert [midnight(start) for start in final["start"]] == [bar.start for bar in bars]
        assert final.select(VALUES).rows() == [bar[5:10] for bar in bars]
        assert {(symbol, str(interval), "regular", "final")} == {
            (*bar[:3], bar.state) for bar in bars
        }


def test_a_bar_of_sessions_is_of_the_close_of_its_last_one(sample_lake: Lake) -> None:
    key, table = regular("AAPL", "3d"), load_sessions(sample_lake.store)

    (bar,) = LakeHistory(sample_lake.reader).before({key: (midnight(LAST), 1)}, LAST)[key]

    start = table.ordinal(dt.date(1970, 1, 1) + dt.timedelta(microseconds=bar.start)) or 0
    assert microseconds(table.closes[start + 2]) == bar.time


def test_bars_are_on_the_split_basis_of_the_session_asked_for(sample_lake: Lake) -> None:
    split, eve = dt.date(2005, 2, 28), dt.date(2005, 2, 25)
    asked, key = LakeHistory(sample_lake.reader), regular("AAPL", "1d")

    before, after = (
        asked.before({key: (midnight(eve), 1)}, as_of)[key][0] for as_of in (eve, split)
    )

    assert (before.close, before.volume * 2) == (after.close * 2, after.volume)
    assert {"AAPL": 2.0} == asked.splits(split)
    assert [{}, {}] == [asked.splits(day) for day in (eve, dt.date(2005, 2, 27))]


def test_what_batch_has_not_committed_is_not_complete(lake: Lake) -> None:
    table = load_sessions(lake.store)
    days = [table[each] for each in table.ordinals(dt.date(2020, 1, 2), dt.date(2020, 1, 15))]
    commit(lake, plain_bars("AA", days[:-1]))
    lake.resample()
    commit(lake, plain_bars("AA", days[-1:]))
    asked, key = LakeHistory(lake.reader), regular("AA", "1d")

    bars = asked.before({key: (midnight(days[-1]) + 1, 2)}, days[-1])[key]

    assert [midnight(day) for day in days[-3:-1]] == [bar.start for bar in bars]
    assert [bars[-1]] == asked.closed([key], {key: bars[0].start}, days[-1])


def test_a_company_has_its_bars_by_whatever_symbol_they_came(lake: Lake) -> None:
    table = load_sessions(lake.store)
    days = [table[each] for each in table.ordinals(dt.date(2020, 5, 1), dt.date(2020, 7, 31))]
    renamed = dt.date(2020, 6, 9)
    commit(lake, plain_bars("FB", [day for day in days if day < renamed], close=11.0))
    commit(lake, plain_bars("META", [day for day in days if day >= renamed], close=12.0))
    eve = renamed - dt.timedelta(days=1)
    tell(lake, ("L1", "FB", EPOCH, eve), ("L1", "META", renamed, None))
    lake.resample()
    keys = [regular(symbol, "1d") for symbol in ("FB", "META")]

    found = LakeHistory(lake.reader).before(dict.fromkeys(keys, (midnight(days[-1]), 60)), days[-1])

    for key in keys:
        assert [11.0, 12.0] == sorted({bar.close for bar in found[key]})
        assert {key[0]} == {bar.symbol for bar in found[key]}


@pytest.fixture
def minutes_lake(lake: Lake) -> Lake:
    """Minutes of Friday in the lake: AA each of the first hours, and B one."""
    commit_minutes(lake, *every_minute("AA", FRI, "09:30", "12:00"))
    commit_minutes(lake, minute_bar("B", at(FRI, "09:45")), minute_bar("B", at(FRI, "17:00")))
    lake.resample()
    return lake


@pytest.fixture
def minutes_view(minutes_lake: Lake) -> MemoryView:
    """Bars of Monday: 1h of 09:30, 10:30 and 11:30, of which the last one forms."""
    view = MemoryView(minutes_lake.clock)
    starts = [microseconds(at(MON, time)) for time in ("09:30", "10:30", "11:30")]
    rows = [
        bar("AA", 2 + n, interval="1h", session=MON, start=start, close=float(n))
        for n, start in enumerate(starts)
    ]
    view.put(bars_of(*rows), NO_PRICES)
    return view


def starts_of(bars: list[SeenBar]) -> list[str]:
    instants = [dt.datetime.fromtimestamp(bar.start / 10**6, dt.UTC) for bar in bars]
    return [f"{each.astimezone(ZONE):%a %H:%M}" for each in instants]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, ["Mon 09:30", "Mon 10:30"]),
        (9, ["Fri 09:30", "Fri 10:30", "Fri 11:30", "Mon 09:30", "Mon 10:30"]),
    ],
)
def test_bars_of_hours_are_the_lake_s_and_then_the_view_s(
    minutes_lake: Lake, minutes_view: MemoryView, count: int, expected: list[str]
) -> None:
    key = regular("AA", "1h")
    before = microseconds(at(MON, "11:30"))

    bars = LakeHistory(minutes_lake.reader, minutes_view).before({key: (before, count)}, MON)[key]

    assert expected == starts_of(bars)
    assert microseconds(at(MON, "11:30")) == bars[-1].time
    assert {"final"} == {each.state for each in bars}


def test_who_traded_seldom_is_looked_for_farther_back(lake: Lake) -> None:
    table = load_sessions(lake.store)
    days = [table[each] for each in table.ordinals(dt.date(2024, 1, 8), FRI)]
    rows = [minute_bar("B", at(day, time)) for day in days for time in ("09:45", "18:30")]
    commit_minutes(lake, *rows, *every_minute("AA", FRI, "09:30", "10:00"))
    lake.resample()
    before = microseconds(at(MON, "09:30"))
    wanted: dict[BarsKey, tuple[int, int]] = {
        regular("AA", "1m"): (before, 20),
        regular("B", "1m"): (before, 40),
        ("B", "4h", "extended"): (before, 40),
    }

    found = LakeHistory(lake.reader).before(wanted, MON)

    assert [20, 40, 40] == [len(found[key]) for key in wanted]
    assert "09:59" == starts_of(found[regular("AA", "1m")])[-1][4:]
    extended = starts_of(found["B", "4h", "extended"])
    assert {"16:00"} == {start[4:] for start in extended}
    assert sorted(bar.start for bar in found[regular("B", "1m")]) == [
        bar.start for bar in found[regular("B", "1m")]
    ]


def test_without_any_bars_there_are_none_and_that_is_no_error(lake: Lake) -> None:
    asked = LakeHistory(lake.reader, MemoryView(lake.clock))
    wanted = {regular("AA", each): (midnight(MON), 5) for each in ("1d", "13d", "1h", "1m")}

    assert {key: [] for key in wanted} == asked.before(wanted, MON)
    assert {} == asked.forming([regular("AA", "13d")], TUE)
    assert (None, {}) == (asked.boundary(), asked.splits(MON))
    assert [] == asked.closed([regular("AA", "1d")], {regular("AA", "1d"): 0}, MON)


def test_bars_that_are_live_alone_are_told_though_others_have_none(lake: Lake) -> None:
    view, opens = MemoryView(lake.clock), microseconds(at(MON, "09:30"))
    day = bar("AA", interval="1d", session=MON, start=midnight(MON))
    view.put(bars_of(day, bar("AA", interval="1h", session=MON, start=opens)), NO_PRICES)
    view.put(bars_of({**day, "symbol": "B", "session": TUE, "start": midnight(TUE)}), NO_PRICES)
    asked = LakeHistory(lake.reader, view)
    names = ("AA", "B", "C")

    hours = asked.before({regular(name, "1h"): (midnight(TUE), 5) for name in names}, TUE)
    formed = asked.forming([regular(name, "34d") for name in names], TUE)

    assert [1, 0, 0] == [len(hours[regular(name, "1h")]) for name in names]
    assert {"AA"} == {symbol for symbol, *_ in formed}
    assert ["B"] == [each.symbol for each in asked.present([regular(n, "1d") for n in names], TUE)]


class Away(MemoryView):
    """A view that does not answer."""

    def bars(self, *_: Any, **__: Any) -> pl.DataFrame:
        fact = "It is away."
        raise ViewUnavailableError(fact)


def test_while_the_view_is_away_what_needs_it_is_an_error(minutes_lake: Lake) -> None:
    asked = LakeHistory(minutes_lake.reader, Away(minutes_lake.clock))
    commit(minutes_lake, plain_bars("AA", [FRI]))
    minutes_lake.resample()

    with pytest.raises(ViewUnavailableError, match="would lack"):
        asked.before({regular("AA", "1h"): (midnight(TUE), 5)}, MON)
    with pytest.raises(ViewUnavailableError, match="would lack"):
        asked.forming([regular("AA", "34d")], MON)
    assert 1 == len(
        asked.before({regular("AA", "1d"): (midnight(MON), 5)}, MON)["AA", "1d", "regular"]
    )


def test_while_a_day_is_told_again_the_lake_ends_on_its_eve(sample_lake: Lake) -> None:
    day, eve = dt.date(2005, 3, 1), dt.date(2005, 2, 28)
    asked = LakeHistory(sample_lake.reader, told_again=day)
    key = regular("AAPL", "1d")

    (bar,) = asked.before({key: (midnight(LAST), 1)}, day)[key]

    assert (eve, midnight(eve)) == (asked.boundary(), bar.start)
    assert sample_lake.bars("AAPL", "1d", start=eve, end=eve, as_of=day)["close"][0] == bar.close


def test_who_is_unknown_keeps_nobody_s_bars_back(
    sample_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_AT_ONCE", 8)
    names = ["AAPL", *(f"NONE{n}" for n in range(20)), "IBM"]
    wanted = {regular(name, "34d"): (midnight(LAST), 3) for name in names}

    found = LakeHistory(sample_lake.reader).before(wanted, LAST)

    assert wanted.keys() == found.keys()
    assert [3, 3] == [len(found[regular(name, "34d")]) for name in ("AAPL", "IBM")]
    assert 6 == sum(map(len, found.values()))
    formed = LakeHistory(sample_lake.reader).forming(wanted, LAST)
    assert {"AAPL", "IBM"} == {symbol for symbol, *_ in formed}


def test_the_keys_of_what_forms_are_those_of_the_rules_that_say_so() -> None:
    close: dict[str, Any] = {"kind": "close", "relation": "above", "than": {"level": 5}}
    volume: dict[str, Any] = {"kind": "volume", "times": 2, "average": 20, "state": "forming"}
    of = [
        {**close, "interval": "13d"},
        {**close, "interval": "1h", "hours": "extended", "state": "forming"},
        {"kind": "any", "of": [{**volume, "interval": "1d", "hours": "extended"}]},
        {"kind": "price", "relation": "above", "level": 5},
    ]
    rule = parse_rule({"symbol": "AAPL", "when": {"kind": "all", "of": of}})

    assert {("AAPL", "1h", "extended"), regular("AAPL", "1d")} == forming_keys([rule])


def test_a_lake_without_sessions_is_said_to_be_empty(tmp_path: Any) -> None:
    with pytest.raises(EmptyLakeError):
        LakeHistory(Lake(tmp_path / "none").reader).before({regular("AA", "1d"): (0, 1)}, MON)
