"""Massive's words: the form of its answers and errors, its times, and its `next_url`.

Source: https://massive.com/docs/rest/stocks, and what the official clients read.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

import polars as pl
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from pydantic_core import to_json

from lake.errors import InvalidRangeError, MisuseError
from lake.exchange import ZONE
from serving_layer.dialects.asked import Parameters
from serving_layer.dialects.bars import milliseconds, times_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

_FOUR: Final = dt.time(16)
_NUMBER: Final = re.compile(r"-?[0-9]{1,13}")
"""Milliseconds of the years 1653 to 2286."""
_WORDS: Final = {
    HTTPStatus.NOT_FOUND: ("NOT_FOUND", "message"),
    HTTPStatus.FORBIDDEN: ("NOT_AUTHORIZED", "message"),
}
"""The status, and where the text is; of all else `ERROR` and `error`."""
_SHORT: Final = {"v": "volume", "vw": "vwap", "o": "open", "c": "close", "h": "high", "l": "low"}
_Query = TypeVar("_Query", bound=Parameters)


@dataclass(frozen=True, slots=True)
class MassiveError:
    """What is refused: `error` says why, of 403 and 404 `message` does."""

    status: str
    request_id: str
    error: str | None = None
    message: str | None = None


def refused(status: HTTPStatus, text: str) -> Response:
    """Return an error as Massive writes it; what cannot be read is a 400 there."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    word, name = _WORDS.get(status, ("ERROR", "error"))
    body = {"status": word, "request_id": request_id(), name: text}
    return JSONResponse(body, status_code=status)


def request_id() -> str:
    """Return a new id of a request."""
    return uuid.uuid4().hex


def answer(told: Mapping[str, Any], rows: bytes, following: str | None = None) -> Response:
    """Return an answer that is OK.

    Args:
        told: What comes first.
        rows: The results as a JSON list.
        following: Where to ask for those behind them.
    """
    end: dict[str, Any] = {"status": "OK", "request_id": request_id()}
    if following:
        end["next_url"] = following
    head = to_json(dict(told))[:-1]
    comma = b"," if told else b""
    body = b"".join([head, comma, b'"results":', rows, b",", to_json(end)[1:]])
    return Response(body, media_type="application/json")


def rows_of(bars: pl.DataFrame, *more: pl.Expr) -> bytes:
    """Return bars as a JSON list; a bar lacks what is not known of it.

    Args:
        bars: With `time`.
        more: Further columns, which come first.
    """
    rows = bars.select(
        *more,
        *(pl.col(name).alias(short) for short, name in _SHORT.items()),
        pl.col("time").alias("t"),
        pl.col("trades").alias("n"),
    )
    text = rows.write_json().encode()
    for name in ("vw", "n"):
        if rows[name].null_count():
            text = text.replace(f',"{name}":null'.encode(), b"")
    return text


def moment(text: str, *, is_end: bool) -> int:
    """Return a time in ms: as it is, or the begin or the end of a date at the exchange.

    Raises:
        InvalidRangeError: If it is neither.
    """
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        return times_of(text)[is_end]
    except InvalidRangeError:
        fact = f"{text!r} is no time. Allowed: YYYY-MM-DD, or milliseconds since 1970."
        raise InvalidRangeError(fact) from None


def four_o_clock(day: dt.date) -> int:
    """Return 16:00 of a day at the exchange in ms: when Massive says that a day's bar is."""
    return milliseconds(dt.datetime.combine(day, _FOUR, ZONE))


def next_url(request: Request, query: Parameters, path: str, **others: object) -> str:
    """Return the URL of the next page: what was asked is in its cursor, and never a key."""
    given = {**query.model_dump(mode="json", by_alias=True, exclude_none=True), **others}
    texts = {name: str(value) for name, value in given.items()}
    cursor = base64.urlsafe_b64encode(urlencode(texts).encode()).decode()
    return f"{request.url.scheme}://{request.url.netloc}{path}?cursor={cursor}"


def with_cursor(query: _Query, cursor: str | None) -> _Query:
    """Return what is asked: by a cursor, where there is one, and nothing else then.

    Raises:
        MisuseError: If the cursor is none.
    """
    if cursor is None:
        return query
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
        return type(query).model_validate(dict(parse_qsl(text, strict_parsing=True)))
    except (binascii.Error, ValidationError, ValueError):
        fact = f"{cursor[:80]!r} is not a cursor. Allowed: that of a next_url."
        raise MisuseError(fact) from None
