"""fiblake: a market-data lake of Fibonacci bars. The front door: `Lake`."""

from fiblake.frames import Bars
from fiblake.lake import Lake

__all__ = ["Bars", "Lake"]
