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
    found = (_told(each, services) for each in alarm.signals)
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


def told_by(service: str, services: frozenset[str]) -> str:
    """Return who tells what a service would: `EMBEDDED` where that is all of them."""
    return EMBEDDED.name if EMBEDDED.name in services and service in _APART else service


def _told(signal: Told | Measured, services: frozenset[str]) -> Told | Measured:
    if isinstance(signal, Measured):
        return signal
    return replace(signal, service=told_by(signal.service, services))
