"""The table of alarms: it watches what is told, and Prometheus's rules are made of it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from infra.alarms import ALARMS, TOGETHER, Alarm, Measured, Told
from infra.rules import promql, rules
from lake.metrics import CATALOGUE

yaml: Any = importlib.import_module("yaml")  # it comes with mkdocs, without types
ROOT = Path(__file__).parents[2]
NAMES = {metric.name for metric in CATALOGUE}
OURS = [(alarm, each) for alarm in ALARMS for each in alarm.signals if isinstance(each, Told)]
IDS = [f"{alarm.slug}-{number}" for number, (alarm, _) in enumerate(OURS)]


@pytest.mark.parametrize(("alarm", "signal"), OURS, ids=IDS)
def test_what_is_watched_is_told_by_that_service_with_those_labels(
    alarm: Alarm, signal: Told
) -> None:
    assert signal.metric in CATALOGUE
    assert signal.service in signal.metric.services
    assert set(signal.metric.labels) == {label for label, _ in signal.labels}, alarm.slug


@pytest.mark.parametrize(("alarm", "signal"), OURS, ids=IDS)
def test_a_label_s_value_is_one_that_the_catalogue_names(alarm: Alarm, signal: Told) -> None:
    named = set(re.findall(r"\w+", signal.metric.help)) | {"daily"}

    assert {value for _, value in signal.labels} <= named, alarm.slug


@pytest.mark.parametrize(("alarm", "signal"), OURS, ids=IDS)
def test_a_count_is_summed_and_nothing_else_is(alarm: Alarm, signal: Told) -> None:
    assert (signal.metric.kind == "counter") is (signal.statistic == "Sum"), alarm.slug


def test_each_alarm_has_a_name_of_its_own() -> None:
    slugs = [each.slug for each in (*ALARMS, *TOGETHER)]

    assert len(set(slugs)) == len(slugs)


def test_an_expression_names_all_its_signals_and_nothing_else() -> None:
    words = {"IF", "FILL", "DIFF"}
    for alarm in ALARMS:
        if alarm.expression:
            found = set(re.findall(r"[A-Za-z]\w*", alarm.expression)) - words
            assert found == {each.name for each in alarm.signals}, alarm.slug


def test_cloudwatch_can_look_that_far_back() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html:
    # a day, or a week where a period is an hour or more.
    for alarm in ALARMS:
        longest = 7 * 86_400 if alarm.period_s >= 3_600 else 86_400
        assert alarm.lasting_s <= longest, alarm.slug
        assert alarm.period_s % 60 == 0, alarm.slug


def test_alarms_that_ring_together_are_pages_and_ring_once() -> None:
    known = {alarm.slug: alarm for alarm in ALARMS}
    named = [slug for together in TOGETHER for slug in together.of]

    assert len(set(named)) == len(named)
    assert set(named) <= set(known)


def committed_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "observability" / "alerts.yaml").read_text("utf-8"))
    (group,) = document["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_prometheus_s_rules_are_those_of_the_table() -> None:
    assert rules() == (ROOT / "observability" / "alerts.yaml").read_text("utf-8")
    assert [alarm.slug for alarm in ALARMS if promql(alarm)] == [
        rule["alert"] for rule in committed_rules()
    ]


def test_prometheus_s_rules_look_at_metrics_that_are_told() -> None:
    for rule in committed_rules():
        assert {"alert", "expr", "for", "labels", "annotations"} == set(rule)
        named = set(re.findall(r"fiblake_\w+", rule["expr"]))
        assert {name.removesuffix("_bucket") for name in named} <= NAMES, rule["alert"]
        assert (ROOT / rule["annotations"]["runbook"]).exists()


def test_prometheus_s_rules_look_at_labels_that_what_is_scraped_has() -> None:
    config = yaml.safe_load((ROOT / "observability" / "prometheus.yaml").read_text("utf-8"))
    (scraped,) = config["scrape_configs"]
    labels = {each["target_label"] for each in scraped["relabel_configs"]} | {"le"}
    labels |= {label for metric in CATALOGUE for label in metric.labels}
    for rule in committed_rules():
        named = re.findall(r"[{,](\w+)(?:=|!=|=~)\"", rule["expr"])
        grouped = re.findall(r"by \((\w+)\)", rule["expr"])
        assert {*named, *grouped} <= labels, rule["alert"]


def test_what_prometheus_does_not_see_is_what_aws_or_jobs_alone_tell() -> None:
    for alarm in ALARMS:
        if not promql(alarm):
            told = {each.service for each in alarm.signals if isinstance(each, Told)}
            assert told <= {"batch", "fetch"}, alarm.slug
            assert told or all(isinstance(each, Measured) for each in alarm.signals)
