"""Alarms of the feed: from the source to the stream and the lake."""

from __future__ import annotations

from typing import Final

from infra.alarms.alarm import MINUTE, Alarm, Told
from lake import metrics

FEED: Final = (
    Alarm(
        slug="feed-away",
        says="The feed is not subscribed to its source, or does not run.",
        signals=(Told(metrics.FEED_SUBSCRIBED, "feed", statistic="Minimum"),),
        comparison="<",
        threshold=1,
        period_s=MINUTE,
        periods=5,
        missing="breaching",
        severity="page",
    ),
    Alarm(
        slug="feed-silent",
        says="No event came for two minutes while the exchange trades.",
        signals=(
            Told(metrics.FEED_SILENCE, "feed", name="silence"),
            Told(metrics.MARKET_OPEN, "feed", statistic="Minimum", name="open"),
        ),
        expression="IF(open > 0, silence, 0)",
        threshold=120,
        period_s=MINUTE,
        periods=2,
        severity="page",
        promql="max(fiblake_feed_silence_seconds) > 120 and min(fiblake_market_open) > 0",
    ),
    Alarm(
        slug="feed-behind",
        says="Events are half a minute old when they are received.",
        signals=(Told(metrics.FEED_LAG, "feed", statistic="Minimum"),),
        threshold=30,
        period_s=MINUTE,
        periods=5,
        severity="page",
    ),
    Alarm(
        slug="feed-shed",
        says="More events came than could be taken, and some were given up.",
        signals=(Told(metrics.FEED_EVENTS, "feed", (("outcome", "shed"),), "Sum"),),
        severity="page",
    ),
    Alarm(
        slug="feed-gaps",
        says="Events are missing from the recording, and REST did not have them either.",
        signals=(Told(metrics.FEED_GAPS, "feed", statistic="Sum"),),
        severity="notice",
    ),
    Alarm(
        slug="feed-unlanded",
        says="Recorded events have waited for half an hour to be in the lake.",
        signals=(Told(metrics.FEED_UNLANDED, "feed", statistic="Minimum"),),
        threshold=5,  # one or two always wait for their turn
        periods=6,
        severity="page",
    ),
)
"""From the source to the stream and the lake."""
