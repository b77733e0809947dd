"""What landed of reference data: which units there are, and what they say of listings."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from batch_layer import landing
from batch_layer.fetching.at_once import at_once
from batch_layer.vendors.massive_tickers import tickers_of, turns_of
from lake import keys
from lake.exchange import trading_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_layer.vendors.massive_tickers import Ticker, Turn
    from lake.store import ObjectStore

Kind = Literal["tickers", "ticker_details", "ticker_events", "splits", "dividends", "conditions"]
TICKERS: Final = "tickers"
DETAILS: Final = "ticker_details"
EVENTS: Final = "ticker_events"
CONDITIONS: Final = "conditions"
STATES: Final = ("active", "delisted")
_WORKERS: Final = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """The keys of what landed of tickers, as of some day.

    Attributes:
        snapshots: By state (active, delisted), that of the last day.
        before: Likewise, that before it.
        details: By symbol and day, `FB/2022-06-08`.
        events: By listing.
    """

    snapshots: Mapping[str, str]
    before: Mapping[str, str]
    details: Mapping[str, str]
    events: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether both the active and the delisted tickers are there."""
        return len(self.snapshots) == len(STATES)


@dataclass(frozen=True, slots=True)
class Known:
    """What landed answers say of tickers.

    Attributes:
        tickers: Active ones, delisted ones, and those that were asked for by their day.
        events: By listing, under which symbols it was.
        at: When the last of the answers had come; None: there is none.
    """

    tickers: Sequence[Ticker]
    events: Mapping[str, Sequence[Turn]]
    at: dt.datetime | None

    @property
    def listings(self) -> frozenset[str]:
        """The listings that tickers tell of."""
        return frozenset(each.listing for each in self.tickers if each.listing)


@dataclass(frozen=True, slots=True)
class _Read:
    kind: str
    unit: str
    at: dt.datetime
    tickers: Sequence[Ticker] = ()
    turns: Sequence[Turn] = ()


def state_unit(state: str, day: dt.date) -> str:
    """Return the unit of the active, or the delisted, tickers as of a day."""
    return f"{state}/{day}"


def details_unit(symbol: str, day: dt.date) -> str:
    """Return the unit of what a symbol named on a day."""
    return f"{symbol}/{day}"


def day_of(unit: str) -> dt.date | None:
    """Return the day at the end of a unit; None: there is none."""
    try:
        return dt.date.fromisoformat(unit.rpartition("/")[2])
    except ValueError:
        return None


def days_landed(store: ObjectStore, source: str) -> list[dt.date]:
    """Return the days on which tickers, details or events landed, in order."""
    days = set()
    for kind in (TICKERS, DETAILS, EVENTS):
        for unit, found in landing.landed(store, source, kind).items():
            days |= {_day(source, kind, unit, key) for key in found}
    return sorted(days)


def reference_on(store: ObjectStore, source: str, day: dt.date = dt.date.max) -> Reference:
    """Return the last of what had landed of tickers on a day."""
    last: defaultdict[str, dict[str, str]] = defaultdict(dict)
    of_state: defaultdict[str, list[str]] = defaultdict(list)
    for kind in (TICKERS, DETAILS, EVENTS):
        for unit, found in landing.landed(store, source, kind).items():
            then = [key for key in found if _day(source, kind, unit, key) <= day]
            if kind == TICKERS:
                of_state[unit.partition("/")[0]] += then
            elif then:
                last[kind][unit] = then[-1]
    ordered = {state: sorted(of_state[state]) for state in STATES if of_state[state]}
    return Reference(
        snapshots={state: found[-1] for state, found in ordered.items()},
        before={state: found[-2] for state, found in ordered.items() if found[:-1]},
        details=last[DETAILS],
        events=last[EVENTS],
    )


def read_reference(store: ObjectStore, reference: Reference) -> Known:
    """Return what landed answers say of tickers.

    Raises:
        DamagedObjectError: If one cannot be read.
        VendorAnswerError: If one makes no sense.
    """
    wanted = [
        *((TICKERS, state, key) for state, key in reference.snapshots.items()),
        *((DETAILS, unit, key) for unit, key in reference.details.items()),
        *((EVENTS, unit, key) for unit, key in reference.events.items()),
    ]
    read = partial(_read, store)
    found = list(at_once(wanted, read, workers=_WORKERS, ahead=2 * _WORKERS))
    # As they are done is in no order.
    found.sort(key=lambda each: (each.kind, each.unit))
    return Known(
        tickers=[ticker for each in found for ticker in each.tickers],
        events={each.unit: each.turns for each in found if each.kind == EVENTS},
        at=max((each.at for each in found), default=None),
    )


def listings_before(store: ObjectStore, reference: Reference) -> frozenset[str]:
    """Return the listings that the snapshots before the last told of."""
    return frozenset(
        ticker.listing
        for key in reference.before.values()
        for ticker in tickers_of(answer.body for answer in landing.read(store, key))
        if ticker.listing
    )


def _day(source: str, kind: str, unit: str, key: str) -> dt.date:
    """Return the day that an answer belongs to: a snapshot names it, else when it came."""
    named = day_of(unit) if kind == TICKERS else None
    told = keys.landed_unit(key, keys.landing(source, kind))
    return named or (trading_day(told[1]) if told else dt.date.max)


def _read(store: ObjectStore, wanted: tuple[str, str, str]) -> _Read:
    kind, unit, key = wanted
    answers = landing.read(store, key)
    at = answers[-1].fetched_at
    if kind == EVENTS:
        return _Read(kind, unit, at, turns=turns_of(answers[-1].body))
    tickers = tickers_of(answer.body for answer in answers)
    if kind == DETAILS:
        # What a symbol named on a day that has gone by, it names no more, as far as is known.
        day = day_of(unit)
        tickers = [replace(each, is_active=False, last=day) for each in tickers]
    return _Read(kind, unit, at, tickers)
