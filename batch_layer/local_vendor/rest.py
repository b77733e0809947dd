"""Massive's REST: from a path to what answers it."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from batch_layer.local_vendor import aggregates
from batch_layer.local_vendor.access import key_of
from batch_layer.local_vendor.errors import bad_request, not_found, too_many, unknown_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_layer.local_vendor.access import Access
    from batch_layer.local_vendor.catalogue import Catalogue
    from batch_layer.local_vendor.messages import Reply, Request
    from batch_layer.local_vendor.rate import Rate

_GROUPED: Final = re.compile(r"/v2/aggs/grouped/locale/us/market/stocks/([^/]+)")


class Rest:
    """The REST.

    Args:
        catalogue: What there is to sell.
        access: Which key may ask.
        rate: How often it may.
    """

    def __init__(self, catalogue: Catalogue, access: Access, rate: Rate) -> None:
        self._catalogue = catalogue
        self._access = access
        self._rate = rate
        self._routes: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
            (_GROUPED, self._grouped),
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
        path = unquote(request.path)
        for pattern, answer in self._routes:
            match = pattern.fullmatch(path)
            if match and request.method in {"GET", "HEAD"}:
                return answer(request, *match.groups())
        text = f"{request.method} {path} is not spoken here."
        raise not_found(text)

    def _grouped(self, request: Request, text: str) -> Reply:
        aggregates.refuse_adjusted(request)
        session = date_of(text)
        return aggregates.grouped(request, session, self._catalogue.day(session))


def date_of(text: str) -> dt.date:
    """Return a date.

    Raises:
        RefusedError: If it is none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        fact = f"Could not parse the time parameter: {text!r}"
        raise bad_request(fact) from None
