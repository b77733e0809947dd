"""A month's bill: what is paid for, times what it costs.

It is reckoned from list prices and an assumed use. Taxes, support, discounts, and what the vendor
of the data asks are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.capacity import CAPACITIES
from infra.charges import System, charges
from infra.prices import read_prices
from infra.size import SIZES
from infra.usage import REGULAR_S, SESSIONS, USAGES
from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.charges import Charge
    from infra.prices import Prices
    from infra.usage import Usage

SEED: Final[Mapping[str, float]] = {
    "services": 30,
    "streams": 70,
    "stream engine": 50,
    "Redis": 15,
    "DynamoDB": 15,
    "PostgreSQL": 20,
    "lake": 10,
    "jobs": 30,
    "functions that fetch": 10,
    "functions of the API": 15,
    "topics and queues": 5,
    "API Gateway": 20,
    "load balancer": 0,
    "CDN": 10,
    "logs": 5,
}
"""The published estimate of such a system, 305 USD a month, by what it belongs to here."""
SEED_USERS: Final[Mapping[str, float]] = {"1x": 305, "10x": 500, "100x": 1_200}
"""Its estimates by the number of users, in USD a month."""
_SHARD_RECORDS_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill.

    Attributes:
        group: What it belongs to.
        what: What is paid for.
        quantity: A month, before what is free.
        unit: Of the quantity.
        free: How much of it was taken off, since it is free.
        usd_each: A unit.
        usd: A month.
        source: AWS's page that told the price.
    """

    group: str
    what: str
    quantity: float
    unit: str
    free: float
    usd_each: float
    usd: float
    source: str


@dataclass(frozen=True, slots=True)
class Bill:
    """A month of a system.

    Attributes:
        size: `dev` or `prod`.
        region: Of the prices.
        as_published: The month, YYYY-MM, as of which prices are known.
        usage: What was assumed.
        lines: What is paid for.
        usd: All of it, a month.
        tight: What the size is too small for, in sentences.
    """

    size: str
    region: str
    as_published: str
    usage: Usage
    lines: tuple[Line, ...]
    usd: float
    tight: tuple[str, ...]

    @property
    def groups(self) -> dict[str, float]:
        """What each group costs, in USD a month."""
        found: dict[str, float] = {}
        for line in self.lines:
            found[line.group] = found.get(line.group, 0) + line.usd
        return found


def bill(size: str, usage: Usage | None = None) -> Bill:
    """Reckon a month.

    Args:
        size: `dev` or `prod`.
        usage: What for; none: what is assumed of that size.

    Raises:
        MisuseError: If there is no such size.
    """
    if size not in SIZES:
        fact = f"{size!r} is not a size. Allowed: {', '.join(SIZES)}."
        raise MisuseError(fact, hint="fiblake infra cost --size dev.")
    system = System(SIZES[size], CAPACITIES[size], usage or USAGES[size])
    prices = read_prices()
    lines = tuple(priced(charges(system), prices))
    return Bill(
        size=size,
        region=prices.region,
        as_published=prices.as_published,
        usage=system.usage,
        lines=lines,
        usd=sum(line.usd for line in lines),
        tight=tuple(_tight(system)),
    )


def priced(found: Iterable[Charge], prices: Prices) -> Iterator[Line]:
    """Yield each charge with what it costs; what is free is taken off in their order.

    Raises:
        MisuseError: If the list lacks a price.
    """
    left: dict[str, float] = {}
    for charge in found:
        price = prices.price(charge.price)
        free = min(charge.quantity, left.get(charge.price, price.free))
        left[charge.price] = left.get(charge.price, price.free) - free
        yield Line(
            group=charge.group,
            what=charge.what,
            quantity=charge.quantity,
            unit=price.unit,
            free=free,
            usd_each=price.usd,
            usd=(charge.quantity - free) * price.usd,
            source=price.source,
        )


def _tight(system: System) -> Iterator[str]:
    """Yield what the size cannot take, on the mean of regular hours."""
    size, usage = system.size, system.usage
    if size.is_whole:
        for name, shards, records in (
            ("events", size.event_shards, usage.events),
            ("bars", size.bar_shards, usage.rows),
        ):
            mean = records / SESSIONS / REGULAR_S
            if mean > shards * _SHARD_RECORDS_S:
                most = shards * _SHARD_RECORDS_S
                yield (
                    f"{shards} shards of {name} take {most:,} records a second; "
                    f"this is {mean:,.0f} on the mean."
                )
    most = system.capacity.api_most * system.capacity.api_connections
    if usage.subscribers > most:
        yield f"The API's tasks take {most:,} streams; this is {usage.subscribers:,.0f}."
