"""What a backtest asks for, and its one written form, a JSON document.

The document is the body of a request, what a dataset id keeps, and what Python's arguments make.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from lake.errors import InvalidRangeError, MisuseError
from lake.instant import parse_instant, written
from lake.interval import DAILY, INTERVALS, parse_one_of
from lake.schemas import BARS, INTRADAY_BARS
from serving_layer.backtest.indicators import Indicator
from serving_layer.query import Adjustment, check_symbols, parse_adjustment, parse_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lake.interval import Interval

Kind = Literal["bars", "matrix"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_KEYS: Final = ("listing", "symbol", "start")
COLUMNS: Final = tuple(name for name in BARS.names if name not in _KEYS)
"""Of bars, beside listing, symbol, interval and start."""
INTRADAY_COLUMNS: Final = tuple(name for name in INTRADAY_BARS.names if name not in _KEYS)
MATRIX_COLUMNS: Final = tuple(name for name in BARS.names if name not in {"listing", "state"})
"""Of each interval in a matrix, beside `available_at`."""
MATRIX_DEFAULT: Final = ("open", "high", "low", "close", "volume")
MOST_SYMBOLS: Final = 1000
MOST_INDICATORS: Final = 20


@dataclass(frozen=True, slots=True)
class BacktestQuery:
    """Which bars of which symbols, on which basis, as they were known when.

    Attributes:
        kind: `bars`, one row a bar; or `matrix`, one row an instant.
        universe: Symbols or listings; or a date: all that were listed on it.
        intervals: At least one.
        start: First `start` of a bar, of intraday bars and in a matrix the session; inclusive.
        end: Last one, inclusive.
        adjustment: As of `BarsQuery`.
        as_of: The date whose basis is wanted; None: that of `known_at`, in a matrix that of each
            row's own session.
        known_at: The instant as of whose knowledge to answer; None: now.
        columns: Which, in the order of the answer.
        indicators: Of bars alone.
        include_forming: Whether bars that are not final are told too; none is in a matrix.

    Raises:
        MisuseError: If the universe, the intervals, a column or an indicator cannot be.
        InvalidRangeError: If `start` is after `end`.
    """

    kind: Kind
    universe: tuple[str, ...] | dt.date
    intervals: tuple[Interval, ...]
    start: dt.date | None
    end: dt.date | None
    adjustment: Adjustment
    as_of: dt.date | None
    known_at: dt.datetime | None
    columns: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    include_forming: bool

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if self.start and self.end and self.start > self.end:
            fact = f"The start {self.start} is after the end {self.end}."
            raise InvalidRangeError(fact)
        if self.has_intraday and self.adjustment == "all":
            fact = "Intraday bars are not offered with adjustment=all yet."
            raise MisuseError(fact, hint="ask for 1d and longer, or for adjustment=split.")
        if self.kind == "bars":
            self._check_bars()

    def _check_bars(self) -> None:
        if self.has_intraday and self.session_intervals:
            fact = "Bars of sessions start on a date, those of minutes at an instant: no one table."
            raise MisuseError(fact, hint="ask for each alone, or for the matrix.")
        if self.indicators and self.adjustment == "raw":
            fact = "Raw bars have no common basis for indicators."
            raise MisuseError(fact, hint="ask for adjustment=split, or leave indicators out.")

    @property
    def has_intraday(self) -> bool:
        """Whether an interval is of minutes or hours."""
        return any(each.is_intraday for each in self.intervals)

    @property
    def session_intervals(self) -> tuple[Interval, ...]:
        """Those of one session or more."""
        return tuple(each for each in self.intervals if not each.is_intraday)

    @property
    def finest(self) -> Interval:
        """The shortest interval that is asked for; of days 1d, asked for or not."""
        by_length = [each for each in INTERVALS if each in self.intervals]
        return by_length[0] if by_length[0].is_intraday else DAILY

    @property
    def memory(self) -> int:
        """How many bars before its first an answer depends on."""
        return max((each.memory for each in self.indicators), default=0)

    @classmethod
    def parse(cls, kind: Kind, document: Mapping[str, Any]) -> Self:
        """Return the query that a document writes; what it leaves out is as by default.

        Raises:
            MisuseError: If it writes none.
        """
        intervals = _once(document["intervals"], "interval", len(INTERVALS))
        parsed = tuple(parse_one_of(name, INTERVALS) for name in intervals)
        named = _once(document.get("indicators") or (), "indicator", MOST_INDICATORS, least=0)
        columns = document.get("columns")
        start, end, as_of = (document.get(name) for name in ("start", "end", "as_of"))
        known_at = document.get("known_at")
        allowed = _columns(kind, parsed)
        default = MATRIX_DEFAULT if kind == "matrix" else allowed
        return cls(
            kind=kind,
            universe=_universe(document["universe"]),
            intervals=parsed,
            start=start and parse_date(start),
            end=end and parse_date(end),
            adjustment=parse_adjustment(document.get("adjustment") or "split"),
            as_of=as_of and parse_date(as_of),
            known_at=known_at and parse_instant(known_at),
            columns=default if columns is None else _chosen(columns, allowed),
            indicators=tuple(Indicator.parse(name) for name in named),
            include_forming=bool(document.get("include_forming")),
        )

    def document(self) -> dict[str, Any]:
        """Return the document that writes this query in full."""
        listed_on = self.universe
        told = {
            "universe": {"listed_on": listed_on.isoformat()}
            if isinstance(listed_on, dt.date)
            else list(listed_on),
            "intervals": [str(each) for each in self.intervals],
            "start": self.start and self.start.isoformat(),
            "end": self.end and self.end.isoformat(),
            "adjustment": self.adjustment,
            "as_of": self.as_of and self.as_of.isoformat(),
            "known_at": self.known_at and written(self.known_at),
            "columns": list(self.columns),
        }
        if self.kind == "matrix":
            return told
        indicators = [str(each) for each in self.indicators]
        return told | {"indicators": indicators, "include_forming": self.include_forming}


def _columns(kind: Kind, intervals: Sequence[Interval]) -> tuple[str, ...]:
    if kind == "matrix":
        return MATRIX_COLUMNS
    return INTRADAY_COLUMNS if any(each.is_intraday for each in intervals) else COLUMNS


def _chosen(columns: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    chosen = _once(columns, "column", len(allowed))
    unknown = [name for name in chosen if name not in allowed]
    if unknown:
        fact = f"{unknown[0]!r} is not a column offered here. Allowed: {', '.join(allowed)}."
        raise MisuseError(fact)
    return chosen


def _universe(given: Sequence[str] | Mapping[str, str]) -> tuple[str, ...] | dt.date:
    if not isinstance(given, (list, tuple)):
        return parse_date(given["listed_on"])  # type: ignore[call-overload]
    names = _once((name.strip().upper() for name in given), "symbol", MOST_SYMBOLS)
    check_symbols(names)
    return tuple(sorted(names))


def _once(given: Iterable[str], what: str, most: int, *, least: int = 1) -> tuple[str, ...]:
    """Return each of some names once, in their order."""
    names = tuple(dict.fromkeys(given))
    if not least <= len(names) <= most:
        fact = f"{len(names):,} {what}s were named. Allowed: {least} to {most:,}."
        raise MisuseError(fact, hint="listed_on names a whole market." if what == "symbol" else "")
    return names
