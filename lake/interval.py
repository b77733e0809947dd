"""The intervals of bars, parsed once from a string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self, cast

from lake.errors import InvalidIntervalError

Unit = Literal["m", "h", "d"]

_NAMES: Final = "1m 5m 15m 1h 2h 4h 1d 3d 5d 8d 13d 21d 34d"


@dataclass(frozen=True, slots=True)
class Interval:
    """`count` minutes, hours or sessions, as in `5m`, `4h`, `13d`.

    Build one with `Interval.parse`; only the intervals of the product exist.
    """

    count: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the interval that `text` names, as `13d`.

        Raises:
            InvalidIntervalError: If `text` names none of the product's intervals.
        """
        if text not in _NAMES.split():
            fact = f"{text!r} is not an interval. Allowed: {', '.join(_NAMES.split())}."
            raise InvalidIntervalError(fact)
        return cls(count=int(text[:-1]), unit=cast("Unit", text[-1]))

    @property
    def sessions(self) -> int:
        """Sessions in one bar; 0 for an intraday interval."""
        return self.count if self.unit == "d" else 0

    @property
    def minutes(self) -> int:
        """Minutes in one bar that its hours do not cut; 0 for an interval of sessions."""
        return {"m": self.count, "h": 60 * self.count, "d": 0}[self.unit]

    @property
    def is_intraday(self) -> bool:
        """Whether its bars lie within a session."""
        return self.unit != "d"

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


DAILY: Final = Interval.parse("1d")
FIBONACCI: Final = tuple(Interval.parse(name) for name in ("3d", "5d", "8d", "13d", "21d", "34d"))
SESSION_INTERVALS: Final = (DAILY, *FIBONACCI)
MINUTE: Final = Interval.parse("1m")
INTRADAY: Final = tuple(Interval.parse(name) for name in ("5m", "15m", "1h", "2h", "4h"))
"""Those that are resampled from minutes."""
MINUTE_INTERVALS: Final = (MINUTE, *INTRADAY)
LIVE: Final = (*MINUTE_INTERVALS, DAILY)
"""Those that the speed layer makes of trades."""
RESAMPLED: Final = (*INTRADAY, *FIBONACCI)
"""Those that silver holds."""
INTERVALS: Final = (*MINUTE_INTERVALS, *SESSION_INTERVALS)
"""Those that readers offer."""


def parse_one_of(text: str, allowed: tuple[Interval, ...]) -> Interval:
    """Return the interval that `text` names, which must be one of `allowed`.

    Raises:
        InvalidIntervalError: If it is not an interval, or not an allowed one.
    """
    names = [str(interval) for interval in allowed]
    if text not in names:
        fact = f"{text!r} is not an interval offered here. Allowed: {', '.join(names)}."
        raise InvalidIntervalError(fact)
    return Interval.parse(text)
