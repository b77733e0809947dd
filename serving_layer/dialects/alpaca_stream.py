"""Alpaca's WebSocket of stocks: `ws://HOST/v2/sip`, for `StockDataStream(url_override=...)`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, WebSocket

from serving_layer.auth import token_of
from serving_layer.dialects.alpaca_messages import Alpaca, Json, Msgpack
from serving_layer.dialects.socket import Socket

router = APIRouter()
_MSGPACK: Final = "application/msgpack"
_FEEDS: Final = {"sip", "iex", "delayed_sip"}
"""All of them are this server's one feed."""
_JSON: Final = Alpaca(Json())
_BINARY: Final = Alpaca(Msgpack())


@router.websocket("/v2/{feed}")
async def stocks(websocket: WebSocket, feed: str) -> None:
    """Tell bars of minutes and of the day, and trades where this process has the feed."""
    if feed not in _FEEDS:
        await websocket.close()
        return
    await websocket.accept()
    kind = websocket.headers.get("content-type", "").partition(";")[0].strip().lower()
    dialect = _BINARY if kind == _MSGPACK else _JSON
    await Socket(websocket, dialect, token_of(websocket)).converse()
