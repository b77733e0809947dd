"""The stack that watches: alarms as the table has them, whom they tell, dashboard and budget."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.alarms import ALARMS, TOGETHER
from infra.capacity import CAPACITIES
from infra.cost import bill
from lake.metrics import CATALOGUE
from tests.templates import SIZES, resources, several, templates

ROOT = Path(__file__).parents[3]
NAMES = {metric.name: metric for metric in CATALOGUE}
JOBS = {"batch", "fetch"}


def alarms(size: str) -> list[dict[str, Any]]:
    return list(resources(templates(size)["observability"], "AWS::CloudWatch::Alarm").values())


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    stats = [
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each
    ]
    return stats or [alarm]


def ours(size: str) -> list[dict[str, Any]]:
    return [
        metric
        for alarm in alarms(size)
        for metric in metrics_of(alarm)
        if metric["Namespace"] == "fiblake"
    ]


@pytest.mark.parametrize("size", SIZES)
def test_each_row_of_the_table_is_an_alarm_that_links_to_its_page(size: str) -> None:
    for row in ALARMS:
        named = re.compile(rf"fiblake-{size}-{row.slug}(-\w+)?")
        found = [each for each in alarms(size) if named.fullmatch(each["AlarmName"])]
        assert bool(found) is (size in row.sizes), row.slug
        for alarm in found:
            description = alarm["AlarmDescription"]
            assert description.startswith(f"[{row.severity}] {row.says}")
            assert description.endswith(row.runbook)
            assert (ROOT / row.runbook).exists()


@pytest.mark.parametrize("size", SIZES)
def test_alarms_watch_what_services_that_run_there_tell(size: str) -> None:
    running = set(CAPACITIES[size].services) | JOBS
    for metric in ours(size):
        told = NAMES[metric["MetricName"]]
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        assert set(told.dimensions) == set(dimensions)
        assert dimensions["service"] in running & set(told.services)


@pytest.mark.parametrize("size", SIZES)
def test_each_alarm_tells_the_topic_or_rings_through_one_that_does(size: str) -> None:
    template = templates(size)["observability"]
    (topic,) = [
        name for name, each in resources(template, "AWS::SNS::Topic").items() if "TopicName" in each
    ]
    through = {slug for together in TOGETHER for slug in together.of}
    together = resources(template, "AWS::CloudWatch::CompositeAlarm")
    for alarm in [*alarms(size), *together.values()]:
        name = alarm.get("AlarmName")
        is_quiet = isinstance(name, str) and any(
            re.fullmatch(rf"fiblake-{size}-{slug}(-\w+)?", name) and "AlarmRule" not in alarm
            for slug in through
        )
        assert ([] if is_quiet else [{"Ref": topic}]) == alarm.get("AlarmActions", []), name


@pytest.mark.parametrize("size", SIZES)
def test_who_may_publish_to_the_topic_is_watching_this_account(size: str) -> None:
    (policy,) = resources(templates(size)["observability"], "AWS::SNS::TopicPolicy").values()
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]

    assert {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"} == {
        teller for each in allowed for teller in several(each["Principal"]["Service"])
    }
    assert all("aws:SourceAccount" in each["Condition"]["StringEquals"] for each in allowed)


@pytest.mark.parametrize("size", SIZES)
def test_the_budget_tells_at_half_four_fifths_all_and_when_it_is_foreseen(size: str) -> None:
    (budget,) = resources(templates(size)["observability"], "AWS::Budgets::Budget").values()
    notices = [each["Notification"] for each in budget["NotificationsWithSubscribers"]]
    limit = budget["Budget"]["BudgetLimit"]

    assert [("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)] == [
        (each["NotificationType"], each["Threshold"]) for each in notices
    ]
    assert round(1.5 * bill(size).usd) == limit["Amount"]
    (spend,) = [each for each in alarms(size) if each["AlarmName"].endswith("-spend")]
    assert spend["Threshold"] == limit["Amount"]


@pytest.mark.parametrize("size", SIZES)
def test_the_dashboard_has_its_rows_and_shows_what_is_told(size: str) -> None:
    (board,) = resources(templates(size)["observability"], "AWS::CloudWatch::Dashboard").values()
    text = json.dumps(board["DashboardBody"]).replace("\\\\", "\\").replace('\\"', '"')
    titles = re.findall(r'"markdown":"# (\w+)"', text)
    found = set(re.findall(r"fiblake_\w+", text))

    assert ["Flow", "API", "Batch", "Infrastructure", "Cost"] == titles
    assert found <= set(NAMES)
    assert {
        "fiblake_feed_lag_seconds",
        "fiblake_alerts_lag_seconds",
        "fiblake_connections",
    } <= found
    assert "EstimatedCharges" in text
