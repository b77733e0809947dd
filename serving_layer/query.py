"""What is asked of the lake: which bars, and on which basis."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lake.errors import InvalidRangeError, MisuseError
from lake.hours import HOURS
from lake.instant import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lake.bar import Hours
    from lake.interval import Interval

Adjustment = Literal["raw", "split", "all"]
ADJUSTMENTS: Final[tuple[Adjustment, ...]] = ("raw", "split", "all")
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_adjustment(text: str) -> Adjustment:
    """Return the adjustment that `text` names.

    Raises:
        MisuseError: If it names none.
    """
    for adjustment in ADJUSTMENTS:
        if text == adjustment:
            return adjustment
    fact = f"{text!r} is not an adjustment. Allowed: {', '.join(ADJUSTMENTS)}."
    raise MisuseError(fact)


def parse_hours(text: str) -> Hours:
    """Return the hours that `text` names.

    Raises:
        MisuseError: If it names none.
    """
    for hours in HOURS:
        if text == hours:
            return hours
    fact = f"{text!r} is not a session. Allowed: {', '.join(HOURS)}."
    raise MisuseError(fact)


def check_symbols(names: Iterable[str]) -> None:
    """Refuse what cannot be a symbol or listing: nothing, or what cannot be written.

    Raises:
        MisuseError: If there is such a name.
    """
    for name in names:
        if not name.isprintable():
            fact = f"{name!r} cannot be a symbol."
            raise MisuseError(fact, hint="name each as text, as AAPL.")
        if not name:
            fact = "A symbol is empty."
            raise MisuseError(fact, hint="name each, as AAPL.")


def parse_date(text: str) -> dt.date:
    """Return the date that `text` writes as YYYY-MM-DD.

    Raises:
        InvalidRangeError: If it does not.
    """
    try:
        if DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    fact = f"{text!r} is not a date. Allowed: YYYY-MM-DD, as 2012-12-31."
    raise InvalidRangeError(fact)


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """Which bars, and on which basis.

    Attributes:
        symbols: Symbols or listings, in any case, at least one; None: the whole market.
        interval: 1m to 34d.
        start: First `start` of a bar (of an intraday one: its session), inclusive; None: from the
            first bar.
        end: Last `start` of a bar (of an intraday one: its session), inclusive; None: to the last
            bar.
        adjustment: `raw` as stored; `split`: on the split basis of `as_of`; `all`: dividends too.
        as_of: The date whose basis that is, and on which the symbols name what they name; None:
            that of `known_at`, or today.
        known_at: The instant as of whose knowledge to answer; None: now.
        after: Only bars behind this (name, start), in the order of the answer.
        limit: At most so many bars; None: all.
        session: Which hours' intraday bars: they are kept apart. A session bar is of the whole day.
        descending: Of each name, the last start first.
        until: The last session that is considered, as if the lake had none after it; None: all.
        names_on: The date on which the symbols name what they name, if it is not that of the basis.

    Raises:
        MisuseError: If there is no symbol, the adjustment or the session is not one, the whole
            market is asked for as of `known_at`, intraday bars less dividends or as of `known_at`,
            or session bars of extended hours.
        InvalidRangeError: If `start` is after `end`, or `known_at` has no time zone.
    """

    symbols: tuple[str, ...] | None
    interval: Interval
    start: dt.date | None = None
    end: dt.date | None = None
    adjustment: Adjustment = "split"
    as_of: dt.date | None = None
    known_at: dt.datetime | None = None
    after: tuple[str, dt.date] | None = None
    limit: int | None = None
    session: Hours = "regular"
    descending: bool = False
    until: dt.date | None = None
    names_on: dt.date | None = None

    @property
    def is_folded(self) -> bool:
        """Whether silver has no answer to it, and daily bars are folded for it."""
        is_cut = self.until is not None and not self.interval.is_intraday
        return self.adjustment == "all" or self.known_at is not None or is_cut

    @property
    def named(self) -> tuple[str, ...]:
        """The symbols that were named."""
        return self.symbols or ()

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if self.symbols is not None:
            object.__setattr__(self, "symbols", _tickers(self.symbols))
        elif self.known_at is not None:
            fact = "The whole market cannot be asked for as of known_at."
            raise MisuseError(fact, hint="name the symbols, or leave known_at out.")
        parse_adjustment(self.adjustment)
        parse_hours(self.session)
        self._check_offered()
        if self.known_at is not None:
            object.__setattr__(self, "known_at", utc(self.known_at))
        if self.start and self.end and self.start > self.end:
            fact = f"The start {self.start} is after the end {self.end}."
            raise InvalidRangeError(fact)

    def _check_offered(self) -> None:
        if not self.interval.is_intraday:
            if self.session != "regular":
                fact = f"Bars of {self.interval} are of the whole day: they have no extended hours."
                raise MisuseError(fact, hint="leave session out, or ask for 1m to 4h.")
        elif self.adjustment == "all" or self.known_at is not None:
            what = "adjustment=all" if self.adjustment == "all" else "known_at"
            fact = f"Bars of {self.interval} are not offered with {what} yet."
            raise MisuseError(fact, hint="ask for 1d or longer, or leave it out.")


def _tickers(symbols: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().upper() for name in symbols))
    if not any(names):
        fact = "No symbol was given."
        raise MisuseError(fact, hint="name one or more, as AAPL.")
    check_symbols(names)
    return names
