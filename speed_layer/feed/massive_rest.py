"""What Massive's REST tells of a span that its socket did not: all pages of it, or an error."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3

from lake.errors import (
    VendorAnswerError,
    VendorError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from lake.massive_symbols import massive_symbol
from speed_layer.feed.massive_client import BadResponse, RESTClient
from speed_layer.feed.massive_events import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from lake.event import Kind

_PAGE_ROWS: Final = 50_000
_PAGES_MOST: Final = 1_000
_ATTEMPTS: Final = 3
_SECONDS: Final = 20.0
_CONNECTIONS: Final = 8
_SPANS: Final[dict[Kind, str]] = {"second": "second", "minute": "minute"}


class MassiveRest:
    """Asks REST through the official client, for any number of threads.

    Args:
        url: As https://api.massive.com.
        key: The API key.
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = RESTClient(
            api_key=key,
            base=url,
            retries=_ATTEMPTS,
            connect_timeout=_SECONDS,
            read_timeout=_SECONDS,
            num_pools=1,
        )
        self._client.client.connection_pool_kw["maxsize"] = _CONNECTIONS
        self._local = threading.local()

    def since(self, symbol: str, kind: Kind, since_us: int) -> Iterator[pl.DataFrame]:
        """Yield a symbol's events from an instant to the present, a page at a time, in order.

        Args:
            symbol: As the lake spells it.
            kind: `trade`, `second` or `minute`.
            since_us: In microseconds, inclusive.

        Raises:
            VendorError: If they cannot be had.
        """
        for rows in self._pages(self._first(massive_symbol(symbol), kind, since_us)):
            received = time.time_ns() // 1000
            try:
                if kind == "trade":
                    yield self._reader.trades(massive_symbol(symbol), rows, received)
                else:
                    yield self._reader.bars(massive_symbol(symbol), kind, rows, received)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                fact = f"Massive tells of {symbol} what is no {kind}: {error}."
                raise VendorAnswerError(fact) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.client.clear()

    @property
    def _reader(self) -> Reader:
        if not hasattr(self._local, "reader"):
            self._local.reader = Reader()
        reader: Reader = self._local.reader
        return reader

    def _first(self, ticker: str, kind: Kind, since_us: int) -> Callable[[], Any]:
        if kind == "trade":
            return lambda: self._client.list_trades(
                ticker,
                timestamp_gte=since_us * 1000,
                order="asc",
                sort="timestamp",
                limit=_PAGE_ROWS,
                raw=True,
            )
        now_ms = time.time_ns() // 1_000_000
        return lambda: self._client.list_aggs(
            ticker,
            1,
            _SPANS[kind],
            since_us // 1000,
            now_ms,
            adjusted=False,
            sort="asc",
            limit=_PAGE_ROWS,
            raw=True,
        )

    def _pages(self, ask: Callable[[], Any]) -> Iterator[list[dict[str, Any]]]:
        for _ in range(_PAGES_MOST):
            page = self._asked(ask)
            rows = page.get("results") or []
            if rows:
                yield rows
            if not page.get("next_url"):
                return
            ask = self._next(page["next_url"])
        fact = f"Massive's pages do not end: {_PAGES_MOST:,} came."
        raise VendorAnswerError(fact)

    def _asked(self, ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            page = json.loads(ask().data)
        except BadResponse as error:
            raise _refused(str(error)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            fact = f"Massive's REST cannot be reached: {type(error).__name__}."
            raise VendorUnreachableError(fact) from None
        except ValueError:
            fact = "Massive's REST answers what is not JSON."
            raise VendorAnswerError(fact) from None
        if not isinstance(page, dict):
            fact = "Massive's REST answers what is no page."
            raise VendorAnswerError(fact)
        return page

    def _next(self, url: str) -> Callable[[], Any]:
        # As the client itself follows: path and query are the vendor's, the host stays ours.
        parts = urlsplit(url)
        return lambda: self._client._get(f"{parts.path}?{parts.query}", raw=True)  # noqa: SLF001


def _refused(body: str) -> VendorError:
    try:
        told = json.loads(body)
        text = str(told.get("error") or told.get("message") or told.get("status"))
    except (ValueError, AttributeError):
        text = "nothing that can be read"
    return VendorUnavailableError(f"Massive's REST refuses: {text[:200].rstrip('.')}.")
