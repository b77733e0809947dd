"""The live source side: what a vendor or a recording tells, judged, recorded, put into a stream."""

from lake.recorded import recorded_sources
from speed_layer.feed.feed import Feed
from speed_layer.feed.health import Health
from speed_layer.feed.judge import Judge
from speed_layer.feed.opening import opened
from speed_layer.feed.recorder import Known, Recorder
from speed_layer.feed.replay import Replay
from speed_layer.feed.source import Delivery, Malformed, Source
from speed_layer.feed.spec import FeedSpec, parse_feed
from speed_layer.feed.spool import Limits

__all__ = [
    "Delivery",
    "Feed",
    "FeedSpec",
    "Health",
    "Judge",
    "Known",
    "Limits",
    "Malformed",
    "Recorder",
    "Replay",
    "Source",
    "opened",
    "parse_feed",
    "recorded_sources",
]
