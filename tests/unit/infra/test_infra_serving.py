"""The serving layer's template: who gets through to the API, by which way, and how it grows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template as Assertions

from infra.app import build, new_app
from infra.capacity import CAPACITIES
from infra.edge import COUNTED
from infra.serving import zone_of
from infra.size import read_deployment
from lake import metrics
from lake.settings import Settings
from tests.parts import missing
from tests.templates import SIZES, resources, several, statements, templates

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"


def serving(size: str) -> dict[str, Any]:
    return templates(size)["serving"]


def one(size: str, kind: str) -> dict[str, Any]:
    (found,) = resources(serving(size), kind).values()
    assert isinstance(found, dict)
    return found


def attributes(found: dict[str, Any], name: str) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found[name]}


@pytest.mark.parametrize("size", SIZES)
def test_the_balancer_passes_on_what_cloudfront_shows_the_secret_with_and_no_metrics(
    size: str,
) -> None:
    listener = one(size, "AWS::ElasticLoadBalancingV2::Listener")
    rules = sorted(
        resources(serving(size), "AWS::ElasticLoadBalancingV2::ListenerRule").values(),
        key=lambda each: int(each["Priority"]),
    )
    (default,) = listener["DefaultActions"]

    assert ("fixed-response", "403") == (
        default["Type"],
        default["FixedResponseConfig"]["StatusCode"],
    )
    assert [("fixed-response", "path-pattern"), ("forward", "http-header")] == [
        (each["Actions"][0]["Type"], each["Conditions"][0]["Field"]) for each in rules
    ]
    assert ["/metrics", "/metrics/*"] == rules[0]["Conditions"][0]["PathPatternConfig"]["Values"]
    shown = rules[1]["Conditions"][0]["HttpHeaderConfig"]
    assert "{{resolve:secretsmanager:" in json.dumps(shown["Values"])
    origin = one(size, "AWS::CloudFront::Distribution")["DistributionConfig"]["Origins"][0]
    (header,) = origin["OriginCustomHeaders"]
    assert shown["HttpHeaderName"] == header["HeaderName"]
    assert shown["Values"] == [header["HeaderValue"]]


@pytest.mark.parametrize("size", SIZES)
def test_streams_are_not_cut_and_the_address_of_who_asks_is_cloudfront_s_word(size: str) -> None:
    balancer = attributes(
        one(size, "AWS::ElasticLoadBalancingV2::LoadBalancer"), "LoadBalancerAttributes"
    )
    target = one(size, "AWS::ElasticLoadBalancingV2::TargetGroup")

    # The server pings each 20 seconds.
    assert int(balancer["idle_timeout.timeout_seconds"]) >= 3 * 20
    assert "preserve" == balancer["routing.http.xff_header_processing.mode"]
    assert "true" == balancer["access_logs.s3.enabled"]
    assert "/health/live" == target["HealthCheckPath"]
    drained = attributes(target, "TargetGroupAttributes")["deregistration_delay.timeout_seconds"]
    assert int(drained) < 60


@pytest.mark.parametrize("size", SIZES)
def test_answers_are_never_kept_at_the_edge_and_the_page_s_files_are(size: str) -> None:
    told = one(size, "AWS::CloudFront::Distribution")["DistributionConfig"]
    default, (web,) = told["DefaultCacheBehavior"], told["CacheBehaviors"]

    # AWS's own policies: CachingDisabled, CachingOptimized, AllViewer.
    assert "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" == default["CachePolicyId"]
    assert "216adef6-5c7f-47e4-b989-5492eafa07d3" == default["OriginRequestPolicyId"]
    assert {"POST", "DELETE", "PUT"} <= set(default["AllowedMethods"])
    assert "/web/*" == web["PathPattern"]
    assert "658327ea-f89d-4fab-a63d-7e88639e58f6" == web["CachePolicyId"]
    assert {"redirect-to-https"} == {each["ViewerProtocolPolicy"] for each in (default, web)}
    assert told["Logging"]["Prefix"] == "cloudfront/"


@pytest.mark.parametrize("size", SIZES)
def test_the_firewall_refuses_floods_and_no_backtest(size: str) -> None:
    acl = one(size, "AWS::WAFv2::WebACL")
    rate, common, *_ = sorted(acl["Rules"], key=lambda each: int(each["Priority"]))
    overridden = {
        each["Name"]: set(each["ActionToUse"])
        for each in common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    }

    assert "CLOUDFRONT" == acl["Scope"]
    assert {"Block": {}} == rate["Action"]
    # Whoever keeps to the app's own limits of an address is never refused before it.
    settings = Settings()
    allowed = settings.rate_address_per_second * 300 + settings.rate_address_burst
    assert rate["Statement"]["RateBasedStatement"]["Limit"] >= allowed
    assert {name: {"Count"} for name in COUNTED} == overridden
    assert {"SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING"} <= set(overridden)
    acl_of = one(size, "AWS::CloudFront::Distribution")["DistributionConfig"]["WebACLId"]
    assert acl_of["Fn::GetAtt"][0].startswith("FirewallAcl")


def test_the_api_grows_by_cpu_by_requests_and_by_streams() -> None:
    policies = resources(serving("prod"), "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    told = [each["TargetTrackingScalingPolicyConfiguration"] for each in policies]
    (target,) = resources(serving("prod"), "AWS::ApplicationAutoScaling::ScalableTarget").values()
    capacity = CAPACITIES["prod"]
    (streams,) = [
        each["CustomizedMetricSpecification"]
        for each in told
        if "CustomizedMetricSpecification" in each
    ]

    assert (capacity.api_least, capacity.api_most) == (
        target["MinCapacity"],
        target["MaxCapacity"],
    )
    assert {"ECSServiceAverageCPUUtilization", "ALBRequestCountPerTarget"} == {
        each["PredefinedMetricSpecification"]["PredefinedMetricType"]
        for each in told
        if "PredefinedMetricSpecification" in each
    }
    assert metrics.CONNECTIONS.name == streams["MetricName"]
    assert [{"Name": "service", "Value": "api"}] == streams["Dimensions"]
    assert "api" in metrics.CONNECTIONS.services


def test_one_process_does_not_grow() -> None:
    assert {} == resources(serving("dev"), "AWS::ApplicationAutoScaling::ScalableTarget")
    assert 1 == one("dev", "AWS::ECS::Service")["DesiredCount"]


@pytest.mark.parametrize(("size", "writes"), [("dev", True), ("prod", False)])
def test_only_who_records_may_write_the_lake(size: str, writes: bool) -> None:  # noqa: FBT001 - a case
    allowed = {
        action
        for name, statement in statements(serving(size))
        if "RoleDefaultPolicy" in name
        for action in several(statement["Action"])
    }

    assert writes == ("s3:PutObject" in allowed)
    assert "s3:DeleteObject" not in allowed


def test_a_domain_has_its_certificate_names_and_tls_all_the_way() -> None:
    try:
        app = new_app(size="prod")
    except RuntimeError:
        missing("Node.js", "apt-get install nodejs")
    told = {"size": "prod", "domain": "bars.example.com", "certificate": CERTIFICATE}
    stacks = build(app, read_deployment(told))
    template = Assertions.from_stack(stacks.serving)

    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::Listener",
        {"Port": 443, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": CERTIFICATE}]},
    )
    template.has_resource_properties(
        "AWS::CloudFront::Distribution",
        {
            "DistributionConfig": {
                "Aliases": ["bars.example.com"],
                "ViewerCertificate": {
                    "AcmCertificateArn": CERTIFICATE,
                    "MinimumProtocolVersion": "TLSv1.2_2021",
                },
            }
        },
    )
    template.resource_count_is("AWS::Route53::RecordSet", 2)


@pytest.mark.parametrize(
    ("domain", "zone"), [("bars.example.com", "example.com"), ("example.com", "example.com")]
)
def test_a_domain_is_in_the_zone_above_it_or_is_one(domain: str, zone: str) -> None:
    assert zone == zone_of(domain)
