"""Massive's REST: from a path to what answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from batch_layer.local_vendor import actions, aggregates, tickers
from batch_layer.local_vendor.access import key_of
from batch_layer.local_vendor.errors import not_found, too_many, unknown_key
from batch_layer.local_vendor.pages import asked, page
from batch_layer.local_vendor.ranges import Range, bars_of, date_of, moment
from batch_layer.local_vendor.trade_conditions import TradeConditions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from batch_layer.local_vendor.access import Access
    from batch_layer.local_vendor.catalogue import Catalogue
    from batch_layer.local_vendor.live_rest import LiveRest
    from batch_layer.local_vendor.messages import Reply, Request
    from batch_layer.local_vendor.pages import Query
    from batch_layer.local_vendor.rate import Rate

_GROUPED: Final = re.compile(r"/v2/aggs/grouped/locale/us/market/stocks/([^/]+)")
_RANGE: Final = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(day|minute)/([^/]+)/([^/]+)")
_TICKERS: Final = re.compile(r"/v3/reference/tickers")
_DETAILS: Final = re.compile(r"/v3/reference/tickers/([^/]+)")
_EVENTS: Final = re.compile(r"/vX/reference/tickers/([^/]+)/events")
_SPLITS: Final = re.compile(r"/v3/reference/splits")
_CONDITIONS: Final = re.compile(r"/v3/reference/conditions")
_DIVIDENDS: Final = re.compile(r"/v3/reference/dividends")


class Rest:
    """The REST.

    Args:
        catalogue: What there is to sell.
        access: Which key may ask.
        rate: How often it may.
        live: Answers of a day that passes; None: there is none.

    Attributes:
        conditions: Of trades.
    """

    def __init__(
        self, catalogue: Catalogue, access: Access, rate: Rate, live: LiveRest | None = None
    ) -> None:
        self._catalogue = catalogue
        self._access = access
        self._rate = rate
        self._live = live
        self.conditions = TradeConditions()
        self._routes: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
            (_GROUPED, self._grouped),
            (_RANGE, self._range),
            (_TICKERS, self._tickers),
            (_DETAILS, self._details),
            (_EVENTS, self._events),
            (_SPLITS, self._splits),
            (_DIVIDENDS, self._dividends),
            (_CONDITIONS, self.conditions.answer),
        ]

    def answer(self, request: Request) -> Reply:
        """Return what a request asks for.

        Raises:
            RefusedError: If it may not, or asks for what is not there.
        """
        key = key_of(request)
        if key != self._access.key:
            raise unknown_key(key)
        wait = self._rate.take()
        if wait is not None:
            raise too_many(wait)
        told = self._live.answer(request) if self._live else None
        if told:
            return told
        path = unquote(request.path)
        for pattern, answer in self._routes:
            match = pattern.fullmatch(path)
            if match and request.method in {"GET", "HEAD"}:
                return answer(request, *match.groups())
        text = f"{request.method} {path} is not spoken here."
        raise not_found(text)

    def _grouped(self, request: Request, text: str) -> Reply:
        aggregates.refuse_adjusted(request.query)
        session = date_of(text)
        return aggregates.grouped(request, session, self._catalogue.day(session))

    def _range(self, request: Request, ticker: str, span: str, first: str, last: str) -> Reply:
        aggregates.refuse_adjusted(asked(request))
        wanted = Range(ticker, span, moment(first, is_end=False), moment(last, is_end=True))
        return bars_of(request, self._catalogue, wanted)

    def _tickers(self, request: Request) -> Reply:
        query = asked(request)
        is_active = query.get("active", "true").lower() != "false"
        rows = tickers.rows_on(self._catalogue.reference, self._day(query), active=is_active)
        return page(request, rows, tickers.TICKERS)

    def _details(self, request: Request, ticker: str) -> Reply:
        return tickers.details(request, self._catalogue.reference, ticker, self._day(request.query))

    def _events(self, request: Request, id_: str) -> Reply:
        published = self._catalogue.published
        return tickers.events(request, self._catalogue.reference, id_, published)

    def _splits(self, request: Request) -> Reply:
        return page(request, self._catalogue.actions("splits"), actions.SPLITS)

    def _dividends(self, request: Request) -> Reply:
        return page(request, self._catalogue.actions("dividends"), actions.DIVIDENDS)

    def _day(self, query: Query) -> dt.date:
        """Return the day of which tickers are asked; none later than what is published."""
        text = query.get("date")
        return min(date_of(text), self._catalogue.published) if text else self._catalogue.published
