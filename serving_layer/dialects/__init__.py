"""What vendors' clients speak, on our bars: Massive's and Alpaca's REST, TradingView's UDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving_layer.auth import require
from serving_layer.dialects import alpaca_rest, massive_reference, massive_rest, udf
from serving_layer.dialects.massive_words import refused as massive_refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import APIRouter, FastAPI

    from serving_layer.auth import Scope
    from serving_layer.problems import Shape

__all__ = ["SHAPES", "add_dialects"]

_GUARDED: Final[tuple[tuple[APIRouter, Scope], ...]] = (
    (massive_rest.router, "read"),
    (massive_rest.live_router, "live"),
    (massive_reference.router, "read"),
    (alpaca_rest.router, "read"),
    (alpaca_rest.live_router, "live"),
    (udf.router, "read"),
)
_ACCESS: Final[tuple[int | str, ...]] = (401, 403, 429, 503)
SHAPES: Final[Mapping[str, Shape]] = {
    "/v2/aggs/": massive_refused,
    "/v2/last/": massive_refused,
    "/v3/reference/": massive_refused,
    "/v2/stocks/": alpaca_rest.refused,
    "/v2/assets": alpaca_rest.refused,
    "/udf/": udf.refused,
}
"""How each dialect writes errors, by the beginning of its paths."""


def add_dialects(app: FastAPI, *, is_guarded: bool) -> None:
    """Give an app the dialects' routes.

    Args:
        app: Whose `state.reader` and `state.reference` they read.
        is_guarded: Whether keys are asked for, which the routes tell then.
    """
    for router, scope in _GUARDED:
        told = dict.fromkeys(_ACCESS, router.responses["4XX"]) if is_guarded else None
        app.include_router(router, dependencies=[require(scope)], responses=told)
