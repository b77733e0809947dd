"""The table of alarms: what is watched, when it is wrong, and how urgent that is.

CloudWatch's alarms and Prometheus's rules are made of it, and each row has a page in the runbook,
`docs/runbook`. Nights, holidays and early closes are no alarms: only `feed-silent` would ring then,
and it looks at `fiblake_market_open`, which follows the exchange's own calendar.
"""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import Alarm, Measured, Resource, SizeName, Together, Told
from infra.alarms.batch import BATCH
from infra.alarms.feed import FEED
from infra.alarms.flow import FLOW
from infra.alarms.parts import PARTS
from infra.alarms.serving import SERVICES, SERVING, TOGETHER

__all__ = [
    "ALARMS",
    "TOGETHER",
    "Alarm",
    "Measured",
    "Resource",
    "SizeName",
    "Together",
    "Told",
]

ALARMS: Final = (*FEED, *FLOW, *SERVING, *SERVICES, *PARTS, *BATCH)
"""All of them, in the order in which events pass what they watch."""
