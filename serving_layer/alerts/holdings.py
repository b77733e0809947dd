"""What one owner keeps: alerts, what they fired, and where that can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving_layer.alerts.own_alerts import OwnAlerts
from serving_layer.alerts.own_destinations import OwnDestinations
from serving_layer.alerts.own_firings import OwnFirings

if TYPE_CHECKING:
    from database import Database
    from lake.clock import Clock
    from lake.settings import Settings
    from serving_layer.alerts.whose import Whose


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one owner keeps; see each."""

    alerts: OwnAlerts
    firings: OwnFirings
    destinations: OwnDestinations

    @classmethod
    def of(cls, database: Database, whose: Whose, settings: Settings, clock: Clock) -> Holdings:
        """Return what an owner keeps in a database.

        Args:
            database: The database.
            whose: The owner, and who asks.
            settings: How much one may keep, and where one may be told.
            clock: Tells the present.
        """
        return cls(
            OwnAlerts(database, whose, settings, clock),
            OwnFirings(database, whose, clock),
            OwnDestinations(database, whose, settings, clock),
        )
