"""The CDK's app: what it is told, and that what breaks a rule is not synthesised."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.size import DEV, PLACEHOLDER_ACCOUNT, PROD, Deployment, read_deployment
from lake.errors import MisuseError
from tests.parts import missing
from tests.templates import ROOT

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
NAUGHTY = """
from aws_cdk import Stack, aws_sns
from infra.app import new_app

app = new_app(size="dev")
aws_sns.Topic(Stack(app, "naughty"), "Topic")
app.synth()
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("node") is None:
        missing("Node.js", "apt-get install nodejs")
    given = {"PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=os.environ | given, capture_output=True, text=True, check=False
    )


def test_what_nobody_tells_is_a_small_system_for_nobody() -> None:
    assert Deployment(size=DEV, account=PLACEHOLDER_ACCOUNT, region="us-east-1") == read_deployment(
        {"size": "", "account": None, "aws:other": "x"}
    )


def test_all_that_is_told_is_read() -> None:
    told = {
        "size": "prod",
        "account": "111122223333",
        "region": "us-east-1",
        "domain": "bars.example.com",
        "certificate": CERTIFICATE,
        "alarm_email": "ops@example.com",
        "budget_usd": "900.50",
    }

    assert Deployment(
        size=PROD,
        account="111122223333",
        region="us-east-1",
        domain="bars.example.com",
        certificate=CERTIFICATE,
        alarm_email="ops@example.com",
        budget_usd=900.5,
    ) == read_deployment(told)
    assert "fiblake-prod" == read_deployment(told).prefix


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"size": "huge"}, "size is 'huge'. Allowed: dev or prod."),
        ({"account": "12"}, "account is '12'. Allowed: an account's number of 12 digits."),
        ({"region": "mars"}, "region is 'mars'. Allowed: a region, as us-east-1."),
        ({"domain": "a_b"}, "domain is 'a_b'. Allowed: a domain's name"),
        ({"certificate": "arn:aws:acm:eu-west-1:1:x"}, "a certificate in us-east-1"),
        ({"alarm_email": "ops"}, "alarm_email is 'ops'. Allowed: an address of e-mail."),
        ({"budget_usd": "-1"}, "budget_usd is '-1'. Allowed: US dollars a month, more than 0."),
        ({"budget_usd": "much"}, "budget_usd is 'much'."),
        ({"budget_usd": "nan"}, "budget_usd is 'nan'."),
        ({"domain": "a.example.com"}, "A domain needs its certificate"),
        ({"certificate": CERTIFICATE}, "A domain needs its certificate"),
    ],
)
def test_what_cannot_be_is_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(MisuseError, match="Hint: ") as refused:
        read_deployment(told)

    assert said in str(refused.value)


def test_the_app_says_in_one_line_what_cannot_be() -> None:
    done = python("-m", "infra.app", CDK_CONTEXT_JSON='{"size": "huge"}')

    assert 1 == done.returncode
    assert "The context's size is 'huge'. Allowed: dev or prod. Hint: cdk deploy -c size=..." in (
        done.stderr.splitlines()
    )


def test_the_app_is_deployed_to_the_account_that_cdk_s_credentials_are_of(tmp_path: Path) -> None:
    done = python(
        "-m",
        "infra.app",
        CDK_OUTDIR=str(tmp_path),
        CDK_DEFAULT_ACCOUNT="111122223333",
        CDK_DEFAULT_REGION="us-east-1",
        CDK_CONTEXT_JSON='{"size": "dev"}',
    )

    assert 0 == done.returncode, done.stderr
    # Where they are of no one, zones are looked up: the command is told which it must ask for.
    assert '"environment": "aws://111122223333/us-east-1"' in (
        tmp_path / "manifest.json"
    ).read_text("utf-8")


def test_the_edge_is_in_one_region_and_so_is_all_else() -> None:
    done = python("-m", "infra.app", CDK_CONTEXT_JSON='{"size": "dev", "region": "eu-west-1"}')

    assert 1 == done.returncode
    assert "The context's region is 'eu-west-1'. Allowed: us-east-1." in done.stderr


def test_what_breaks_a_rule_of_cdk_nag_is_not_synthesised() -> None:
    done = python("-c", NAUGHTY)

    assert 0 != done.returncode
    assert "AwsSolutions-SNS3" in done.stdout + done.stderr
