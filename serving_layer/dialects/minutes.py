"""Which minutes vendors tell of, and when: each once it is over, and again whenever it changes.

    trades of 10:00   |x x  x|     x (late)
    feed's time       10:00  10:01 ..
    told                      b      u

A minute is over once the feed's time is past its end, and is told half a second later: no vendor
waits for what may still come late, as the speed layer does before it calls a bar final. Feed time
is that of the events that are seen, and runs on with this machine's while none come; so replays are
told at their own pace.

Units:  instants are microseconds since 1970, UTC; `now_s` is monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving_layer.stream.flow import BarRow

MINUTE_US: Final = 60_000_000
_GRACE_US: Final = 1_000_000
"""Trades are reported within it, but for the late ones."""
_KEPT_US: Final = 30 * MINUTE_US
_SETTLED_S: Final = 0.5
"""Prices are told at once, the bars that they are in soon after."""
_AGAIN_S: Final = 1.0
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute to be told.

    Attributes:
        bar: Of the minute; it has prices.
        day: The symbol's bar of the day so far; None before its first one, as before the open.
        again: Whether it was told before, and has changed.
    """

    bar: BarRow
    day: BarRow | None
    again: bool


@dataclass
class Minutes:
    """Follows the changes of bars, and says which minutes are to be told.

    Attributes:
        days: By symbol its latest 1d bar.
    """

    days: dict[str, BarRow] = field(default_factory=dict)
    _changed_days: dict[str, BarRow] = field(default_factory=dict)
    _pending: dict[int, dict[str, BarRow]] = field(default_factory=dict)
    _told: dict[int, dict[str, int]] = field(default_factory=dict)
    _over_s: dict[int, float] = field(default_factory=dict)
    _since: int | None = None
    _forgotten: int = 0
    _time: int = 0
    _seen_s: float = 0.0
    _again_s: float = float("-inf")

    def take(self, bars: Iterable[BarRow], times: Iterable[int], now_s: float) -> None:
        """Take changed bars, and the times of changed prices; of intervals, 1m and 1d count."""
        minutes, days = [], []
        for bar in bars:
            if bar.interval == "1m":
                minutes.append(bar)
            elif bar.interval == "1d" and bar.open is not None:
                days.append(bar)
        told = list(times)
        if self._since is None and (told or minutes):
            # What was over before anybody listened was told to nobody, and is no news.
            self._since = min(told, default=max((bar.start for bar in minutes), default=0))
        self._see(max([*told, *(_time_of(bar) for bar in minutes)], default=0), now_s)
        for bar in days:
            self._take_day(bar)
        for bar in minutes:
            self._take_minute(bar)

    def over(self, now_s: float) -> list[Minute]:
        """Return the minutes to be told now, in order of start."""
        time = self._now(now_s)
        is_again_due = now_s - self._again_s >= _AGAIN_S
        due: list[Minute] = []
        for start in sorted(self._pending):
            if start + MINUTE_US + _GRACE_US > time:
                break
            if now_s - self._over_s.setdefault(start, now_s) < _SETTLED_S:
                continue
            due += self._due(start, is_again_due=is_again_due)
        if any(minute.again for minute in due):
            self._again_s = now_s
        self._forget(self._time - _KEPT_US)
        return due

    def changed_days(self) -> list[BarRow]:
        """Return the 1d bars that have changed since the last call, each as it is now."""
        changed, self._changed_days = self._changed_days, {}
        return list(changed.values())

    @property
    def kept_since(self) -> int:
        """Of what ended until then, it is not known whether it was told."""
        return max(self._forgotten, self._since or 0)

    def _see(self, time: int, now_s: float) -> None:
        if time > self._time:
            self._time, self._seen_s = time, now_s

    def _now(self, now_s: float) -> int:
        passed = max(now_s - self._seen_s, 0.0)
        return self._time + int(passed * _SECOND_US) if self._time else 0

    def _take_day(self, bar: BarRow) -> None:
        held = self.days.get(bar.symbol)
        if held is None or (held.session, held.version) < (bar.session, bar.version):
            self.days[bar.symbol] = self._changed_days[bar.symbol] = bar

    def _take_minute(self, bar: BarRow) -> None:
        told = self._told.get(bar.start, {}).get(bar.symbol)
        if self._is_of_before(bar) if told is None else _weight(bar) <= told:
            # Nothing but its state is new.
            return
        pending = self._pending.setdefault(bar.start, {})
        if bar.open is None:
            # No vendor takes a bar back.
            pending.pop(bar.symbol, None)
        elif bar.symbol not in pending or pending[bar.symbol].version < bar.version:
            pending[bar.symbol] = bar

    def _is_of_before(self, bar: BarRow) -> bool:
        """Return whether a bar turned final that was over before anybody listened."""
        return bar.state == "final" and bar.start + MINUTE_US <= (self._since or 0)

    def _due(self, start: int, *, is_again_due: bool) -> list[Minute]:
        told = self._told.setdefault(start, {})
        waiting: dict[str, BarRow] = {}
        due = []
        for symbol, bar in self._pending.pop(start).items():
            is_again = symbol in told or start + MINUTE_US <= self.kept_since
            if is_again and not is_again_due:
                waiting[symbol] = bar
                continue
            told[symbol] = _weight(bar)
            due.append(Minute(bar, self._day_of(bar), is_again))
        if waiting:
            self._pending[start] = waiting
        return due

    def _day_of(self, bar: BarRow) -> BarRow | None:
        day = self.days.get(bar.symbol)
        return day if day is not None and day.session == bar.session else None

    def _forget(self, until: int) -> None:
        if until > self._forgotten:
            self._forgotten = until
            for start in [start for start in self._told if start + MINUTE_US <= until]:
                del self._told[start]
                self._over_s.pop(start, None)


def _time_of(bar: BarRow) -> int:
    """Return until when the feed has come at least, that a bar is as it is."""
    return bar.start if bar.state == "forming" else bar.start + MINUTE_US + _GRACE_US


def _weight(bar: BarRow) -> int:
    """Return what of a bar's version tells of its trades: the last bit tells of its state."""
    return bar.version >> 1
