"""What `--feed` names."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from lake.errors import MisuseError
from speed_layer.feed import FeedSpec, parse_feed

DAY = dt.date(2026, 1, 5)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("massive", FeedSpec("massive")),
        ("replay:2026-01-05", FeedSpec("replay", None, DAY)),
        ("replay:2026-01-05@60x", FeedSpec("replay", None, DAY, 60.0)),
        ("replay:2026-01-05@0.5x", FeedSpec("replay", None, DAY, 0.5)),
        ("replay:2026-01-05@max", FeedSpec("replay", None, DAY, math.inf)),
        ("replay:massive/2026-01-05@60x", FeedSpec("replay", "massive", DAY, 60.0)),
        ("replay:sample@60x", FeedSpec("sample", speed=60.0)),
        ("replay:sample", FeedSpec("sample")),
    ],
)
def test_a_feed_is_named_by_its_source_its_day_and_its_speed(text: str, spec: FeedSpec) -> None:
    assert spec == parse_feed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alpaca",
        "massive@2x",
        "replay",
        "replay:",
        "replay:2026-02-30",
        "replay:2026-01-05@",
        "replay:2026-01-05@fast",
        "replay:2026-01-05@0x",
        "replay:2026-01-05@-1x",
        "replay:a/b/2026-01-05",
        "replay:massive/sample",
    ],
)
def test_what_names_no_feed_is_told_with_what_does(text: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_feed(text)

    assert repr(text) in caught.value.fact
    assert "Allowed: massive, replay:DAY, replay:SOURCE/DAY or replay:sample" in caught.value.fact
