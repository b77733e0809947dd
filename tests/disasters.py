"""What befalls the parts of a whole system while a day is sold."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.days import Day
from tests.whole_system import APIS, WholeSystem

_HANGS_S: Final = 2.0
_MISSED: Final = 5
"""Events that happen before a killed feed may listen again."""


@dataclass(frozen=True)
class Disaster:
    """Something that befalls a part.

    Attributes:
        name: Of it.
        happen: Lets it happen, and where nobody else mends it, mends it.
        service: Which service is killed; empty: a server that services need.
    """

    name: str
    happen: Callable[[WholeSystem], None]
    service: str = ""


def _killed(service: str) -> Disaster:
    return Disaster(f"{service} is killed", lambda it: it.services[service].kill(), service)


def _feed_is_killed(system: WholeSystem) -> None:
    system.services["feed"].kill()
    # It hears of these from nobody but the vendor's REST.
    system.vendor.market.advance(_MISSED)


def _redis_loses_all(system: WholeSystem) -> None:
    """It is away meanwhile, and the doctor says so, and that the lake is not."""
    system.parts.redis.stop()
    found = system.doctor()
    system.parts.redis.start()
    assert ("fail", "ok", "ok") == tuple(
        found[each] for each in ("view.redis", "lake.there", "database.there")
    )


def _database_is_killed(system: WholeSystem) -> None:
    system.parts.postgres.kill()
    time.sleep(_HANGS_S)
    system.parts.postgres.start()


def _streams_hang(system: WholeSystem) -> None:
    system.parts.kinesis.pause()
    time.sleep(_HANGS_S)
    system.parts.kinesis.resume()


def _aws_hangs(system: WholeSystem) -> None:
    """S3, DynamoDB and SNS answer nothing for a while."""
    system.parts.moto.pause()
    time.sleep(_HANGS_S)
    system.parts.moto.resume()


DISASTERS: Final = (
    _killed("engine"),
    Disaster("feed is killed", _feed_is_killed, "feed"),
    Disaster("Redis loses all", _redis_loses_all),
    _killed("publisher"),
    Disaster("the database is killed", _database_is_killed),
    _killed("alerts"),
    *map(_killed, APIS),
    Disaster("the streams hang", _streams_hang),
    Disaster("S3, DynamoDB and SNS hang", _aws_hangs),
)


def day_of_disasters(
    system: WholeSystem, day: Day, disasters: Sequence[Disaster], *, seed: int
) -> list[str]:
    """Sell a day amid disasters, and return the names of those that happened.

    Each happens while events come, at a moment that `seed` chooses; the next one does not wait
    until all is well again.
    """
    moment = random.Random(seed)  # noqa: S311 - when something breaks is no secret
    begin, done = system.vendor.market.told, []
    part = day.tape.height // (len(disasters) + 1)
    for number, disaster in enumerate(disasters, start=1):
        system.gate.until = begin + (number + 1) * part
        place = begin + number * part + moment.randrange(part // 2)
        system.wait(lambda place=place: system.vendor.market.told >= place, disaster.name)  # type: ignore[misc]
        disaster.happen(system)
        done.append(disaster.name)
        time.sleep(moment.uniform(0, 1))
    system.sell(begin + day.tape.height)
    return done
