"""What Massive's tickers, their details and their events say.

Source: https://massive.com/docs/rest/stocks/tickers. There `delisted_utc` is "the last date that
the asset was traded": so a delisted ticker holds on that day, too. It is midnight at the exchange
as a rule, and midnight UTC now and then, when the date is meant and not the evening before.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batch_layer.vendors.massive_answers import results_of
from lake.exchange import trading_day
from lake.massive_symbols import is_plain, lake_symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIGI: Final = re.compile(r"[A-Z]{3}[A-Z0-9]{9}")


@dataclass(frozen=True, slots=True)
class Ticker:
    """A ticker, now or when it was asked for.

    Attributes:
        symbol: As the lake spells it.
        listing: The composite FIGI, else that of the share class; None: neither is told.
        name: Of the security.
        exchange: The market identifier code.
        kind: `CS`, `ETF` and so on.
        first: When the security was listed first; None: that is not told.
        last: The last day of one delisted; None: that is not told, or it is traded.
        is_active: Whether it is traded.
        is_plain: Whether the vendor spells it without a suffix.
    """

    symbol: str
    listing: str | None
    name: str | None = None
    exchange: str | None = None
    kind: str | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    is_active: bool = True
    is_plain: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """From a day on, a security has a symbol."""

    first: dt.date
    symbol: str


def tickers_of(bodies: Iterable[bytes]) -> list[Ticker]:
    """Return the tickers on some pages, each once; rows without a ticker are passed over."""
    found = (_ticker(row) for body in bodies for row in results_of(body))
    return list(dict.fromkeys(each for each in found if each is not None))


def turns_of(body: bytes) -> tuple[Turn, ...]:
    """Return under which symbols a security was, in order of time; one a day."""
    found: dict[dt.date, str] = {}
    for told in results_of(body):
        for event in told.get("events") or []:
            change = event.get("ticker_change") or {}
            day, ticker = _date(event.get("date")), change.get("ticker")
            if day is not None and isinstance(ticker, str) and ticker.strip():
                found[day] = max(found.get(day, ""), lake_symbol(ticker))
    turns = [Turn(day, symbol) for day, symbol in sorted(found.items())]
    before: list[Turn | None] = [None, *turns[:-1]]
    return tuple(
        turn
        for turn, other in zip(turns, before, strict=True)
        if other is None or other.symbol != turn.symbol
    )


def _ticker(row: Mapping[str, Any]) -> Ticker | None:
    spelt = row.get("ticker")
    if not isinstance(spelt, str) or not spelt.strip():
        return None
    return Ticker(
        symbol=lake_symbol(spelt),
        listing=_figi(row.get("composite_figi")) or _figi(row.get("share_class_figi")),
        name=_text(row.get("name")),
        exchange=_text(row.get("primary_exchange")),
        kind=_text(row.get("type")),
        first=_date(row.get("list_date")),
        last=_last(row.get("delisted_utc")),
        is_active=row.get("active") is not False,
        is_plain=is_plain(spelt),
    )


def _figi(value: object) -> str | None:
    text = value.strip().upper() if isinstance(value, str) else ""
    return text if _FIGI.fullmatch(text) else None


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _date(value: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _last(value: object) -> dt.date | None:
    try:
        instant = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if instant is None:
        return None
    if instant.tzinfo is None or instant.astimezone(dt.UTC).time() == dt.time():
        return instant.date()
    return trading_day(instant)
