"""Which securities there are: under which ticker, from when to when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from batch_layer.local_vendor.figi import cik

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

Type = Literal["CS", "PFD", "ETF", "ADRC"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A security under one ticker; a renamed one has several of the same `figi`.

    Attributes:
        ticker: As the vendor spells it.
        figi: The composite FIGI, by which the security is known.
        first: The first day under this ticker.
        last: The last one; None: it still has it.
        symbol: Under which symbol its bars are in the lake.
        company: Of which the name and the CIK are made; classes of shares have it in common.
        type: A common stock, a preferred one, a fund or a foreign one's receipt.
        exchange: Its market identifier code.
    """

    ticker: str
    figi: str
    first: dt.date
    last: dt.date | None
    symbol: str
    company: str
    type: Type = "CS"
    exchange: str = "XNYS"

    @property
    def cik(self) -> str:
        """The company's number at the SEC."""
        return cik(self.company)

    @property
    def name(self) -> str:
        """The company's name."""
        return f"{self.company} Corporation"

    def spans(self, day: dt.date) -> bool:
        """Return whether the security has this ticker on a day."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Reference:
    """All securities.

    Attributes:
        listings: In any order.
    """

    listings: Sequence[Listing]
    _respelt: Sequence[Listing] = field(init=False, repr=False, compare=False)
    _last_of: dict[str, Listing] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note whose bars are sold under other tickers than the lake's, and who has which last."""
        respelt = [each for each in self.listings if each.ticker != each.symbol]
        last_of = {each.figi: each for each in sorted(self.listings, key=_first)}
        object.__setattr__(self, "_respelt", respelt)
        object.__setattr__(self, "_last_of", last_of)

    def tickers_on(self, session: dt.date) -> dict[str, str]:
        """Return the tickers that are not the lake's symbols, by symbol."""
        return {each.symbol: each.ticker for each in self._respelt if each.spans(session)}

    def symbols_of(
        self, ticker: str, first: dt.date, last: dt.date
    ) -> list[tuple[str, dt.date, dt.date]]:
        """Return under which symbols the lake has the bars of a ticker, each from when to when."""
        if not any(ticker in {each.ticker, each.symbol} for each in self._respelt):
            return [(ticker, first, last)]
        mine = sorted((each for each in self.listings if each.ticker == ticker), key=_first)
        return [
            (each.symbol, max(first, each.first), min(last, each.last or last)) for each in mine
        ]

    def delisted(self, listing: Listing) -> dt.date | None:
        """Return the last day of a delisted security; None: it has another ticker now, or this."""
        return listing.last if self._last_of[listing.figi] == listing else None

    def names_of(self, figi: str) -> list[Listing]:
        """Return the listings of a security, the first one first."""
        return sorted((each for each in self.listings if each.figi == figi), key=_first)


def _first(listing: Listing) -> dt.date:
    return listing.first
