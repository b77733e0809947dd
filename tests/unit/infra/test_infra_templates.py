"""What holds for every template: linted, least privilege, and held to cdk-nag's rules."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from tests.parts import missing
from tests.templates import ROOT, SIZES, assembly, several, statements, templates

CDK = ROOT / "infra/node_modules/.bin/cdk"

# What keeps the CDK's command line from asking anyone.
ALONE = {"CDK_DISABLE_CLI_TELEMETRY": "true", "AWS_EC2_METADATA_DISABLED": "true"}

# A rule of cfn-lint that does not hold here, and why.
PASSED_OVER = {
    "W3010": "Zones are chosen in the CDK's context, so that none moves by itself.",
    "W3005": "The CDK's own functions say twice what they depend on.",
}

# Who may do all that a service offers, and why.
WHOLE_SERVICES = {
    "kms:*": "The policy of a key that lets the account's own policies decide: AWS's default.",
}

# Actions for which AWS knows no resource, so that it demands `*`, and what needs them.
ACTING_ON_ALL: dict[str, str] = {
    "ecr:GetAuthorizationToken": "A login is of no repository: whoever pulls an image needs it.",
    "batch:DescribeJobs": "The chain waits for its jobs.",
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ),
        "The chain's log is delivered, not written by it.",
    ),
    **dict.fromkeys(
        (
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ),
        "The chain's traces are of no resource.",
    ),
}


@pytest.mark.parametrize("size", SIZES)
def test_every_template_is_clean_by_cfn_lint(size: str) -> None:
    found = [
        f"{path.name}: {match}"
        for path in assembly(size).glob("*.template.json")
        for match in lint_file(path, ManualArgs(ignore_checks=list(PASSED_OVER)))
    ]

    assert [] == found


@pytest.mark.parametrize("size", SIZES)
def test_nobody_may_do_everything(size: str) -> None:
    allowed = [
        (stack, name, action)
        for stack, template in templates(size).items()
        for name, statement in statements(template)
        if statement["Effect"] == "Allow"
        for action in several(statement.get("Action", "*"))
        if action == "*" or (action.endswith(":*") and action not in WHOLE_SERVICES)
    ]

    assert [] == allowed


@pytest.mark.parametrize("size", SIZES)
def test_who_may_act_on_whatever_there_is_is_known_with_a_reason(size: str) -> None:
    found = {
        (stack, action)
        for stack, template in templates(size).items()
        for name, statement in statements(template)
        if statement["Effect"] == "Allow" and "*" in several(statement.get("Resource", []))
        # In the policy of a key it means that key.
        if template["Resources"][name]["Type"] != "AWS::KMS::Key"
        for action in several(statement["Action"])
    }

    assert [] == sorted(action for _, action in found if action not in ACTING_ON_ALL)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_that_is_missing_is_told_to_be_missing_and_not_forbidden(size: str) -> None:
    """S3 says 404 to who may list the bucket, and asks that with no prefix: else it says 403."""
    listing = [
        (name, statement["Condition"])
        for template in templates(size).values()
        for name, statement in statements(template)
        if "s3:ListBucket" in several(statement.get("Action", []))
    ]

    assert listing
    for name, condition in listing:
        assert ["StringLikeIfExists"] == list(condition), name


@pytest.mark.parametrize("size", SIZES)
def test_every_image_is_of_the_processor_that_runs_it(size: str) -> None:
    images = [
        image["source"]
        for path in assembly(size).glob("*.assets.json")
        for image in json.loads(path.read_text("utf-8"))["dockerImages"].values()
    ]

    assert images
    assert {"linux/amd64"} == {each.get("platform") for each in images}


@pytest.mark.parametrize("size", SIZES)
def test_every_key_rotates_and_every_log_ends(size: str) -> None:
    every = [
        resource
        for template in templates(size).values()
        for resource in template["Resources"].values()
    ]
    kept_for_ever = [
        each
        for each in every
        if (each["Type"] == "AWS::KMS::Key" and not each["Properties"].get("EnableKeyRotation"))
        or (each["Type"] == "AWS::Logs::LogGroup" and "RetentionInDays" not in each["Properties"])
    ]

    assert [] == kept_for_ever


def test_what_holds_data_is_retained_in_prod_alone() -> None:
    held = {
        "AWS::S3::Bucket",
        "AWS::DynamoDB::Table",
        "AWS::Kinesis::Stream",
        "AWS::RDS::DBInstance",
        "AWS::SecretsManager::Secret",
        "AWS::EFS::FileSystem",
    }

    def deleted(size: str) -> set[tuple[str, str]]:
        return {
            (resource["Type"], resource["DeletionPolicy"])
            for template in templates(size).values()
            for resource in template["Resources"].values()
            if resource["Type"] in held
        }

    assert {"Retain"} == {policy for _, policy in deleted("prod")}
    assert {"Delete"} == {policy for _, policy in deleted("dev")}
    assert {kind for kind, _ in deleted("prod")} >= held - {"AWS::EFS::FileSystem"}


@pytest.mark.parametrize("size", SIZES)
def test_the_pinned_command_line_reads_what_the_library_wrote_without_an_account(size: str) -> None:
    if not CDK.exists():
        missing("the CDK's command line", "make infra/node_modules/ready (it needs npm)")
    done = subprocess.run(
        [CDK, "list", "--no-notices", "--app", assembly(size)],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ALONE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert {f"fiblake-{size}-{stack}" for stack in templates(size)} == set(done.stdout.split())


@pytest.mark.parametrize("size", SIZES)
def test_no_template_needs_to_be_looked_up(size: str) -> None:
    told: dict[str, Any] = json.loads((assembly(size) / "manifest.json").read_text("utf-8"))

    assert [] == told.get("missing", [])
