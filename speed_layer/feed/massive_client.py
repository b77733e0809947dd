"""The one place of this layer that knows which official client speaks to Massive, formerly Polygon.

Its successor is the package `massive`, with the same classes.
"""

from __future__ import annotations

from polygon import RESTClient, WebSocketClient
from polygon.exceptions import AuthError, BadResponse

__all__ = ["AuthError", "BadResponse", "RESTClient", "WebSocketClient"]
