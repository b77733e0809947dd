"""What stands in front of an app: sizes, headers, and whose pages may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi.middleware.cors import CORSMiddleware

from serving_layer.auth.headers import Headers
from serving_layer.auth.query_key import QueryKey
from serving_layer.auth.sizes import Sizes

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving_layer.auth.borders import Borders

_SHOWN: Final = [
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"),
    "WWW-Authenticate",
]
_DAY_S: Final = 24 * 60 * 60


def protect(app: FastAPI, borders: Borders) -> None:
    """Put what refuses, hides and tells in front of `app`; streams and sockets pass untouched."""
    # The last one added is the first to see a request.
    app.add_middleware(Sizes, borders=borders)
    if borders.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(borders.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type"],
            expose_headers=_SHOWN,
            max_age=_DAY_S,
        )
    app.add_middleware(Headers)
    app.add_middleware(QueryKey)
