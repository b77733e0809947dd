"""When rules fire, law by law: timelines of prices and bars, and what they fire at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from lake.alerts.book import BarsKey, Book, Firing
from lake.alerts.rule import Rule
from lake.alerts.seen import Seen, SeenBar, Tick
from lake.instant import microseconds, written
from tests.alerting import DAY_US, OPEN, SECOND_US, bar, rule_of, tick

ABOVE = {"kind": "price", "relation": "above", "level": 100}
BELOW = {"kind": "price", "relation": "below", "level": 100}


def firings(rule: Rule, seen: Sequence[Seen]) -> list[Firing]:
    book = Book()
    book.add("al_1", 1, rule)
    return book.take(seen)


def seconds(rule: Rule, seen: Sequence[Seen]) -> list[int]:
    return [(each.time - OPEN) // SECOND_US for each in firings(rule, seen)]


def texts(rule: Rule, seen: Sequence[Seen]) -> list[str]:
    return [each.text for each in firings(rule, seen)]


def prices(*of: float) -> list[Seen]:
    """A tick a second."""
    return [tick(second, price) for second, price in enumerate(of)]


def price(relation: str, hysteresis: float = 0) -> Rule:
    when = {"kind": "price", "relation": relation, "level": 100, "hysteresis_percent": hysteresis}
    return rule_of(when)


@pytest.mark.parametrize(
    ("relation", "hysteresis", "of", "fires"),
    [
        # second           0    1    2    3    4    5    6
        ("above", 0, [101, 102, 100, 101, 99, 100, 101], [0, 3, 6]),  # first seen beyond; strictly
        ("below", 0, [99, 98, 100, 99, 101, 100, 99.5], [0, 3, 6]),
        ("crosses_up", 0, [101, 99, 101, 100, 101, 99, 101], [2, 6]),  # 100 is of the side before
        ("crosses_down", 0, [99, 101, 99, 100, 99, 101, 99], [2, 6]),
        ("crosses", 0, [99, 101, 100, 99, 100, 99, 101], [1, 3, 6]),
        ("crosses", 0, [100, 100, 101, 100, 99, 99, 100], [4]),  # the first ones have no side
        ("above", 2, [101, 99, 101, 98.5, 101, 98, 101], [0, 6]),  # false at 98, and at 99 not yet
        ("below", 2, [99, 101, 99, 101.5, 99, 102, 99], [0, 6]),
        ("crosses_up", 2, [99, 101, 99, 101, 98, 101, 99], [1, 5]),
        ("crosses_down", 2, [101, 99, 101, 99, 102, 99, 101], [1, 5]),
        ("crosses", 2, [99, 101, 99, 101, 99, 98, 101], [1, 2, 6]),  # each direction on its own
    ],
)
def test_a_price_fires_when_it_comes_to_lie_so(
    relation: str, hysteresis: float, of: list[float], fires: list[int]
) -> None:
    assert fires == seconds(price(relation, hysteresis), prices(*of))


def test_a_rule_that_does_not_repeat_fires_once() -> None:
    assert [0] == seconds(rule_of(ABOVE, repeat=False), prices(101, 99, 101, 99, 101))


def test_a_cooldown_defers_what_is_still_true_and_loses_what_is_not() -> None:
    """Fired at 0; blocked until 60.

    second   0    10   20         59   60
    price    101  99   101        101  101
    """
    seen = [tick(*each) for each in [(0, 101), (10, 99), (20, 101), (59, 101), (60, 101)]]
    gone = [tick(*each) for each in [(0, 101), (10, 99), (20, 101), (30, 99), (60, 99), (61, 101)]]

    assert [0, 60] == seconds(rule_of(ABOVE, cooldown_seconds=60), seen)
    assert [0, 61] == seconds(rule_of(ABOVE, cooldown_seconds=60), gone)


def test_a_cross_that_is_blocked_is_lost() -> None:
    rule = rule_of({**ABOVE, "relation": "crosses"}, cooldown_seconds=60)
    seen = [tick(*each) for each in [(0, 99), (1, 101), (2, 99), (61, 98), (62, 101)]]

    assert [1, 62] == seconds(rule, seen)


def test_what_becomes_true_at_night_fires_when_the_rule_is_active_again() -> None:
    """Exchange time; OPEN is Monday 09:30, and the rule is active from 10:00 to 16:00."""
    rule = rule_of(ABOVE, active={"start": "10:00", "end": "16:00"})
    half_past, four = 1_800, 6 * 3_600 + 1_800
    next_ten = 86_400 + half_past

    assert [half_past] == seconds(rule, [tick(0, 101), tick(1_799, 101), tick(half_past, 101)])
    assert [next_ten + 5] == seconds(rule, [tick(four, 101), tick(next_ten + 5, 101)])
    assert [] == seconds(rule, [tick(four, 101), tick(next_ten - 1, 99), tick(next_ten, 99)])


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (dt.date(2026, 3, 6), "14:30"),  # Friday, standard time
        (dt.date(2026, 3, 9), "13:30"),  # Monday after: summer time
        (dt.date(2026, 10, 30), "13:30"),
        (dt.date(2026, 11, 2), "14:30"),
    ],
)
def test_active_hours_are_the_exchange_s_in_winter_and_summer(day: dt.date, utc: str) -> None:
    rule = rule_of(ABOVE, active={"start": "09:30", "end": "16:00"})
    opens = microseconds(dt.datetime.fromisoformat(f"{day}T{utc}:00+00:00"))
    seen = [Tick("AAPL", opens - 1, 1, 101.0), Tick("AAPL", opens, 1, 101.0)]

    assert [opens] == [each.time for each in firings(rule, seen)]


@pytest.mark.parametrize(
    ("interval", "start", "time", "fires"),
    [
        ("1d", -52_200, 23_400, True),  # the session that closes at 16:00, its end
        ("13d", -52_200 - 20 * 86_400, 23_400, True),
        ("1d", -52_200, 23_401, False),
        ("5m", 23_100, 23_405, True),  # the last five minutes; it counts after the grace
        ("1h", 21_600, 23_405, True),
        ("5m", 23_400, 23_705, False),
        ("5m", 0, 305, True),
        ("5m", -300, 5, False),
    ],
)
def test_a_complete_bar_is_of_active_hours_by_when_it_was_made(
    interval: str,
    start: int,
    time: int,
    fires: bool,  # noqa: FBT001 - of the table
) -> None:
    """OPEN is 09:30; 23,400 s later it is 16:00."""
    when = {"kind": "close", "interval": interval, "relation": "above", "than": {"level": 100}}
    seen: list[Seen] = [bar(interval, start, 101, time=time)]
    rule = rule_of({**when, "hours": "extended"}, active={"start": "09:30", "end": "16:00"})
    if interval in {"5m", "1h"}:
        seen = [each._replace(hours="extended") for each in seen if isinstance(each, SeenBar)]

    assert [time] * fires == seconds(rule, seen)


def test_a_bar_as_it_forms_is_of_active_hours_by_its_time() -> None:
    when = {"kind": "close", "interval": "1h", "relation": "above", "than": {"level": 100}}
    rule = rule_of({**when, "state": "forming"}, active={"start": "09:30", "end": "16:00"})

    def at(time: int) -> list[Seen]:
        return [bar("1h", 21_600, 101, time=time, state="forming")]

    assert [23_399] == seconds(rule, at(23_399))
    assert [] == seconds(rule, at(23_400))


def test_the_last_bar_of_a_day_fires_though_a_price_after_it_had_to_wait() -> None:
    close = {"kind": "close", "interval": "5m", "relation": "above", "than": {"level": 100}}
    rule = rule_of({"kind": "any", "of": [ABOVE, close]}, active={"start": "09:30", "end": "16:00"})
    seen: list[Seen] = [tick(23_401, 101), bar("5m", 23_100, 101, time=23_405), tick(86_400, 101)]

    assert [23_405] == seconds(rule, seen)


def test_a_daily_bar_that_is_told_after_a_later_firing_is_not_blocked_by_it() -> None:
    """It is of 16:00, and told in the evening; at 16:57 a price fired."""
    daily = {"kind": "close", "interval": "1d", "relation": "crosses_up", "than": {"level": 100}}
    crossed = {"kind": "price", "relation": "crosses_up", "level": 120}
    rule = rule_of({"kind": "any", "of": [daily, crossed]}, cooldown_seconds=60)
    seen: list[Seen] = [
        bar("1d", -138_600, 90, time=-63_000),
        tick(26_000, 119),
        tick(26_820, 121),
        bar("1d", -52_200, 110, time=23_400),
    ]

    assert [26_820, 23_400] == seconds(rule, seen)
    assert [23_400, 26_820] == seconds(rule, sorted(seen, key=lambda each: each.time))


def test_active_days_pass_over_the_weekend() -> None:
    rule = rule_of(ABOVE, active={"days": ["fri", "mon"], "start": "09:30"})
    tuesday, thursday, friday, saturday, monday = 1, 3, 4, 5, 7

    def on(day: int, price: float) -> Tick:
        return Tick("AAPL", OPEN + day * DAY_US, 1, price)

    assert [OPEN + friday * DAY_US] == [
        each.time for each in firings(rule, [on(tuesday, 101), on(thursday, 101), on(friday, 101)])
    ]
    assert [OPEN + monday * DAY_US] == [
        each.time for each in firings(rule, [on(saturday, 101), on(monday, 101)])
    ]


def test_a_rule_ends_when_it_expires() -> None:
    expires = written(dt.datetime(2026, 1, 5, 14, 30, 10, tzinfo=dt.UTC))
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE, expires=expires))
    book.changed()

    assert [] == book.take([tick(9, 99), tick(10, 101), tick(11, 99), tick(12, 101)])
    assert book.changed().rules["al_1"].is_done
    assert frozenset() == book.symbols


def test_ticks_that_are_not_later_than_the_last_change_nothing() -> None:
    seen = [tick(5, 99, sequence=2), tick(5, 101, sequence=2), tick(5, 101, sequence=1)]

    assert [] == seconds(rule_of(ABOVE), [*seen, tick(4, 101)])
    assert [5] == seconds(rule_of(ABOVE), [*seen, tick(5, 101, sequence=3)])


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


def closes(*of: float, interval: str = "13d", volume: float = 100) -> list[Seen]:
    return [bar(interval, at, close, volume=volume) for at, close in enumerate(of)]


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


def test_a_cross_fires_within_any_and_needs_the_others_within_all() -> None:
    cross = {"kind": "price", "relation": "crosses_up", "level": 105}
    seen = prices(101, 104, 106, 104, 106, 99, 106)

    assert [0, 2, 4, 6] == seconds(rule_of({"kind": "any", "of": [ABOVE, cross]}), seen)
    assert [2, 4, 6] == seconds(rule_of({"kind": "all", "of": [ABOVE, cross]}), seen)
    assert [] == seconds(rule_of({"kind": "all", "of": [BELOW, cross]}), seen)


def test_any_is_told_by_what_makes_it_true() -> None:
    lost = {"kind": "all", "of": [ABOVE, {**BELOW, "level": 50}]}
    rule = rule_of({"kind": "any", "of": [lost, {**ABOVE, "level": 90}]})

    assert ["AAPL 101.00 above 90.00"] == texts(rule, prices(101))


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


def test_what_holds_by_its_hysteresis_alone_is_told_so() -> None:
    held = {**ABOVE, "hysteresis_percent": 2}
    rule = rule_of({"kind": "all", "of": [held, {**ABOVE, "level": 98.5, "relation": "crosses"}]})

    assert ["AAPL 98.40 above 98.00 (100.00 less 2%); AAPL crossed down 98.50 at 98.40"] == texts(
        rule, prices(101, 98.4)
    )


@pytest.mark.parametrize(
    ("than", "text"),
    [
        ({"level": 180}, "AAPL 13d closed 182.10 above 180.00"),
        ({"range": 2}, "AAPL 13d closed 182.10 above 179.55, prior 2-bar high 179.55"),
        ({"average": 2}, "AAPL 13d closed 182.10 above 179.275, prior 2-bar average 179.275"),
    ],
)
def test_a_close_tells_what_it_was_above(than: dict[str, float], text: str) -> None:
    rule = rule_of({"kind": "close", "interval": "13d", "relation": "above", "than": than})

    assert [text] == texts(rule, closes(179, 179.55, 182.1))


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({**ABOVE, "level": 180}, "AAPL 182.10 above 180.00"),
        ({**BELOW, "level": 190}, "AAPL 180.00 below 190.00"),
        ({**ABOVE, "level": 0.000125}, "AAPL 180.00 above 0.000125"),
        ({**ABOVE, "level": 180.5, "relation": "crosses"}, "AAPL crossed up 180.50 at 182.10"),
    ],
)
def test_a_price_tells_how_it_lies(when: dict[str, object], text: str) -> None:
    assert [text] == texts(rule_of(when), prices(180, 182.1))[-1:]


def test_a_firing_is_named_by_alert_revision_and_number() -> None:
    fired = firings(rule_of(ABOVE), prices(101, 99, 102.5))

    assert ["al_1.1.1", "al_1.1.2"] == [each.id for each in fired]
    assert (102.5, OPEN + 2 * SECOND_US, "AAPL") == (
        *(fired[1].price, fired[1].time, fired[1].symbol),
    )


def test_a_revision_begins_anew() -> None:
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE))
    book.take(prices(101))
    state = book.changed().rules["al_1"]
    book.add("al_1", 2, rule_of(ABOVE), state)

    assert ["al_1.2.1"] == [each.id for each in book.take([tick(1, 102)])]


def test_what_is_removed_fires_no_more_and_wants_nothing() -> None:
    close = {"kind": "close", "interval": "13d", "relation": "above", "than": {"average": 2}}
    book = Book()
    book.add("al_1", 1, rule_of(ABOVE))
    book.add("al_2", 1, rule_of(close))
    assert (frozenset({"AAPL"}), frozenset({("AAPL", "13d", "regular")})) == (
        *(book.symbols, book.wants()),
    )
    book.remove("al_1")
    book.remove("al_2")
    book.remove("al_3")

    assert [] == book.take([*prices(99, 101), *closes(1, 2, 3)])
    assert (frozenset(), frozenset()) == (book.symbols, book.wants())


def test_a_split_divides_the_levels_of_rules_and_the_prices_before_once() -> None:
    """Ten new shares for one on the second day: 1,010 becomes 101."""
    split = dt.date(2026, 1, 6)
    move = {"kind": "move", "direction": "either", "percent": 3, "window": "1m"}
    book = Book()
    book.add("al_1", 1, rule_of({**ABOVE, "level": 1_000}))
    book.add("al_2", 1, rule_of(move))
    assert 1 == len(book.take([tick(0, 1_010)]))
    book.rebase("AAPL", split, 10)
    book.rebase("AAPL", split, 10)
    rows = book.changed()
    again = Book({key: row for key, row in rows.market.items() if row is not None})
    again.add("al_1", 1, rule_of({**ABOVE, "level": 1_000}), rows.rules["al_1"])
    again.add("al_2", 1, rule_of(move), rows.rules["al_2"])
    again.rebase("AAPL", split, 10)
    again.add("al_3", 1, rule_of({**BELOW, "level": 100}))

    seen = [tick(100, 101), tick(101, 99), tick(102, 100.5)]
    for each in (book, again):
        texts = [firing.text for firing in each.take(seen)]
        assert "AAPL 100.50 above 100.00" in texts
        assert ("AAPL 99.00 below 100.00" in texts) == (each is again)
        assert not [text for text in texts if "moved" in text]


def test_bars_are_asked_for_once_a_session_and_again_for_more() -> None:
    key: BarsKey = ("AAPL", "5m", "regular")
    close = {"kind": "close", "interval": "5m", "relation": "above"}
    book = Book()
    book.add("al_1", 1, rule_of({**close, "than": {"average": 2}}))
    seen = [bar("5m", 300, 10), bar("5m", 600, 10)]
    past = [bar("5m", start, 9) for start in (-600, -300, 0)]

    assert {key: (OPEN + 300 * SECOND_US, 2)} == book.unseeded(seen)
    book.seed(key, past[-2:])
    assert {} == book.unseeded(seen)
    assert ["AAPL 5m closed 10.00 above 9.00, prior 2-bar average 9.00"] == [
        each.text for each in book.take(seen)
    ]

    later = [bar("5m", 900, 10)]
    book.add("al_2", 1, rule_of({**close, "than": {"range": 3}}))
    assert {key: (OPEN + 900 * SECOND_US, 3)} == book.unseeded(later)
    book.seed(key, [*past[-1:], *seen])
    assert {} == book.unseeded(later)

    tomorrow = [bar("5m", 86_400, 10)]
    assert {key: (OPEN + DAY_US, 3)} == book.unseeded(tomorrow)


def test_a_daily_bar_that_was_seeded_counts_once_it_is_told() -> None:
    """A price asks for the days before; the last of them is told after it, and is evaluated."""
    daily = {"kind": "close", "interval": "1d", "relation": "above", "than": {"level": 5}}
    move = {"kind": "move", "percent": 50, "window": "1d"}
    book = Book()
    book.add("al_1", 1, rule_of({"kind": "any", "of": [move, daily]}))
    yesterday = bar("1d", -86_400, 10, time=1)

    assert {("AAPL", "1d", "regular"): (OPEN - 52_200 * SECOND_US, 1)} == book.unseeded(
        [tick(0, 11)]
    )
    book.seed(("AAPL", "1d", "regular"), [yesterday])
    assert ["AAPL 1d closed 10.00 above 5.00"] == [
        each.text for each in book.take([tick(0, 11), yesterday, yesterday])
    ]
