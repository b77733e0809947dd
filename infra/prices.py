"""AWS's list prices, read from `prices.toml` beside this."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of something costs.

    Attributes:
        usd: A unit.
        unit: What is counted.
        source: AWS's page that told it.
        free: Units a month that an account has for nothing, for good.
    """

    usd: float
    unit: str
    source: str
    free: float = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """A list of prices.

    Attributes:
        region: Where they hold.
        as_published: The month, YYYY-MM, as of which they are known.
        of: By name.
    """

    region: str
    as_published: str
    of: Mapping[str, Price]

    def price(self, name: str) -> Price:
        """Return a price.

        Raises:
            MisuseError: If the list lacks it.
        """
        if name not in self.of:
            fact = f"The list of prices has none of {name!r}."
            raise MisuseError(fact, hint=f"add it to infra/{_FILE.name}, with its source.")
        return self.of[name]


@cache
def read_prices() -> Prices:
    """Return the list."""
    told = tomllib.loads(_FILE.read_text("utf-8"))
    prices = {name: Price(**row) for name, row in told.items() if isinstance(row, dict)}
    return Prices(region=told["region"], as_published=told["as_published"], of=prices)
