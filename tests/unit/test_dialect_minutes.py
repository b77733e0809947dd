"""When vendors' minutes are told: each once it is over, and again when it has changed."""

from __future__ import annotations

from typing import Any

from serving_layer.dialects.minutes import Minute, Minutes
from serving_layer.stream.flow import BarRow, bar_rows
from tests.live import MINUTE, OPEN, bar, bars_of, vanished

Told = list[tuple[str, int, int, bool]]


def row(start: int = 0, version: int = 2, **others: Any) -> BarRow:
    """Return the bar of a minute after the open."""
    return bar_rows(bars_of(bar(version=version, start=OPEN + start * MINUTE, **others)))[0]


def told(minutes: list[Minute]) -> Told:
    """Return whose, which minute after the open, of which version, whether again."""
    return [
        (each.bar.symbol, (each.bar.start - OPEN) // MINUTE, each.bar.version, each.again)
        for each in minutes
    ]


def at(minutes: float) -> int:
    """Return an instant so long after the open."""
    return OPEN + int(minutes * MINUTE)


def since_open() -> Minutes:
    """Return what has followed since the open."""
    minutes = Minutes()
    minutes.take([], [OPEN], now_s=0)
    return minutes


def settled(minutes: Minutes, now_s: float) -> list[Minute]:
    """Return what is told half a second later."""
    assert [] == minutes.over(now_s)
    return minutes.over(now_s + 0.5)


def test_a_minute_is_told_once_the_feed_is_past_its_end() -> None:
    #   trades  |x  x|      x
    #   told             0
    minutes = Minutes()
    minutes.take([row(version=2)], [at(0.1)], now_s=0)
    minutes.take([row(version=4)], [at(0.9)], now_s=1)

    assert [] == minutes.over(now_s=1)
    minutes.take([row(1, version=2)], [at(1.1)], now_s=2)

    assert [] == minutes.over(now_s=2)
    assert [("AAPL", 0, 4, False)] == told(minutes.over(now_s=2.5))
    assert [] == minutes.over(now_s=3)


def test_bars_come_after_the_prices_that_they_are_in() -> None:
    minutes = since_open()
    minutes.take([row(version=2)], [at(1.5)], now_s=0)
    minutes.over(now_s=0)
    minutes.take([row(version=8)], [], now_s=0.4)

    assert [("AAPL", 0, 8, False)] == told(minutes.over(now_s=0.5))
    assert [] == minutes.over(now_s=9)


def test_while_nothing_trades_time_runs_on() -> None:
    minutes = Minutes()
    minutes.take([row()], [at(0.5)], now_s=100)

    assert [] == minutes.over(now_s=130)
    assert [("AAPL", 0, 2, False)] == told(settled(minutes, 132))


def test_a_late_trade_tells_its_minute_again_at_most_once_a_second() -> None:
    minutes = since_open()
    minutes.take([row(), row(symbol="MSFT")], [at(1.5)], now_s=0)
    settled(minutes, 0)
    minutes.take([row(version=4)], [], now_s=1)

    assert [("AAPL", 0, 4, True)] == told(minutes.over(now_s=1))
    minutes.take([row(version=6)], [], now_s=1.2)
    minutes.take([row(version=8), row(symbol="NEW")], [], now_s=1.4)
    assert [("NEW", 0, 2, False)] == told(minutes.over(now_s=1.4))
    assert [("AAPL", 0, 8, True)] == told(minutes.over(now_s=2.1))


def test_that_a_minute_turns_final_is_no_news() -> None:
    minutes = since_open()
    minutes.take([row(version=4)], [at(1.5)], now_s=0)
    settled(minutes, 0)

    minutes.take([row(version=5, state="final")], [at(17)], now_s=5)
    assert [] == minutes.over(now_s=5)
    minutes.take([row(version=9, state="final")], [], now_s=6)
    assert [("AAPL", 0, 9, True)] == told(minutes.over(now_s=6))


def test_what_was_over_before_anybody_listened_is_told_when_it_changes_alone() -> None:
    minutes = Minutes()
    minutes.take([row(20)], [at(20.2)], now_s=0)

    minutes.take([row(4, version=11, state="final"), row(5, version=8)], [], now_s=1)
    minutes.take([], [at(21.1)], now_s=1)
    assert [("AAPL", 5, 8, True), ("AAPL", 20, 2, False)] == told(settled(minutes, 1))


def test_older_states_change_nothing() -> None:
    minutes = since_open()
    minutes.take([row(version=8), row(version=6)], [at(1.5)], now_s=0)
    assert [("AAPL", 0, 8, False)] == told(settled(minutes, 0))

    minutes.take([row(version=6)], [], now_s=2)
    assert [] == minutes.over(now_s=2)


def test_a_minute_that_has_vanished_is_not_told() -> None:
    minutes = Minutes()
    gone = bar_rows(bars_of(vanished(version=4)))
    minutes.take([row(version=2)], [at(0.5)], now_s=0)
    minutes.take(gone, [at(1.5)], now_s=0)

    assert [] == settled(minutes, 0)


def test_minutes_bring_the_day_of_their_session() -> None:
    minutes = Minutes()
    day = row(interval="1d", version=8, volume=400.0)
    minutes.take([row(), row(symbol="MSFT"), day], [at(1.5)], now_s=0)

    aapl, msft = settled(minutes, 0)
    assert 400.0 == aapl.day.volume if aapl.day else None
    assert msft.day is None
    assert [day] == minutes.changed_days()
    assert [] == minutes.changed_days()


def test_a_whole_day_at_once_is_told_minute_by_minute() -> None:
    minutes = Minutes()
    minutes.take([row(0)], [at(0.1)], now_s=0)
    whole = [row(each, version=5, state="final") for each in reversed(range(1, 390))]
    minutes.take([*whole, row(389, version=4)], [at(389.5)], now_s=1)
    minutes.take([], [at(391)], now_s=1)

    assert [("AAPL", each) for each in range(390)] == [
        each[:2] for each in told(settled(minutes, 1))
    ]
    assert OPEN + 361 * MINUTE == minutes.kept_since
