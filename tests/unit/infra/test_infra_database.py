"""The templates of PostgreSQL, secrets, topics and queues."""

from __future__ import annotations

from typing import Any

import pytest

from tests.templates import SIZES, resources, templates


def instance(size: str) -> dict[str, Any]:
    (found,) = resources(templates(size)["database"], "AWS::RDS::DBInstance").values()
    told: dict[str, Any] = found
    return told


@pytest.mark.parametrize("size", SIZES)
def test_postgresql_is_encrypted_private_and_asks_for_tls(size: str) -> None:
    (parameters,) = resources(templates(size)["database"], "AWS::RDS::DBParameterGroup").values()

    assert instance(size)["StorageEncrypted"]
    assert not instance(size)["PubliclyAccessible"]
    assert "gp3" == instance(size)["StorageType"]
    assert ("postgres18", "1") == (parameters["Family"], parameters["Parameters"]["rds.force_ssl"])


@pytest.mark.parametrize(
    ("size", "expected"), [("dev", (7, False, False)), ("prod", (14, True, True))]
)
def test_postgresql_can_be_set_back_and_prod_stands_by(
    size: str, expected: tuple[int, bool, bool]
) -> None:
    told = instance(size)

    assert expected == (
        told["BackupRetentionPeriod"],
        told["MultiAZ"],
        told["DeletionProtection"],
    )


@pytest.mark.parametrize("size", SIZES)
def test_rds_keeps_and_rotates_its_password(size: str) -> None:
    told = instance(size)

    # RDS rotates what it manages every seven days; a password in the template would stay.
    assert told["ManageMasterUserPassword"]
    assert "KmsKeyId" in told["MasterUserSecret"]
    assert "MasterUserPassword" not in told


def test_secrets_are_encrypted_and_none_is_in_a_template() -> None:
    told = resources(templates("prod")["secrets"], "AWS::SecretsManager::Secret").values()
    by_name = {each["Name"]: each for each in told}

    assert {"fiblake-prod/settings", "fiblake-prod/redis"} == set(by_name)
    assert all("KmsKeyId" in each for each in told)
    assert "{}" == by_name["fiblake-prod/settings"]["SecretString"]
    assert 64 == by_name["fiblake-prod/redis"]["GenerateSecretString"]["PasswordLength"]


def test_dev_pays_for_no_secret_of_redis() -> None:
    told = resources(templates("dev")["secrets"], "AWS::SecretsManager::Secret").values()

    assert ["fiblake-dev/settings"] == [each["Name"] for each in told]


@pytest.mark.parametrize("size", SIZES)
def test_a_topic_is_encrypted_and_its_queue_gets_all_of_it(size: str) -> None:
    template = templates(size)["messaging"]
    topics = resources(template, "AWS::SNS::Topic")
    queues = resources(template, "AWS::SQS::Queue")
    subscriptions = resources(template, "AWS::SNS::Subscription").values()
    names = {name: each["QueueName"] for name, each in queues.items()}
    brought = {
        topics[each["TopicArn"]["Ref"]]["TopicName"]: (
            names[each["Endpoint"]["Fn::GetAtt"][0]],
            each["RawMessageDelivery"],
            names[each["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]],
        )
        for each in subscriptions
    }
    prefix = f"fiblake-{size}"

    assert all("KmsMasterKeyId" in each for each in topics.values())
    assert {
        f"{prefix}-{kind}": (f"{prefix}-{kind}", True, f"{prefix}-{kind}-dead")
        for kind in ("alerts", "news")
    } == brought


@pytest.mark.parametrize("size", SIZES)
def test_queues_are_encrypted_keep_for_two_weeks_and_set_aside_what_nobody_takes(size: str) -> None:
    template = templates(size)["messaging"]
    queues = resources(template, "AWS::SQS::Queue")
    names = {
        name: each["QueueName"].removeprefix(f"fiblake-{size}-") for name, each in queues.items()
    }
    aside = {
        names[name]: (
            names[each["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]],
            each["RedrivePolicy"]["maxReceiveCount"],
        )
        for name, each in queues.items()
        if "RedrivePolicy" in each
    }

    assert all(each["SqsManagedSseEnabled"] for each in queues.values())
    assert {14 * 86_400} == {each["MessageRetentionPeriod"] for each in queues.values()}
    assert {"alerts": ("alerts-dead", 5), "news": ("news-dead", 5)} == aside


@pytest.mark.parametrize("size", SIZES)
def test_topics_and_queues_refuse_whoever_comes_without_tls(size: str) -> None:
    template = templates(size)["messaging"]
    named = {
        logical["Ref"]
        for kind, what in (("SNS::TopicPolicy", "Topics"), ("SQS::QueuePolicy", "Queues"))
        for policy in resources(template, f"AWS::{kind}").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for logical in policy[what]
    }

    assert (
        set(resources(template, "AWS::SNS::Topic")) | set(resources(template, "AWS::SQS::Queue"))
        == named
    )
