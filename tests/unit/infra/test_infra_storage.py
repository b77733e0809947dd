"""The template of what holds the data: encrypted, private, kept, and no dearer than it must be."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from infra.hive import LAKE, hive_type
from lake import keys, schemas
from lake.interval import FIBONACCI, INTRADAY
from tests.templates import SIZES, resources, templates


def bucket(size: str, name: str) -> dict[str, Any]:
    found = resources(templates(size)["storage"], "AWS::S3::Bucket")
    return next(each for logical, each in found.items() if logical.startswith(name))


def rules(size: str) -> dict[str, dict[str, Any]]:
    return {rule["Id"]: rule for rule in bucket(size, "Lake")["LifecycleConfiguration"]["Rules"]}


@pytest.mark.parametrize("size", SIZES)
def test_no_bucket_is_public_or_read_without_tls(size: str) -> None:
    template = templates(size)["storage"]
    buckets = resources(template, "AWS::S3::Bucket")
    policies = resources(template, "AWS::S3::BucketPolicy").values()
    refusing = {
        policy["Bucket"]["Ref"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }

    assert set(buckets) == refusing
    assert all(all(each["PublicAccessBlockConfiguration"].values()) for each in buckets.values())
    assert all(4 == len(each["PublicAccessBlockConfiguration"]) for each in buckets.values())


@pytest.mark.parametrize(("size", "days"), [("dev", 7), ("prod", 30)])
def test_what_is_replaced_can_be_brought_back_for_a_while(size: str, days: int) -> None:
    rule = rules(size)["superseded"]

    assert {"Status": "Enabled"} == bucket(size, "Lake")["VersioningConfiguration"]
    assert {"NoncurrentDays": days} == rule["NoncurrentVersionExpiration"]
    assert {"DaysAfterInitiation": 7} == rule["AbortIncompleteMultipartUpload"]
    assert "ExpirationInDays" not in rule


@pytest.mark.parametrize("size", SIZES)
def test_what_vendors_answered_grows_cheaper_and_is_never_deleted(size: str) -> None:
    rule = rules(size)["landing"]
    steps = [(each["StorageClass"], each["TransitionInDays"]) for each in rule["Transitions"]]

    assert keys.landing("massive", "daily").startswith(rule["Prefix"].removeprefix(f"{LAKE}/"))
    assert [("STANDARD_IA", 30), ("GLACIER_IR", 90)] == steps
    assert "ExpirationInDays" not in rule


@pytest.mark.parametrize("size", SIZES)
def test_the_lake_is_encrypted_with_a_key_of_its_own(size: str) -> None:
    (rule,) = bucket(size, "Lake")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default = rule["ServerSideEncryptionByDefault"]

    assert "aws:kms" == default["SSEAlgorithm"]
    assert default["KMSMasterKeyID"]["Fn::GetAtt"][0] in resources(
        templates(size)["storage"], "AWS::KMS::Key"
    )
    assert rule["BucketKeyEnabled"]


@pytest.mark.parametrize("size", SIZES)
def test_tables_forget_by_themselves_and_can_be_set_back(size: str) -> None:
    tables = resources(templates(size)["storage"], "AWS::DynamoDB::Table").values()

    assert 3 == len(tables)
    for table in tables:
        assert "PAY_PER_REQUEST" == table["BillingMode"]
        assert {"AttributeName": "ttl", "Enabled": True} == table["TimeToLiveSpecification"]
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert "KMS" == table["SSESpecification"]["SSEType"]
        assert (size == "prod") == table["DeletionProtectionEnabled"]


def test_streams_are_encrypted_and_dev_has_none() -> None:
    streams = resources(templates("prod")["storage"], "AWS::Kinesis::Stream").values()
    told = {
        each["Name"]: (each["ShardCount"], each["RetentionPeriodHours"], each["StreamEncryption"])
        for each in streams
    }
    encrypted = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}

    assert {
        "fiblake-prod-events": (16, 24, encrypted),
        "fiblake-prod-bars": (16, 24, encrypted),
    } == told
    assert {} == resources(templates("dev")["storage"], "AWS::Kinesis::Stream")


def glue_tables(size: str) -> dict[str, dict[str, Any]]:
    found = resources(templates(size)["storage"], "AWS::Glue::Table").values()
    return {each["TableInput"]["Name"]: each["TableInput"] for each in found}


def place(value: dict[str, Any]) -> str:
    """Return a location's path in the lake."""
    text = "".join(each if isinstance(each, str) else "BUCKET" for each in value["Fn::Join"][1])
    return text.removeprefix(f"s3://BUCKET/{LAKE}/")


def test_sql_knows_every_interval_and_where_the_lake_keeps_it() -> None:
    tables = glue_tables("prod")
    day = "2024-01-03"
    session = dt.date.fromisoformat(day)
    expected = {
        "daily": keys.daily(2024),
        "minute": keys.minute(session),
        **{f"bars_{each}": keys.silver(each, 2024) for each in FIBONACCI},
        **{f"bars_{each}": keys.intraday(each, session) for each in INTRADAY},
    }
    found = {
        name: place(table["Parameters"]["storage.location.template"])
        .replace("${year}", "2024")
        .replace("${session}", day)
        for name, table in tables.items()
    }

    assert {name: f"{key.rpartition('/')[0]}/" for name, key in expected.items()} == found
    assert all(
        place(table["StorageDescriptor"]["Location"]) == re.sub(r"year=.*", "", found[name])
        for name, table in tables.items()
    )


@pytest.mark.parametrize(
    ("table", "schema"),
    [("daily", "DAILY"), ("minute", "MINUTE"), ("bars_13d", "BARS"), ("bars_5m", "INTRADAY")],
)
def test_sql_has_the_columns_of_what_is_stored(table: str, schema: str) -> None:
    told = glue_tables("prod")[table]
    partitions = {each["Name"]: each["Type"] for each in told["PartitionKeys"]}
    columns = {each["Name"]: each["Type"] for each in told["StorageDescriptor"]["Columns"]}
    stored = {field.name: hive_type(field.type) for field in getattr(schemas, schema)}

    assert {name: kind for name, kind in stored.items() if name not in partitions} == columns
    assert {f"projection.{each}.type" for each in partitions} <= set(told["Parameters"])
    # An integer's range ends; sessions go on by themselves.
    assert ("session" in partitions) == ("projection.session.range" in told["Parameters"])


@pytest.mark.parametrize(("size", "gib"), [("dev", 10), ("prod", 100)])
def test_a_query_may_scan_so_much(size: str, gib: int) -> None:
    (workgroup,) = resources(templates(size)["storage"], "AWS::Athena::WorkGroup").values()
    told = workgroup["WorkGroupConfiguration"]

    assert told["EnforceWorkGroupConfiguration"]
    assert gib * 1024**3 == told["BytesScannedCutoffPerQuery"]
    assert "SSE_KMS" == (told["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"])
