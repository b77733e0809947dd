"""What deployed processes are told: every variable is a setting, and has a value it can have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import ValidationError

from infra.environment import BATCH, FETCH, OPERATOR, Resources, environment
from lake.services import ALERTS, API, EMBEDDED, FEED, PUBLISHER
from lake.settings import Settings
from tests.templates import SIZES, resources, templates

PREFIX = "FIBLAKE_"
HANDED = {"FIBLAKE_REDIS_PASSWORD"}
"""What ECS reads from a secret when a task starts."""
DEPLOYED = {
    "dev": {EMBEDDED.name, OPERATOR, BATCH, FETCH},
    "prod": {FEED.name, PUBLISHER.name, ALERTS.name, API.name, OPERATOR, BATCH, FETCH},
}
TOLD = Resources(
    region="us-east-1",
    lake="s3://bucket/lake",
    backups="s3://bucket/backups",
    secret="arn:aws:secretsmanager:us-east-1:123456789012:secret:settings-AbCdEf",  # noqa: S106 - its name
    dynamodb_prefix="fiblake-prod-",
    database_url="postgresql://host:5432/fiblake?sslmode=require",
    database_secret="arn:aws:secretsmanager:us-east-1:123456789012:secret:rds-AbCdEf",  # noqa: S106 - its name
    alerts="arn:aws:sns:us-east-1:123456789012:fiblake-prod-alerts",
    news="arn:aws:sns:us-east-1:123456789012:fiblake-prod-news",
    proxies="10.20.0.0/16",
    events="fiblake-prod-events",
    bars="fiblake-prod-bars",
    redis="primary.fiblake.use1.cache.amazonaws.com",
)


def deployed(size: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the environment of each container and function of a size, as the templates have it."""
    for template in templates(size).values():
        for task in resources(template, "AWS::ECS::TaskDefinition").values():
            for container in task["ContainerDefinitions"]:
                yield from _named(container["Environment"])
        for job in resources(template, "AWS::Batch::JobDefinition").values():
            yield from _named(job["ContainerProperties"]["Environment"])
        for function in resources(template, "AWS::Lambda::Function").values():
            if function.get("PackageType") == "Image":
                told = function["Environment"]["Variables"]
                yield told["FIBLAKE_SERVICE"], told


def _named(told: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    values = {each["Name"]: each["Value"] for each in told}
    yield values["FIBLAKE_SERVICE"], values


def parsed(told: dict[str, str]) -> Settings:
    """Return the settings of an environment, less the secrets that it names."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in told.items()
        if name.startswith(PREFIX) and name != "FIBLAKE_SECRET"
    }
    unknown = set(given) - set(Settings.model_fields)
    assert set() == unknown
    return Settings.model_validate(given)


@pytest.mark.parametrize("size", SIZES)
def test_whatever_is_deployed_is_told_what_its_kind_is_told(size: str) -> None:
    found = list(deployed(size))

    assert DEPLOYED[size] == {name for name, _ in found}
    for name, told in found:
        expected = environment(name, TOLD)
        if name == FETCH:  # Lambda sets its region itself
            expected.pop("AWS_DEFAULT_REGION")
        assert set(expected) == set(told)


@pytest.mark.parametrize("name", [*sorted(DEPLOYED["prod"]), EMBEDDED.name])
def test_every_variable_is_a_setting_and_has_a_value_that_it_can_have(name: str) -> None:
    told = environment(name, TOLD)
    settings = parsed(told)

    assert TOLD.lake == settings.lake
    assert TOLD.secret == told["FIBLAKE_SECRET"]
    assert "secret" in Settings.model_fields
    assert name == settings.service
    assert {"AWS_DEFAULT_REGION"} == {each for each in told if not each.startswith(PREFIX)}


def test_services_meet_in_the_streams_the_view_and_the_database() -> None:
    feed, publisher, alerts, api = (
        parsed(environment(each.name, TOLD)) for each in (FEED, PUBLISHER, ALERTS, API)
    )

    assert {"kinesis"} == {each.stream for each in (feed, publisher, alerts)}
    assert feed.kinesis_events == publisher.kinesis_events == "fiblake-prod-events"
    assert {"fiblake-prod-bars"} == {each.kinesis_bars for each in (publisher, alerts)}
    assert {"redis"} == {each.view for each in (publisher, alerts, api)}
    # Nobody fills another, and an empty view would pass for one that has no live bars.
    assert {None} == {each.view_fallback for each in (publisher, alerts, api)}
    assert "dynamodb" == api.connections_store
    assert {True} == {
        each.redis_url.get_secret_value().startswith("rediss://") for each in (publisher, alerts)
    }
    assert None is feed.database_url
    assert "10.20.0.0/16" == api.forwarded_allow_ips
    assert {settings_of.sns_alerts for settings_of in (alerts, api)} == {TOLD.alerts}


def test_one_process_shares_no_view_and_no_stream() -> None:
    settings = parsed(environment(EMBEDDED.name, replace(TOLD, events=None, bars=None, redis=None)))

    assert ("memory", "memory") == (settings.stream, settings.view)
    assert "/var/lib/fiblake" == settings.state


def test_a_service_without_its_stream_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="only where services are processes of their own"):
        environment(FEED.name, replace(TOLD, events=None))


def test_a_misspelt_or_impossible_variable_would_be_found() -> None:
    with pytest.raises(AssertionError):
        parsed({"FIBLAKE_LAKES": "data"})
    with pytest.raises(ValidationError):
        parsed({"FIBLAKE_VIEW": "rediss"})


@pytest.mark.parametrize("size", SIZES)
def test_no_secret_is_told_in_clear(size: str) -> None:
    """What is secret is a reference: ECS or the process reads it when it starts."""
    for template in templates(size).values():
        for task in resources(template, "AWS::ECS::TaskDefinition").values():
            for container in task["ContainerDefinitions"]:
                handed = {each["Name"] for each in container.get("Secrets", [])}
                assert handed <= HANDED
                plain = {each["Name"] for each in container["Environment"]}
                has_redis = "FIBLAKE_REDIS_URL" in plain
                assert (handed == HANDED) == has_redis
    secret = {
        f"{PREFIX}{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) or "SecretStr" in str(field.metadata)
    }
    told = {name for _, values in deployed(size) for name in values}
    # These are of a type that hides a password, and have none in them.
    assert told & secret <= {"FIBLAKE_REDIS_URL", "FIBLAKE_DATABASE_URL"}
    for _, values in deployed(size):
        for name in ("FIBLAKE_REDIS_URL", "FIBLAKE_DATABASE_URL"):
            assert "@" not in str(values.get(name, ""))


def test_all_resources_are_told_to_somebody() -> None:
    told = {
        value
        for name in (*DEPLOYED["prod"], EMBEDDED.name)
        for value in environment(name, TOLD).values()
    }

    for field in fields(TOLD):
        value = getattr(TOLD, field.name)
        assert any(value in each for each in told), field.name
