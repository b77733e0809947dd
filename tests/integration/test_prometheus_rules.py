"""Prometheus itself reads the rules, and rings when it should and not when it should not."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.alarms import ALARMS
from lake.services import SERVICES
from tests.parts import missing

RULES = Path(__file__).parents[2] / "observability" / "alerts.yaml"
ROWS = {alarm.slug: alarm for alarm in ALARMS}
SILENCE = 'fiblake_feed_silence_seconds{service="feed"}'
OPEN = 'fiblake_market_open{service="feed"}'
REQUESTS = 'fiblake_requests_total{service="api",route="/v1/bars/{symbol}",status="%s"}'
UP = [f'up{{service="{each.name}"}}' for each in SERVICES]
AWAY = 'fiblake_away{service="%s",part="%s"}'


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        missing("promtool", "apt-get install prometheus")
    return found


def told(promtool: str, *words: str) -> str:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_prometheus_can_read_the_rules(promtool: str) -> None:
    found = RULES.read_text("utf-8").count("- alert:")

    assert f"SUCCESS: {found} rules found" in told(promtool, "check", "rules", str(RULES))


@pytest.mark.parametrize(
    ("slug", "series", "labels"),
    [
        ("feed-silent", {SILENCE: "0+60x30", OPEN: "1x30"}, {}),
        ("feed-silent", {SILENCE: "0+60x30", OPEN: "0x30"}, None),
        ("feed-silent", {SILENCE: "5x30", OPEN: "1x30"}, None),
        ("feed-away", {}, {}),
        ("feed-away", {'fiblake_feed_subscribed{service="feed"}': "1x30"}, None),
        ("feed-away", {'fiblake_feed_subscribed{service="feed"}': "1x10 0x20"}, {}),
        ("feed-gaps", {'fiblake_feed_gaps_total{service="feed"}': "3x16 4x14"}, {}),
        ("feed-gaps", {'fiblake_feed_gaps_total{service="feed"}': "3x30"}, None),
        ("publisher-behind", {'fiblake_publish_lag_seconds{service="publisher"}': "31x30"}, {}),
        ("publisher-behind", {'fiblake_publish_lag_seconds{service="publisher"}': "0.2x30"}, None),
        ("api-errors", {REQUESTS % 200: "0+600x30", REQUESTS % 503: "0+20x30"}, {}),
        ("api-errors", {REQUESTS % 200: "0+600x30", REQUESTS % 503: "0+2x30"}, None),
        ("api-errors", {REQUESTS % 200: "0+1x30", REQUESTS % 503: "0+1x30"}, None),  # too few
        ("view-away", {AWAY % ("api", "view"): "1x30"}, {"service": "api"}),
        ("view-away", {AWAY % ("api", "lake"): "1x30", AWAY % ("api", "view"): "0x30"}, None),
        (
            "service-away",
            dict.fromkeys(UP, "1x30") | {'up{service="alerts"}': "0x30"},
            {"service": "alerts"},
        ),
        ("service-away", dict.fromkeys(UP, "1x30"), None),
        (
            "service-away",
            {each: "1x30" for each in UP if "alerts" not in each},
            {"service": "alerts"},
        ),
        ("api-away", {UP[-1]: "1x30"}, None),
        ("api-away", {UP[-1]: "0x30"}, {}),
        ("api-away", {}, {"service": "api"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_alert_rings_when_it_should_alone(
    promtool: str,
    tmp_path: Path,
    slug: str,
    series: dict[str, str],
    labels: dict[str, str] | None,
) -> None:
    row = ROWS[slug]
    rings: list[dict[str, Any]] = [
        {
            "exp_labels": {"severity": row.severity} | (labels or {}),
            "exp_annotations": {"summary": row.says, "runbook": row.runbook},
        }
    ]
    case = {
        "interval": "1m",
        "input_series": [{"series": each, "values": told} for each, told in series.items()],
        "alert_rule_test": [
            {
                "eval_time": "20m",
                "alertname": slug,
                "exp_alerts": [] if labels is None else rings,
            }
        ],
    }
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]}
    path = tmp_path / "case.yaml"
    path.write_text(json.dumps(document), "utf-8")  # JSON is YAML

    told(promtool, "test", "rules", str(path))
