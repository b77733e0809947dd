"""The embedded stream engine: exact live bars and prices in one process, without a server."""

from speed_layer.engine.engine import Changes, Counts, Engine

__all__ = ["Changes", "Counts", "Engine"]
