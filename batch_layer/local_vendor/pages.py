"""Massive's lists: filtered, in order, a page at a time; `next_url` asks for the next one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

import polars as pl

from batch_layer.local_vendor.access import KEY_PARAMETER
from batch_layer.local_vendor.aggregates import json_of
from batch_layer.local_vendor.errors import bad_request
from batch_layer.local_vendor.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_layer.local_vendor.messages import Request

Query = Mapping[str, str]

_MOST: Final = 1000
_OFFSET: Final = "offset"
_TESTS: Final[dict[str, Callable[[pl.Expr, str], pl.Expr]]] = {
    "": lambda column, text: column == text,
    ".gte": lambda column, text: column >= text,
    ".gt": lambda column, text: column > text,
    ".lte": lambda column, text: column <= text,
    ".lt": lambda column, text: column < text,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """How a list is asked for.

    Attributes:
        filters: Texts by which it may be narrowed, dates among them.
        order: By which of them it is sorted if nothing is said, then by the ticker.
        descending: Whether from the last to the first.
        limit: Rows of a page if nothing is said.
    """

    filters: tuple[str, ...]
    order: str
    descending: bool
    limit: int


def asked(request: Request) -> Query:
    """Return the parameters of a request, or those in its cursor.

    Raises:
        RefusedError: If the cursor is none of this vendor's.
    """
    cursor = request.query.get("cursor")
    if cursor is None:
        return request.query
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
        return dict(parse_qsl(text, strict_parsing=True))
    except (binascii.Error, ValueError):
        fact = f"{cursor!r} is not a cursor."
        raise bad_request(fact) from None


def next_url(request: Request, query: Query, path: str | None = None) -> str:
    """Return the URL of a page, its parameters in a cursor, and never the key."""
    told = {name: text for name, text in query.items() if name != KEY_PARAMETER}
    cursor = base64.urlsafe_b64encode(urlencode(told).encode()).decode()
    return f"{request.origin}{path or request.path}?cursor={cursor}"


def page(request: Request, rows: pl.DataFrame, listed: Listed) -> Reply:
    """Return a page of rows.

    Raises:
        RefusedError: If a parameter cannot be.
    """
    query = asked(request)
    for name in listed.filters:
        for suffix, test in _TESTS.items():
            text = query.get(name + suffix)
            if text is not None:
                rows = rows.filter(test(pl.col(name), text))
    column = query.get("sort", listed.order)
    if column not in listed.filters:
        fact = f"sort={column} cannot be. Allowed: {', '.join(listed.filters)}."
        raise bad_request(fact)
    falls = query.get("order", "desc" if listed.descending else "asc") == "desc"
    rows = rows.sort(column, "ticker", descending=[falls, False])
    limit, offset = limit_of(query, listed.limit, _MOST), int(query.get(_OFFSET, 0))
    some = rows.slice(offset, limit)
    body = [b'{"results":', json_of(some), f',"status":"OK","count":{some.height}'.encode()]
    if offset + limit < rows.height:
        url = next_url(request, {**query, _OFFSET: str(offset + limit)})
        body.append(f',"next_url":"{url}"'.encode())
    body.append(f',"request_id":"{request.request_id}"}}'.encode())
    return Reply(b"".join(body))


def limit_of(query: Query, default: int, most: int) -> int:
    """Return how many rows are asked for.

    Raises:
        RefusedError: If it cannot be as many.
    """
    text = query.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        fact = f"limit={text} cannot be. Allowed: 1 to {most}."
        raise bad_request(fact)
    return int(text)
