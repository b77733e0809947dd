"""What alarms watch in a system of a size, where services may be one process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from infra.alarms.alarm import Measured, Told
from lake.services import EMBEDDED, SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.alarms.alarm import Alarm, Resource

_APART: Final = frozenset(service.name for service in SERVICES)


def watched(alarm: Alarm, services: frozenset[str]) -> tuple[Told | Measured, ...]:
    """Return what an alarm watches, each signal once.

    Args:
        alarm: Of the table.
        services: The names of those that run; of `EMBEDDED`, what all others tell is its own.
    """
    found = (_told_by(each, services) for each in alarm.signals)
    return tuple(dict.fromkeys(found))


def numbers_watched(alarm: Alarm, services: frozenset[str], there: Mapping[Resource, int]) -> int:
    """Return how many metrics an alarm watches, which is what it is paid for.

    Args:
        alarm: Of the table.
        services: The names of those that run.
        there: How many of each kind of resource there are.
    """
    return sum(
        there[each.resource] if isinstance(each, Measured) else 1
        for each in watched(alarm, services)
    )


def _told_by(signal: Told | Measured, services: frozenset[str]) -> Told | Measured:
    is_within = EMBEDDED.name in services
    if isinstance(signal, Told) and is_within and signal.service in _APART:
        return replace(signal, service=EMBEDDED.name)
    return signal
