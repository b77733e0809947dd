"""fiblake: a market-data lake of Fibonacci bars. The front door: `Lake`, and `Client`."""

from fiblake.client import Client
from fiblake.frames import Bars
from fiblake.lake import Lake

__all__ = ["Bars", "Client", "Lake"]
