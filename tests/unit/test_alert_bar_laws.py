"""When rules fire on bars and moves, law by law."""

from __future__ import annotations

from lake.alerts.book import Book
from lake.alerts.seen import Seen, SeenBar
from tests.alerting import ABOVE, bar, closes, rule_of, seconds, texts, tick


def test_bars_that_start_no_later_than_the_last_final_one_change_nothing() -> None:
    rule = rule_of({"kind": "close", "interval": "1d", "relation": "above", "than": {"level": 100}})

    def seen(start: int, close: float, time: int) -> SeenBar:
        return bar("1d", start, close, time=time)

    assert [3] == seconds(rule, [seen(1, 99, 1), seen(1, 101, 2), seen(2, 101, 3), seen(1, 99, 4)])


def test_forming_bars_are_for_rules_that_say_so_and_final_ones_for_all() -> None:
    when = {"kind": "close", "interval": "1d", "relation": "above", "than": {"level": 100}}
    seen = [
        bar("1d", 1, 101, state="forming", time=1),
        bar("1d", 1, 99, state="forming", time=2),
        bar("1d", 1, 101, state="forming", time=1),  # told again
        bar("1d", 1, 102, time=3),
        bar("1d", 1, 99, state="forming", time=4),  # it is final
    ]

    assert [3] == seconds(rule_of(when), seen)
    assert [1, 3] == seconds(rule_of({**when, "state": "forming"}), seen)
    assert [
        "AAPL 1d stands at 101.00 above 100.00",
        "AAPL 1d closed 102.00 above 100.00",
    ] == texts(rule_of({**when, "state": "forming"}), seen)


def test_a_close_is_held_to_the_bars_before_it_and_not_to_itself() -> None:
    of_range = {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 3}}
    of_average = {**of_range, "than": {"average": 3}}

    # Three bars are known at the fourth. Its own close is in neither.
    assert [3] == seconds(rule_of(of_range), closes(5, 6, 7, 8, 9))
    assert [4] == seconds(rule_of(of_range), closes(5, 6, 7, 7, 8))
    assert [3] == seconds(rule_of(of_average), closes(5, 6, 7, 6.01, 7))
    assert [4] == seconds(rule_of(of_average), closes(5, 6, 7, 6, 7))
    assert [] == seconds(rule_of(of_range), closes(5, 6, 9))


def test_a_close_crosses_from_where_the_bar_before_closed() -> None:
    level = {"kind": "close", "interval": "13d", "relation": "crosses", "than": {"level": 6}}
    average = {**level, "than": {"average": 2}}
    book = Book()
    book.add("al_1", 1, rule_of(level))
    first, second = closes(5, 7)
    assert isinstance(first, SeenBar)

    assert {("AAPL", "13d", "regular"): (second.time, 1)} == book.unseeded([second])
    book.seed(("AAPL", "13d", "regular"), [first])
    assert ["AAPL 13d crossed up 6.00, closed 7.00"] == [x.text for x in book.take([second])]
    assert [
        "AAPL 13d crossed down 5.50, closed 5.00, prior 2-bar average 5.50",
        "AAPL 13d crossed up 5.50, closed 7.00, prior 2-bar average 5.50",
    ] == texts(rule_of(average), closes(4, 5, 6, 5, 7))


def test_a_bar_condition_holds_until_a_bar_at_which_it_is_false() -> None:
    close = {"kind": "close", "interval": "13d", "relation": "above", "than": {"level": 6}}
    rule = rule_of({"kind": "all", "of": [close, {**ABOVE, "relation": "crosses_up"}]})
    seen: list[Seen] = [
        bar("13d", 0, 7, time=0),
        *(tick(1, 99), tick(2, 101), tick(3, 99)),
        bar("13d", 1, 5, time=4),
        tick(5, 101),
    ]

    assert ["AAPL 13d closed 7.00 above 6.00; AAPL crossed up 100.00 at 101.00"] == texts(
        rule, seen
    )


def test_volume_is_held_to_the_mean_of_the_bars_before() -> None:
    rule = rule_of({"kind": "volume", "interval": "1d", "times": 2, "average": 2})

    def seen(*volumes: float) -> list[Seen]:
        return [bar("1d", at, 5, volume=volume) for at, volume in enumerate(volumes)]

    assert [2] == seconds(rule, seen(100, 100, 200))
    assert [] == seconds(rule, seen(100, 100, 199))
    assert [] == seconds(rule, seen(0, 0, 5))


def test_a_move_is_measured_from_the_price_a_window_ago() -> None:
    """The grain of a minute is a second: at 62 s the price before 1 s is known, at 61 s none."""
    rule = rule_of({"kind": "move", "direction": "up", "percent": 3, "window": "1m"})
    early, known = [tick(0, 100), tick(60.9, 104)], [tick(0, 100), tick(61, 103)]

    assert [] == seconds(rule, early)
    assert [61] == seconds(rule, known)
    assert ["AAPL moved +3.00% in 1m, 100.00 to 103.00"] == texts(rule, known)
    assert [] == seconds(rule, [tick(0, 100), tick(30, 102), tick(91, 103)])


def test_a_move_counts_again_once_it_was_less_by_its_hysteresis() -> None:
    when = {"kind": "move", "direction": "down", "percent": 3, "window": "1h"}
    start = [tick(0, 100), tick(3_700, 97)]
    more = [tick(3_701, 97.5), tick(3_702, 96), tick(3_703, 98), tick(3_704, 97)]

    assert [3_700, 3_702, 3_704] == seconds(rule_of(when), [*start, *more])
    assert [3_700, 3_704] == seconds(rule_of({**when, "hysteresis_percent": 1}), [*start, *more])


def test_a_move_over_sessions_is_measured_from_the_close_so_many_sessions_ago() -> None:
    rule = rule_of({"kind": "move", "percent": 5, "window": "3d"})
    daily: list[Seen] = [
        bar("1d", day, close, time=day) for day, close in enumerate([100, 110, 120, 130])
    ]

    assert [] == texts(rule, [*daily, tick(9, 105)])
    assert ["AAPL moved -5.45% in 3d, 110.00 to 104.00"] == texts(rule, [*daily, tick(9, 104)])
    assert [] == texts(rule, [*daily[:2], tick(9, 104)])
