"""What the rules of one symbol share: its last price, its prices of late, and the bars before.

Bounded and explicit: whatever is here goes to JSON and back, so that evaluation goes on where it
stopped.

Units: instants are microseconds since 1970, UTC; prices USD a share.
"""

from __future__ import annotations

import datetime as dt
from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lake.alerts.seen import SeenBar, Tick
    from lake.bar import Hours

_GRAINS: Final = 60
"""Of a window."""
_MINUTE_US: Final = 60_000_000


class Before(NamedTuple):
    """A final bar, as those after it need it.

    Attributes:
        start: When it begins.
        high: Its highest price.
        low: Its lowest price.
        close: Its last price.
        volume: Its volume.
    """

    start: int
    high: float
    low: float
    close: float
    volume: float

    def rebased(self, factor: float) -> Before:
        """Return it on the basis after a split of `factor` new shares for one."""
        high, low, close = self.high / factor, self.low / factor, self.close / factor
        return Before(self.start, high, low, close, self.volume * factor)


class PriceWindow:
    """The prices of late, one a grain of a sixtieth of a window: what a price was so long ago.

    Args:
        minutes: Of the window.
    """

    __slots__ = ("grain", "grains", "prices")

    def __init__(self, minutes: int) -> None:
        self.grain = minutes * _MINUTE_US // _GRAINS
        self.grains = array("q")
        self.prices = array("d")

    def see(self, time: int, price: float) -> None:
        """Take the price at a time, no earlier than the last."""
        grain = time // self.grain
        if self.grains and self.grains[-1] == grain:
            self.prices[-1] = price
            return
        self.grains.append(grain)
        self.prices.append(price)
        # A grain so old is over a window before any moment of this one; of such, the last is kept.
        while len(self.grains) > 1 and self.grains[1] < grain - _GRAINS:
            del self.grains[0], self.prices[0]

    @property
    def _is_known(self) -> bool:
        return bool(self.grains) and self.grains[0] < self.grains[-1] - _GRAINS

    def before(self) -> float | None:
        """Return the price a window before the last one, or None where none is so old."""
        return self.prices[0] if self._is_known else None

    def until(self) -> int:
        """Return the first time at which `before` may tell another price."""
        if not self.grains:
            return 0
        following = self.grains[1] if self._is_known else self.grains[0]
        return (following + _GRAINS + 1) * self.grain

    def rebase(self, factor: float, since: int) -> None:
        """Put the prices from before an instant on the basis after a split."""
        told = zip(self.grains, self.prices, strict=True)
        rebased = (price / factor if at * self.grain < since else price for at, price in told)
        self.prices = array("d", rebased)

    def document(self) -> list[list[Any]]:
        """Return the grains and their prices, as JSON."""
        return [self.grains.tolist(), self.prices.tolist()]

    def restore(self, document: Sequence[Sequence[Any]]) -> None:
        """Take back what `document` told."""
        self.grains, self.prices = array("q", document[0]), array("d", document[1])


class BarsBefore:
    """The last final bars of one interval and hours of a symbol, and what of them was counted.

    Attributes:
        count: How many are wanted.
        asked: How many were when it was seeded; 0 where it was not.
        session: The date whose split basis they are on; the first of all where it was not seeded.
        bars: The bars, oldest first, one more than wanted: the one seen may be the last.
        final: The start of the last final bar counted; None where there is none. One that was
            seeded is counted once it is told.
        forming: Start, time and volume of the last forming bar counted; None likewise.
    """

    __slots__ = ("asked", "bars", "count", "final", "forming", "session")

    def __init__(self) -> None:
        self.count = 0
        self.asked = 0
        self.session = dt.date.min
        self.bars: list[Before] = []
        self.final: int | None = None
        self.forming: tuple[int, int, float] | None = None

    def take(self, bar: SeenBar) -> bool:
        """Take a bar, and return whether it counts."""
        if self.final is not None and bar.start <= self.final:
            return False
        if bar.state == "forming":
            formed = (bar.start, bar.time, bar.volume)
            if self.forming is not None and formed <= self.forming:
                return False
            self.forming = formed
            return True
        self.final, self.forming = bar.start, None
        if not self.bars or self.bars[-1].start < bar.start:
            self.bars.append(Before(bar.start, bar.high, bar.low, bar.close, bar.volume))
            self._trim()
        return True

    def before(self, start: int, count: int) -> list[Before] | None:
        """Return the last `count` final bars that begin before `start`; None where fewer are known.

        Args:
            start: That of the bar seen, which may be here already, or of the one before.
            count: How many; 1 or more.
        """
        bars = self.bars
        end = len(bars)
        while end and bars[end - 1].start >= start:
            end -= 1
        return bars[end - count : end] if end >= count else None

    def seed(self, bars: Sequence[SeenBar], session: dt.date) -> None:
        """Put what history tells in the place of what is here up to its last bar."""
        told = [Before(bar.start, bar.high, bar.low, bar.close, bar.volume) for bar in bars]
        last = told[-1].start if told else -1
        self.bars = [*told, *(bar for bar in self.bars if bar.start > last)]
        self.session, self.asked = session, self.count
        self._trim()

    def rebase(self, session: dt.date, factor: float) -> None:
        """Put the bars on a split's basis; those of its session are asked for anew."""
        if self.session < session:
            self.bars = [bar.rebased(factor) for bar in self.bars]
        else:
            # Told before the split was known.
            self.session = dt.date.min

    def forget(self) -> None:
        """Begin anew: none looks at these bars."""
        self.count = self.asked = 0
        self.final = self.forming = None
        self.session = dt.date.min
        self.bars.clear()

    def told(self) -> str:
        """Return the bars as JSON; what of them was counted is told by the market."""
        session, bars = self.session.isoformat(), [list(bar) for bar in self.bars]
        return orjson.dumps({"session": session, "asked": self.asked, "bars": bars}).decode()

    def restore(self, told: str) -> None:
        """Take back what `told` returned."""
        document = orjson.loads(told)
        self.session = dt.date.fromisoformat(document["session"])
        self.asked = document["asked"]
        self.bars = [Before(*bar) for bar in document["bars"]]

    def _trim(self) -> None:
        del self.bars[: -self.count - 1]


class Market:
    """What the rules of one symbol share.

    Attributes:
        symbol: Whose.
        time: Of the last tick that counted; -1 where there is none.
        sequence: Its sequence.
        price: Its price; None where there is none.
        split: The session of the last split that was applied; None where none was.
        windows: By minutes, the prices that moves are measured against.
        bars: By interval and hours.
    """

    __slots__ = ("bars", "price", "sequence", "split", "symbol", "time", "windows")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.time = -1
        self.sequence = -1
        self.price: float | None = None
        self.split: dt.date | None = None
        self.windows: dict[int, PriceWindow] = {}
        self.bars: dict[tuple[str, Hours], BarsBefore] = {}

    def take(self, tick: Tick) -> bool:
        """Take a tick, and return whether it counts."""
        _, time, sequence, price = tick
        if time < self.time or (time == self.time and sequence <= self.sequence):
            return False
        self.time, self.sequence, self.price = time, sequence, price
        for window in self.windows.values():
            window.see(time, price)
        return True

    def rebase(self, session: dt.date, factor: float, since: int) -> bool:
        """Put all prices from before a split on its basis, and return whether they were not yet."""
        if self.split is not None and session <= self.split:
            return False
        self.split = session
        if self.price is not None and self.time < since:
            self.price /= factor
        for window in self.windows.values():
            window.rebase(factor, since)
        for bars in self.bars.values():
            bars.rebase(session, factor)
        return True

    def told(self) -> str:
        """Return all but the bars, as JSON: what `restored` gives back."""
        counted = {
            " ".join(key): [bars.final, bars.forming]
            for key, bars in self.bars.items()
            if bars.final is not None or bars.forming
        }
        document = {
            "last": [self.time, self.sequence, self.price],
            "split": self.split.isoformat() if self.split else None,
            "windows": {str(key): window.document() for key, window in self.windows.items()},
            "counted": counted,
        }
        return orjson.dumps({key: value for key, value in document.items() if value}).decode()


def restored(symbol: str, told: str, bars_told: Mapping[str, str]) -> Market:
    """Return the market that JSON tells.

    Args:
        symbol: Whose.
        told: What `Market.told` returned.
        bars_told: By interval and hours, as `13d regular`, what `BarsBefore.told` returned.
    """
    document, market = orjson.loads(told), Market(symbol)
    market.time, market.sequence, market.price = document["last"]
    if "split" in document:
        market.split = dt.date.fromisoformat(document["split"])
    for key, window in document.get("windows", {}).items():
        market.windows[int(key)] = PriceWindow(int(key))
        market.windows[int(key)].restore(window)
    counted = document.get("counted", {})
    for key in counted.keys() | bars_told.keys():
        interval, hours = key.split()
        bars = market.bars[interval, cast("Hours", hours)] = BarsBefore()
        bars.final, forming = counted.get(key, (None, None))
        bars.forming = tuple(forming) if forming else None
        if key in bars_told:
            bars.restore(bars_told[key])
    return market
