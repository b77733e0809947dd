"""Massive's tickers, their details and their events.

Source: https://massive.com/docs/rest/stocks/tickers, and what the official client reads.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from batch_layer.local_vendor.errors import not_found
from batch_layer.local_vendor.figi import figi
from batch_layer.local_vendor.hours import ZONE
from batch_layer.local_vendor.messages import Reply
from batch_layer.local_vendor.pages import Listed

if TYPE_CHECKING:
    from batch_layer.local_vendor.messages import Request
    from batch_layer.local_vendor.reference import Listing, Reference

TICKERS: Final = Listed(
    ("ticker", "name", "market", "locale", "primary_exchange", "type", "cik", "composite_figi"),
    "ticker",
    descending=False,
    limit=100,
)
_SCHEMA: Final = {
    "ticker": pl.String(),
    "name": pl.String(),
    "market": pl.String(),
    "locale": pl.String(),
    "primary_exchange": pl.String(),
    "type": pl.String(),
    "active": pl.Boolean(),
    "currency_name": pl.String(),
    "cik": pl.String(),
    "composite_figi": pl.String(),
    "share_class_figi": pl.String(),
    "delisted_utc": pl.String(),
    "last_updated_utc": pl.String(),
}


def rows_on(reference: Reference, day: dt.date, *, active: bool) -> pl.DataFrame:
    """Return the tickers that are traded on a day, or those delisted before it."""
    rows = [
        _told(each, day, delisted=None if active else reference.delisted(each))
        for each in reference.listings
        if (each.spans(day) if active else _is_gone(reference, each, day))
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def details(request: Request, reference: Reference, ticker: str, day: dt.date) -> Reply:
    """Return what is known of a ticker that is traded on a day.

    Raises:
        RefusedError: If it is not.
    """
    for each in reference.listings:
        if each.ticker == ticker and each.spans(day):
            first = reference.names_of(each.figi)[0].first
            told = {**_told(each, day, delisted=None), "list_date": first.isoformat()}
            return _one(request, {name: value for name, value in told.items() if value is not None})
    raise _unknown()


def events(request: Request, reference: Reference, id_: str, day: dt.date) -> Reply:
    """Return under which tickers a security was, the last one first.

    Args:
        request: What was asked.
        reference: All securities.
        id_: A composite FIGI; a ticker: of the security that has it on the day, or had it last.
        day: The last day that is published.

    Raises:
        RefusedError: If there is none.
    """
    found = [each for each in reference.listings if id_ in {each.ticker, each.figi}]
    found = sorted((each for each in found if each.first <= day), key=lambda each: each.first)
    if not found:
        raise _unknown()
    names = [each for each in reference.names_of(found[-1].figi) if each.first <= day]
    told = {
        "name": names[-1].name,
        "composite_figi": names[-1].figi,
        "cik": names[-1].cik,
        "events": [
            {
                "ticker_change": {"ticker": each.ticker},
                "type": "ticker_change",
                "date": each.first.isoformat(),
            }
            for each in reversed(names)
        ],
    }
    return _one(request, told)


def _is_gone(reference: Reference, listing: Listing, day: dt.date) -> bool:
    delisted = reference.delisted(listing)
    return delisted is not None and delisted < day


def _told(listing: Listing, day: dt.date, *, delisted: dt.date | None) -> dict[str, Any]:
    return {
        "ticker": listing.ticker,
        "name": listing.name,
        "market": "stocks",
        "locale": "us",
        "primary_exchange": listing.exchange,
        "type": listing.type,
        "active": delisted is None,
        "currency_name": "usd",
        "cik": listing.cik,
        "composite_figi": listing.figi,
        "share_class_figi": figi(f"class of {listing.figi}"),
        "delisted_utc": delisted and _midnight(delisted),
        "last_updated_utc": _midnight(day),
    }


def _midnight(day: dt.date) -> str:
    instant = dt.datetime.combine(day, dt.time(), tzinfo=ZONE).astimezone(dt.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _one(request: Request, told: dict[str, Any]) -> Reply:
    body = {"request_id": request.request_id, "results": told, "status": "OK"}
    return Reply(json.dumps(body).encode())


def _unknown() -> Exception:
    return not_found("Ticker not found.")
