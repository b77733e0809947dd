"""The one place that knows which official client speaks to Massive, formerly Polygon.

Its successor is the package `massive`, with the same class: `from massive import RESTClient`.
"""

from __future__ import annotations

from polygon import RESTClient

__all__ = ["RESTClient"]
