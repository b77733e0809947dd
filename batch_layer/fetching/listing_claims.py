"""What a vendor's tickers and events claim of listings: which symbol each had, and until when.

Where the events of a listing have landed they say all: a symbol holds from its date to the day
before the next one's. Else each ticker of it is a claim of its own, which ends on the day of its
delisting; where it begins is mostly not told, and is what nobody else claims.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.daily_sources import EARLIEST
from lake.symbol import is_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from batch_layer.vendors.massive_tickers import Ticker, Turn

_DAY: Final = dt.timedelta(days=1)
_COMMON: Final = "CS"


@dataclass(frozen=True, slots=True)
class Claim:
    """That a listing had a symbol, from a day to another, both inclusive.

    Attributes:
        listing: Its id.
        symbol: As the lake spells it.
        first: None: that is not told.
        last: None: it has it still.
        name: Of the security.
        exchange: The market identifier code.
        kind: `CS`, `ETF` and so on.
        is_of_events: Whether it is by the vendor's events, which tell of renames.
    """

    listing: str
    symbol: str
    first: dt.date | None
    last: dt.date | None
    name: str | None = None
    exchange: str | None = None
    kind: str | None = None
    is_of_events: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """A claim that is not kept, and why."""

    listing: str
    symbol: str
    why: str


def claims_of(
    tickers: Iterable[Ticker], events: Mapping[str, Sequence[Turn]], traded: Collection[str]
) -> tuple[list[Claim], list[Dropped]]:
    """Return what is claimed, those that count first in front; and what cannot be.

    Args:
        tickers: All that the vendor tells of; those without a listing claim nothing.
        events: By listing, under which symbols it was.
        traded: The symbols that have bars.
    """
    groups: defaultdict[str, list[Ticker]] = defaultdict(list)
    for ticker in sorted(tickers, key=lambda each: _rank(each, traded)):
        if ticker.listing is not None:
            groups[ticker.listing].append(ticker)
    by_events: list[Claim] = []
    by_tickers: list[tuple[Claim, int]] = []
    dropped: list[Dropped] = []
    for listing, group in sorted(groups.items()):
        if events.get(listing):
            by_events += _by_events(listing, group, events[listing], dropped)
        else:
            found = _by_tickers(listing, group, dropped)
            by_tickers += ((claim, int(claim.symbol not in traded)) for claim in found)
    dropped += [
        Dropped(each.listing, each.symbol, "not a symbol")
        for each in [*by_events, *(claim for claim, _ in by_tickers)]
        if not is_symbol(each.symbol)
    ]
    by_events = [each for each in by_events if is_symbol(each.symbol)]
    by_tickers = [each for each in by_tickers if is_symbol(each[0].symbol)]
    # The later holder of a symbol tells when the one before it ended.
    by_events.sort(key=lambda each: (each.first or dt.date.min, each.listing), reverse=True)
    # Each begins where the one that ended before it did.
    by_tickers.sort(key=lambda each: (each[0].last or dt.date.max, each[1], each[0].listing))
    return by_events + [claim for claim, _ in by_tickers], dropped


def _rank(ticker: Ticker, traded: Collection[str]) -> tuple[object, ...]:
    """Return what orders tickers of one listing: those that are rather meant first."""
    return (
        not ticker.is_active,
        -(ticker.last or dt.date.min).toordinal(),
        ticker.symbol not in traded,
        ticker.kind != _COMMON,
        not ticker.is_plain,
        ticker.symbol,
        ticker.exchange or "",
        ticker.name or "",
    )


def _by_events(
    listing: str, group: Sequence[Ticker], turns: Sequence[Turn], dropped: list[Dropped]
) -> list[Claim]:
    told = replace(_claim(listing, group[0]), is_of_events=True)
    end = None if group[0].is_active else group[0].last
    ends = [*(turn.first - _DAY for turn in turns[1:]), end]
    claims = []
    for number, (turn, last) in enumerate(zip(turns, ends, strict=True)):
        # The vendor knows of nothing before its own beginning.
        is_open = number == 0 and turn.first <= EARLIEST
        if last is not None and last < turn.first:
            dropped.append(Dropped(listing, turn.symbol, f"delisted before {turn.first}"))
            continue
        first = None if is_open else turn.first
        claims.append(replace(told, symbol=turn.symbol, first=first, last=last))
    return claims


def _by_tickers(listing: str, group: Sequence[Ticker], dropped: list[Dropped]) -> list[Claim]:
    """Return a claim for each ticker of a listing; of several that end at once, of the first."""
    claims: list[Claim] = []
    ends: dict[dt.date | None, str] = {}
    seen: set[str] = set()
    for ticker in group:
        last = None if ticker.is_active else ticker.last
        if ticker.symbol in seen:
            continue  # relisted: it holds until the later end
        if last is None and not ticker.is_active:
            dropped.append(Dropped(listing, ticker.symbol, "no date of its delisting"))
        elif last in ends:
            dropped.append(Dropped(listing, ticker.symbol, f"{ends[last]} is the same listing"))
        else:
            ends[last] = ticker.symbol
            seen.add(ticker.symbol)
            claims.append(replace(_claim(listing, ticker), last=last))
    first = min((each.first for each in group if each.first), default=None)
    if claims and first is not None and first > EARLIEST:
        oldest = claims[-1]
        if oldest.last is None or first <= oldest.last:
            claims[-1] = replace(oldest, first=first)
    return claims


def _claim(listing: str, told: Ticker) -> Claim:
    """Return that a listing had the symbol of a ticker, all the time."""
    return Claim(
        listing=listing,
        symbol=told.symbol,
        first=None,
        last=None,
        name=told.name,
        exchange=told.exchange,
        kind=told.kind,
    )
