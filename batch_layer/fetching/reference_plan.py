"""Which reference data a fetch has to ask for, and what of it is there."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batch_layer import landing
from batch_layer.fetching.daily_sources import EARLIEST
from batch_layer.fetching.reference_landed import STATES, TICKERS, day_of, details_unit, state_unit
from lake import keys
from lake.exchange import trading_day

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch_layer.bronze.traded import Run
    from batch_layer.fetching.reference_landed import Known
    from lake.store import ObjectStore

_JANUARY: Final = 1


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a kind that are wanted: those to ask for, and how many are there."""

    ask: Sequence[str]
    there: int


@dataclass(frozen=True, slots=True)
class Landed:
    """What a lake has of a source on a day.

    Attributes:
        store: The lake.
        source: Who answered.
        today: The date at the exchange.
        again: Whether nothing counts as being there.
    """

    store: ObjectStore
    source: str
    today: dt.date
    again: bool

    def states(self) -> Units:
        """Return the snapshots of today's tickers."""
        units = [state_unit(state, self.today) for state in STATES]
        return self._split(units, landing.landed(self.store, self.source, TICKERS))

    def years(self, kind: str, start: dt.date, end: dt.date | None) -> Units:
        """Return the years of splits or dividends, the latest first.

        A year that is over, and whose January after it as well, is asked for once; the others, and
        the year to come, of which some are announced, once a day.
        """
        last = self.today.year + 1 if end is None else end.year
        units = [str(year) for year in range(last, start.year - 1, -1)]
        landed = landing.landed(self.store, self.source, kind)
        prefix = keys.landing(self.source, kind)
        done = {unit for unit in units if unit in landed and self._is_done(unit, prefix, landed)}
        return self._split(units, done)

    def symbols(self, kind: str, wanted: Sequence[str], stale: Collection[str] = ()) -> Units:
        """Return the units of single symbols or listings, less those that landed.

        Args:
            kind: What of them.
            wanted: The units.
            stale: Those of them that count only if they landed today.
        """
        landed = landing.landed(self.store, self.source, kind)
        prefix = keys.landing(self.source, kind)
        units = dict.fromkeys([*wanted, *(landed if self.again else ())])
        ask = [
            unit
            for unit in units
            if self.again
            or unit not in landed
            or (unit in stale and _landed_on(landed[unit], prefix) < self.today)
        ]
        return Units(ask, len(landed.keys() - set(ask)))

    def _is_done(self, unit: str, prefix: str, landed: Mapping[str, list[str]]) -> bool:
        at = _landed_on(landed[unit], prefix)
        return (at.year, at.month) > (int(unit) + 1, _JANUARY) or at >= self.today

    def _split(self, units: Sequence[str], done: Collection[str]) -> Units:
        ask = [unit for unit in units if self.again or unit not in done]
        return Units(ask, len(units) - len(ask))


def wanted_details(
    runs: Mapping[str, Sequence[Run]],
    known: Known,
    kept: Collection[str],
    answered: Collection[str],
) -> list[str]:
    """Return of which symbols to ask what they named on which day.

    Args:
        runs: By symbol, when it traded.
        known: What the tickers say.
        kept: Symbols that others have told of.
        answered: Units that were asked for.
    """
    holders: defaultdict[str, set[str | None]] = defaultdict(set)
    for ticker in known.tickers:
        holders[ticker.symbol].add(ticker.listing)
    for listing, turns in known.events.items():
        for turn in turns:
            holders[turn.symbol].add(listing)
    days: defaultdict[str, list[dt.date]] = defaultdict(list)
    for unit in answered:
        day = day_of(unit)
        if day is not None:
            days[unit.rpartition("/")[0]].append(day)
    wanted = []
    for symbol in sorted(runs.keys() - set(kept)):
        # With as many holders as runs, each has one; the last run is of the last holder.
        told = len(holders.get(symbol, ()))
        odd = runs[symbol] if not told else runs[symbol][:-1] if told < len(runs[symbol]) else ()
        wanted += [
            details_unit(symbol, run.last)
            for run in odd
            if run.last >= EARLIEST
            and not any(run.first <= day <= run.last for day in days[symbol])
        ]
    return wanted


def wanted_events(traded: Collection[str], known: Known, answered: Collection[str]) -> list[str]:
    """Return the listings whose events are needed.

    That is where tickers alone do not tell when a symbol changed hands, or a listing its symbol:
    listings with several symbols, symbols with several listings, as far as they have bars.

    Args:
        traded: The symbols that have bars.
        known: What tickers and events say.
        answered: Listings that were asked for.
    """
    symbols: defaultdict[str, set[str]] = defaultdict(set)
    listings: defaultdict[str, set[str]] = defaultdict(set)
    for ticker in known.tickers:
        if ticker.listing is not None:
            symbols[ticker.listing].add(ticker.symbol)
            listings[ticker.symbol].add(ticker.listing)
    renamed = {each for each, names in symbols.items() if len(names) > 1 and names & set(traded)}
    shared = {
        listing
        for symbol in listings.keys() & set(traded)
        if len(listings[symbol]) > 1
        for listing in listings[symbol]
    }
    return sorted((renamed | shared) - set(answered))


def stale_events(known: Known) -> set[str]:
    """Return the listings whose events do not tell of the symbol that they have now."""
    now: defaultdict[str, set[str]] = defaultdict(set)
    for ticker in known.tickers:
        if ticker.listing is not None and ticker.is_active:
            now[ticker.listing].add(ticker.symbol)
    return {
        listing
        for listing, turns in known.events.items()
        if turns and now[listing] and not now[listing] & {turn.symbol for turn in turns}
    }


def _landed_on(landed: Sequence[str], prefix: str) -> dt.date:
    """Return the date at the exchange on which the last of some answers landed."""
    told = keys.landed_unit(landed[-1], prefix)
    return trading_day(told[1]) if told else dt.date.min
