"""Claims of listings side by side, none over another: each gets the days that are still free.

claims that count come first        A |======== FB =======|== META ======>
a later one keeps what is free      B |~~ META ~~~~~~~~~~~|
and one with none left is dropped   C                          META ->  dropped
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.listing_claims import Dropped
from lake.session import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_layer.fetching.listing_claims import Claim

_DAY: Final = dt.timedelta(days=1)
_NEVER: Final = dt.date(9999, 12, 30)
SLACK: Final = dt.timedelta(days=14)
"""By how much the vendor's dates of one event may differ: a delisting is told days late."""


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    first: dt.date
    last: dt.date
    holder: str


@dataclass(slots=True)
class _Taken:
    """What is taken: by symbol, and by listing."""

    symbols: defaultdict[str, list[_Span]] = field(default_factory=lambda: defaultdict(list))
    listings: defaultdict[str, list[_Span]] = field(default_factory=lambda: defaultdict(list))

    def near(self, claim: Claim) -> list[_Span]:
        return sorted(self.symbols[claim.symbol] + self.listings[claim.listing])

    def take(self, claim: Claim, first: dt.date, last: dt.date) -> None:
        self.symbols[claim.symbol].append(_Span(first, last, claim.listing))
        self.listings[claim.listing].append(_Span(first, last, claim.symbol))


def placed(
    claims: Iterable[Claim], kept: Iterable[Claim] = ()
) -> tuple[list[Claim], list[Dropped]]:
    """Return claims with all dates told, no two at once of one symbol or of one listing.

    Args:
        claims: Those that count first in front.
        kept: What others have said, with its dates: it is not touched, and not returned.

    Returns:
        The claims, and those that have no place.
    """
    taken = _Taken()
    for each in kept:
        taken.take(each, each.first or EPOCH, each.last or _NEVER)
    found: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in claims:
        near = taken.near(claim)
        find = _from_first if claim.is_of_events else _to_last
        free = find(claim, near)
        if isinstance(free, str):
            dropped.append(Dropped(claim.listing, claim.symbol, free))
            continue
        first, last = free
        taken.take(claim, first, last)
        found.append(replace(claim, first=first, last=None if last == _NEVER else last))
    return _joined(found), dropped


def _from_first(claim: Claim, near: Sequence[_Span]) -> tuple[dt.date, dt.date] | str:
    """Return the free days of a claim from its first on, or why there are none."""
    told = first = max(claim.first or EPOCH, EPOCH)
    for span in near:
        if span.first <= first <= span.last:
            if span.last >= told + SLACK:
                return _theirs(told, span)
            first = span.last + _DAY
    last = min([claim.last or _NEVER, *(span.first - _DAY for span in near if span.first > first)])
    return (first, last) if first <= last else f"ends on {claim.last}, before it begins"


def _to_last(claim: Claim, near: Sequence[_Span]) -> tuple[dt.date, dt.date] | str:
    """Return the free days of a claim up to its last, or why there are none."""
    told = last = claim.last or _NEVER
    for span in reversed(near):
        if span.first <= last <= span.last:
            if span.first + SLACK <= told:
                return _theirs(told, span)
            last = span.first - _DAY
    first = max(
        [claim.first or EPOCH, EPOCH, *(span.last + _DAY for span in near if span.last < last)]
    )
    return (first, last) if first <= last else f"ends on {last}, before it begins"


def _theirs(day: dt.date, span: _Span) -> str:
    when = "now" if day == _NEVER else f"on {day}"
    return f"{span.holder} holds it {when}"


def _joined(claims: Sequence[Claim]) -> list[Claim]:
    """Return claims in order, neighbours of one listing and symbol as one."""
    joined: list[Claim] = []
    for claim in sorted(claims, key=lambda each: (each.listing, each.first or EPOCH)):
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.last is not None
            and (before.listing, before.symbol) == (claim.listing, claim.symbol)
            and before.last + _DAY == claim.first
        ):
            joined[-1] = replace(before, last=claim.last)
        else:
            joined.append(claim)
    return joined
