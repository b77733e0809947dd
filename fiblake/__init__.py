"""fiblake: a market-data lake of Fibonacci bars. The front door: `Lake`."""

from fiblake.lake import Bars, Lake

__all__ = ["Bars", "Lake"]
