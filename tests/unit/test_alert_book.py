"""A book fires as each of its rules would alone, stopped and told again wherever it was."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator, Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from lake.alerts.book import BarsKey, Book, Changed, Firing, RuleState
from lake.alerts.rule import Rule
from lake.alerts.seen import Seen, SeenBar
from lake.exchange import ZONE
from lake.instant import from_microseconds
from tests.alerting import OPEN, Alone, Among, Past, bar, rule_of, tick
from tests.drawn_alerts import flows, long_flow, rules

PAST = [
    bar(interval, -day * 86_400, 100 + day % 3, volume=90 + 10 * (day % 3))
    for interval in ("5m", "1d", "13d")
    for day in range(8, 0, -1)
]


def by_session(seen: Sequence[Seen]) -> Iterator[list[Seen]]:
    for _, part in itertools.groupby(seen, lambda each: session_of(each.time)):
        yield list(part)


def session_of(time: int) -> dt.date:
    return from_microseconds(time).astimezone(ZONE).date()


def past_of(told: Sequence[Seen]) -> Past:
    """What history holds once this was told: each final bar once, the first that was told of it."""
    found = [each._replace(symbol=symbol) for each in PAST for symbol in ("AAPL", "IBM")]
    last: dict[BarsKey, int] = {}
    for each in told:
        if isinstance(each, SeenBar) and each.state == "final":
            key: BarsKey = (each.symbol, each.interval, each.hours)
            if each.start > last.get(key, each.start - 1):
                last[key] = each.start
                found.append(each)
    return Past(found)


def run(book: Book, told: Sequence[Seen], seen: Sequence[Seen]) -> list[Firing]:
    """Take what is seen, session by session, after what was told before."""
    firings: list[Firing] = []
    done = list(told)
    for part in by_session(seen):
        for key, bars in past_of(done).before(book.unseeded(part)).items():
            book.seed(key, bars)
        firings += book.take(part)
        done += part
    return firings


def alone(rules: Sequence[Rule], seen: Sequence[Seen]) -> list[Firing]:
    """Every rule on everything, each with a market of its own."""
    each_alone = [Alone(f"al_{at:02}", rule, past_of(())) for at, rule in enumerate(rules)]
    for one in each_alone:
        for (interval, hours), bars in one.market.bars.items():
            key: BarsKey = (one.rule.symbol, interval, hours)
            bars.seed(one.past.before({key: (OPEN, bars.count)})[key], session_of(OPEN))
    found = [(one.take(item)) for item in seen for one in each_alone]
    return [firing for firing in found if firing is not None]


@settings(max_examples=100)
@given(st.lists(rules(), min_size=1, max_size=6), flows())
def test_rules_fire_in_a_book_as_each_does_alone(rules: list[Rule], seen: list[Seen]) -> None:
    book = Book()
    for at, rule in enumerate(rules):
        book.add(f"al_{at:02}", 1, rule)

    assert alone(rules, seen) == run(book, (), seen)


@settings(max_examples=12)
@given(st.lists(rules(), min_size=15, max_size=15), st.integers(0, 2**32))
def test_rules_fire_in_a_book_as_each_does_alone_through_long_flows(
    rules: list[Rule], seed: int
) -> None:
    seen = long_flow(random.Random(seed), 700)  # noqa: S311 - of tests
    book = Book()
    for at, rule in enumerate(rules):
        book.add(f"al_{at:02}", 1, rule)

    assert alone(rules, seen) == run(book, (), seen)


@settings(max_examples=100)
@given(st.lists(rules(), min_size=1, max_size=5), flows(), st.data())
def test_a_book_goes_on_from_its_rows_wherever_it_was_stopped(
    rules: list[Rule], seen: list[Seen], data: st.DataObject
) -> None:
    whole = Book()
    rows = Changed({}, {})
    for at, rule in enumerate(rules):
        whole.add(f"al_{at:02}", 1, rule)
    stop = data.draw(st.integers(0, len(seen)))
    again = data.draw(st.integers(0, stop))
    middle = data.draw(st.integers(0, stop))

    firings = run(whole, (), seen[:middle])
    merge(rows, whole.changed())
    firings += run(whole, seen[:middle], seen[middle:stop])
    merge(rows, whole.changed())
    restored = Book(kept(rows))
    for at, rule in enumerate(rules):
        restored.add(f"al_{at:02}", 1, rule, rows.rules[f"al_{at:02}"])
    firings_again = run(restored, seen[:stop], seen[again:])

    assert run(whole, seen[:stop], seen[stop:]) == firings_again
    assert len({each.id for each in firings + firings_again}) == len(firings + firings_again)
    assert states(whole, rows) == states(restored, rows)


@settings(max_examples=40)
@given(st.lists(rules(), min_size=6, max_size=10), st.integers(0, 2**32))
def test_a_book_fires_as_its_rules_do_that_come_and_go_amid_splits_and_kills(
    rules: list[Rule], seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - of tests
    amid = _Amid(rules)
    for part in by_session(in_order(long_flow(rng, 300))):
        if rng.random() < 0.5:
            amid.split(session_of(part[0].time), rng.choice(["AAPL", "IBM"]))
        for at in range(0, len(part), 12):
            for _ in range(rng.randint(0, 2)):
                amid.change(rng)
            if rng.random() < 0.5:
                amid.keep(is_killed=rng.random() < 0.5)
            amid.take(part[at : at + 12])
    amid.keep(is_killed=False)


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_nobody_looked_at_for_hours_is_not_known_to_who_comes_then(is_killed: bool) -> None:  # noqa: FBT001 - of the table
    move = rule_of({"kind": "move", "percent": 1, "window": "5m"})
    than = {"kind": "close", "interval": "5m", "relation": "above", "than": {"average": 2}}
    book, rows = Book(), Changed({}, {})
    for alert, rule in [("al_1", move), ("al_2", rule_of(than))]:
        book.add(alert, 1, rule)
    for key in book.unseeded(early := [bar("5m", 0, 100, time=305)]):
        book.seed(key, [bar("5m", -600, 100), bar("5m", -300, 100)])
    book.take([*early, *(tick(second, 100) for second in range(0, 900, 10))])
    merge(rows, book.changed())
    for alert, rule in [("al_1", move), ("al_2", rule_of(than))]:
        book.remove(alert)
        book.add(f"{alert}_later", 1, rule)
    merge(rows, book.changed())
    if is_killed:
        book = Book(kept(rows))
        for alert, rule in [("al_1", move), ("al_2", rule_of(than))]:
            book.add(f"{alert}_later", 1, rule, rows.rules[f"{alert}_later"])

    later: list[Seen] = [tick(7_200, 120), tick(7_201, 120.5), bar("5m", 6_900, 110, time=7_205)]
    asked = book.unseeded(later)
    for key in asked:
        book.seed(key, [bar("5m", 6_300, 150), bar("5m", 6_600, 150)])
    assert {("AAPL", "5m", "regular")} == asked.keys()
    assert [] == book.take(later)


def test_what_alerts_share_is_kept_while_one_that_goes_on_is_still_to_be_added() -> None:
    rule = rule_of({"kind": "price", "relation": "crosses", "level": 100})
    book, rows = Book(), Changed({}, {})
    book.add("al_1", 1, rule)
    book.add("al_2", 1, rule)
    fired = book.take([tick(0, 99), tick(1, 101), tick(2, 99)])
    merge(rows, book.changed())
    again = Book(kept(rows))
    again.add("al_1", 1, rule, rows.rules["al_1"])
    again.remove("al_1")
    merge(rows, again.changed(awaited={"AAPL"}))
    again.add("al_2", 1, rule, rows.rules["al_2"])

    assert 4 == len(fired)
    assert [] == again.take([tick(0, 99), tick(1, 101), tick(2, 99)])
    again.remove("al_2")
    assert {"AAPL": None} == again.changed().market


class _Amid:
    """A book that is changed and killed amid a flow, beside its rules, plainly evaluated."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._book = Book()
        self._kept: dict[str, tuple[int, Rule]] = {}
        self._rows = Changed({}, {})
        self._among = Among()
        self._past = list(past_of(()).bars)
        self._revision = 0
        self._split_ones: set[str] = set()

    def change(self, rng: random.Random) -> None:
        """Add a rule, in the place of the alert's earlier one if it has any, or remove one."""
        at = rng.randrange(len(self._rules))
        alert = f"al_{at:02}"
        if rng.random() < 0.5:
            self._book.remove(alert)
            self._among.remove(alert)
            self._kept.pop(alert, None)
            self._rows.rules.pop(alert, None)
            return
        self._revision += 1
        self._kept[alert] = self._revision, self._rules[at]
        self._book.add(alert, *self._kept[alert])
        self._among.add(alert, *self._kept[alert])

    def split(self, session: dt.date, symbol: str) -> None:
        """Split a symbol's shares, and tell of it twice."""
        for _ in range(2):
            self._book.rebase(symbol, session, 1.005)
        self._among.rebase(symbol, session, 1.005)
        self._past = [
            rebased_bar(each, 1.005) if each.symbol == symbol else each for each in self._past
        ]
        self._split_ones.add(symbol)

    def take(self, seen: Sequence[Seen]) -> None:
        """Take what is seen of one session."""
        for key, bars in Past(self._past).before(self._book.unseeded(seen)).items():
            self._book.seed(key, bars)
            self._among.seed(key, bars)
        self._past += [x for x in seen if isinstance(x, SeenBar) and x.state == "final"]
        expected = [firing for each in seen for firing in self._among.take(each)]
        assert expected == self._book.take(seen)

    def keep(self, *, is_killed: bool) -> None:
        """Keep the rows, of which there are none that no rule needs; go on from them if killed."""
        merge(self._rows, self._book.changed())
        looked_at = {" ".join(key) for key in self._book.wants()}
        symbols = {plan.symbol for _, plan, _ in self._among.rules.values()}
        assert {key for key in self._rows.market if " " in key} <= looked_at
        assert {key for key in self._rows.market if " " not in key} <= symbols | self._split_ones
        if is_killed:
            self._book = Book(kept(self._rows))
            for alert, (revision, rule) in self._kept.items():
                self._book.add(alert, revision, rule, self._rows.rules[alert])


def rebased_bar(bar: SeenBar, factor: float) -> SeenBar:
    high, low, close = bar.high / factor, bar.low / factor, bar.close / factor
    return bar._replace(high=high, low=low, close=close, volume=bar.volume * factor)


def in_order(seen: Sequence[Seen]) -> list[Seen]:
    """Leave out what comes late, or again."""
    found: list[Seen] = []
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for each in seen:
        if isinstance(each, SeenBar):
            key, place = (each.symbol, each.interval), (each.start, 0)
        else:
            key, place = (each.symbol, ""), (each.time, each.sequence)
        if place > last.get(key, (0, 0)):
            last[key] = place
            found.append(each)
    return found


def merge(rows: Changed, changed: Changed) -> None:
    rows.rules.update(changed.rules)
    rows.market.update(changed.market)
    for key in [key for key, row in changed.market.items() if row is None]:
        del rows.market[key]


def states(book: Book, rows: Changed) -> dict[str, RuleState]:
    return rows.rules | book.changed().rules


def kept(rows: Changed) -> dict[str, str]:
    return {key: row for key, row in rows.market.items() if row is not None}
