"""Massive's REST API, through its official client: every answer as it came.

The client says which path and which parameters; a transport of ours asks, and each answer is judged
before it counts: one that is cut or miscounted is asked for again. Prices are unadjusted, always.
Source: https://massive.com/docs/rest/stocks, and the client's own code.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog

from batch_layer.landing import Answer
from batch_layer.vendors.massive_answers import daily_rows, page_of
from batch_layer.vendors.massive_client import RESTClient
from batch_layer.vendors.pace import Pace
from batch_layer.vendors.transport import Transport
from lake.clock import SystemClock
from lake.errors import VendorAnswerError, VendorKeyError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    import polars as pl

    from batch_layer.vendors.transport import Reply
    from lake.clock import Clock
    from lake.settings import Settings

Read = TypeVar("Read")

NAME: Final = "massive"
_log = structlog.get_logger(__name__)
_KEY_HINT: Final = "set FIBLAKE_MASSIVE_KEY to the key that massive.com/dashboard/keys shows."
# How often an answer that makes no sense is asked for again.
_SENSELESS_MOST: Final = 3
_PAGES_MOST: Final = 10_000
_PAGE_ROWS: Final = 1_000
_BARS_MOST: Final = 50_000
_IN_A_HEADER: Final = frozenset(string.ascii_letters + string.digits + string.punctuation)


@dataclass(frozen=True, slots=True)
class Massive:
    """Asks Massive, for any number of threads.

    Attributes:
        client: The official client, over `transport`.
        transport: What asks in its place.
    """

    client: RESTClient
    transport: Transport = field(repr=False)

    @classmethod
    def of(
        cls, settings: Settings, *, clock: Clock | None = None, pace: Pace | None = None
    ) -> Massive:
        """Return what asks Massive as the settings say, at their pace unless another is given.

        Raises:
            VendorKeyError: If there is no key, or it cannot be one.
        """
        transport = Transport(
            vendor="Massive",
            pace=pace or Pace(settings.massive_calls_per_minute),
            attempts=settings.massive_attempts,
            key_hint=_KEY_HINT,
            clock=clock or SystemClock(),
            first_pause_s=settings.massive_retry_ms / 1000,
        )
        client = RESTClient(api_key=_key(settings), base=settings.massive_url, retries=0)
        for asking in (client, client.vx):
            asking.client = transport
        return cls(client, transport)

    def grouped_daily(self, session: dt.date) -> tuple[Answer, pl.DataFrame]:
        """Return the whole market's bars of one session: as they came, and as rows.

        The rows have the fields that validation knows, symbols as the lake spells them.

        Raises:
            NotPublishedError: If there are none.
            VendorError: If Massive cannot be asked, refuses, or makes no sense.
        """
        return self._asked(
            lambda: self.client.get_grouped_daily_aggs(session, adjusted=False, raw=True),
            lambda body: daily_rows(body, session),
        )

    def aggregates(
        self, ticker: str, span: Literal["day", "minute"], start: dt.date, end: dt.date
    ) -> Iterator[Answer]:
        """Yield the pages of one symbol's bars, `start` to `end`, both inclusive.

        Args:
            ticker: As Massive spells it.
            span: Of one bar.
            start: The first date.
            end: The last one.
        """
        return self._pages(
            lambda: self.client.list_aggs(
                ticker, 1, span, start, end, adjusted=False, sort="asc", limit=_BARS_MOST, raw=True
            )
        )

    def tickers(
        self, *, active: bool = True, market: str = "stocks", date: dt.date | None = None
    ) -> Iterator[Answer]:
        """Yield the pages of all tickers, listed (`active`) or no more, today or on a date."""
        day = date.isoformat() if date else None
        return self._pages(
            lambda: self.client.list_tickers(
                market=market, active=active, date=day, limit=_PAGE_ROWS, raw=True
            )
        )

    def ticker_details(self, ticker: str, date: dt.date) -> Answer:
        """Return which security had a ticker on a date.

        Raises:
            VendorNotFoundError: If Massive knows none.
        """
        day = date.isoformat()
        return self._asked(
            lambda: self.client.get_ticker_details(ticker, date=day, raw=True), page_of
        )[0]

    def ticker_events(self, identifier: str) -> Answer:
        """Return what became of one ticker, or composite FIGI: its renamings.

        Raises:
            VendorNotFoundError: If Massive knows none.
        """
        return self._asked(lambda: self.client.get_ticker_events(identifier, raw=True), page_of)[0]

    def splits(self, start: dt.date | None = None, end: dt.date | None = None) -> Iterator[Answer]:
        """Yield the pages of the splits that take effect from `start` to `end`, both inclusive."""
        return self._pages(
            lambda: self.client.list_splits(
                execution_date_gte=_text(start),
                execution_date_lte=_text(end),
                limit=_PAGE_ROWS,
                sort="execution_date",
                order="asc",
                raw=True,
            )
        )

    def dividends(
        self, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterator[Answer]:
        """Yield the pages of the dividends with an ex-date from `start` to `end`, inclusive."""
        return self._pages(
            lambda: self.client.list_dividends(
                ex_dividend_date_gte=_text(start),
                ex_dividend_date_lte=_text(end),
                limit=_PAGE_ROWS,
                sort="ex_dividend_date",
                order="asc",
                raw=True,
            )
        )

    def conditions(self) -> Iterator[Answer]:
        """Yield the pages of the conditions under which trades of stocks print."""
        return self._pages(
            lambda: self.client.list_conditions("stocks", "trade", limit=_PAGE_ROWS, raw=True)
        )

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        self.transport.pace.stop()

    def _asked(self, ask: Callable[[], Any], read: Callable[[bytes], Read]) -> tuple[Answer, Read]:
        """Return an answer and what it says, asked for again where it makes no sense."""
        tried = 0
        while True:
            reply: Reply = ask()
            try:
                said = read(reply.data)
            except VendorAnswerError as error:
                tried += 1
                if tried == min(_SENSELESS_MOST, self.transport.attempts):
                    fact = f"{error.fact.rstrip('.')} (asked {tried} times)."
                    raise type(error)(fact, hint=error.hint) from None
                _log.info("asked again", vendor=self.transport.vendor, why=error.fact)
                continue
            return Answer(reply.url, reply.at, reply.data), said

    def _pages(self, ask: Callable[[], Any]) -> Iterator[Answer]:
        """Yield all pages, each asked for where the one before says; a loop of them is an error."""
        seen: set[object] = set()
        for _ in range(_PAGES_MOST):
            answer, page = self._asked(ask, page_of)
            if seen & page.marks:
                fact = f"Massive's pages repeat: {answer.request} came before."
                raise VendorAnswerError(fact, hint="run the command again later.")
            seen |= page.marks
            yield answer
            if page.next_url is None:
                return
            ask = self._follows(page.next_url)
        fact = f"Massive's pages do not end: {_PAGES_MOST:,} came, the last {answer.request}."
        raise VendorAnswerError(fact)

    def _follows(self, next_url: str) -> Callable[[], Reply]:
        # As the client itself follows: path and query are the vendor's, the host stays ours.
        parts = urlsplit(next_url)
        query = [pair for pair in parse_qsl(parts.query) if pair[0].lower() != "apikey"]
        url = f"{self.client.BASE}{parts.path}?{urlencode(query)}"
        return lambda: self.transport.request("GET", url, headers=self.client.headers)


def _key(settings: Settings) -> str:
    given = settings.massive_key
    key = given.get_secret_value().strip() if given else ""
    if not key:
        fact = "There is no key for Massive."
        raise VendorKeyError(fact, hint=_KEY_HINT)
    # What no header can carry would be named, with the key, by the error of who tries.
    if not _IN_A_HEADER.issuperset(key):
        fact = "FIBLAKE_MASSIVE_KEY cannot be a key: it has blanks, or letters that are not ASCII."
        raise VendorKeyError(fact, hint=_KEY_HINT)
    return key


def _text(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None
