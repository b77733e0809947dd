"""What `--feed` names: a vendor, or a recorded day and the speed at which it is told again.

massive                     Massive's socket
replay:2026-01-05           a recorded day, in the pace of its receipt
replay:2026-01-05@60x       sixty times as fast; @max: as fast as possible
replay:massive/2026-01-05   the day as this source told it
replay:sample@60x           the sample's last session
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from lake.errors import MisuseError

SAMPLE: Final = "sample"
_REPLAY: Final = re.compile(
    r"replay:(?:(?P<source>[a-z0-9][a-z0-9_-]*)/)?(?P<day>sample|\d{4}-\d{2}-\d{2})(?:@(?P<speed>.*))?"
)
_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x")
_ALLOWED: Final = (
    "Allowed: massive, replay:DAY, replay:SOURCE/DAY or replay:sample, as replay:2026-01-05;"
    " behind it a speed, as @60x or @max."
)


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """Where live events come from.

    Attributes:
        kind: `massive`, a vendor; `replay`, a recorded day; `sample`, the sample's last session.
        source: Of a replay: who told the day; None: the only one that did.
        session: Of a replay: the day.
        speed: Of a replay and of the sample: how many times as fast; infinite: as fast as possible.
    """

    kind: Literal["massive", "replay", "sample"]
    source: str | None = None
    session: dt.date | None = None
    speed: float = 1.0


def parse_feed(text: str) -> FeedSpec:
    """Return what a text names.

    Raises:
        MisuseError: If it names nothing that can feed.
    """
    if text == "massive":
        return FeedSpec("massive")
    match = _REPLAY.fullmatch(text)
    if match is None or (match["day"] == SAMPLE and match["source"]):
        raise _refused(text)
    speed = _speed(match["speed"], text)
    if match["day"] == SAMPLE:
        return FeedSpec("sample", speed=speed)
    try:
        day = dt.date.fromisoformat(match["day"])
    except ValueError:
        raise _refused(text) from None
    return FeedSpec("replay", match["source"], day, speed)


def _speed(told: str | None, text: str) -> float:
    if told is None:
        return 1.0
    if told == "max":
        return math.inf
    match = _SPEED.fullmatch(told)
    if match is None or not float(match[1]):
        raise _refused(text)
    return float(match[1])


def _refused(text: str) -> MisuseError:
    return MisuseError(f"{text!r} is not a feed. {_ALLOWED}")
