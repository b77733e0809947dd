"""Massive's WebSocket: `ws://HOST/stocks`, which its clients make of `feed="HOST"`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, WebSocket

from serving_layer.dialects.massive_messages import Massive
from serving_layer.dialects.socket import Socket

router = APIRouter()
_MASSIVE: Final = Massive()


@router.websocket("/stocks")
async def stocks(websocket: WebSocket) -> None:
    """Tell minutes, and what the feed of this process tells: trades, or seconds."""
    await websocket.accept()
    await Socket(websocket, _MASSIVE).converse()
