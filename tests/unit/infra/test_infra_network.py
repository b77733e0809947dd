"""The network's template: which ports are open from whom, and what it costs to go out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.templates import SIZES, Template, resources, templates

GROUPS = ("Balancer", "Database", "Endpoints", "Files", "Redis", "Services")
ANYWHERE = "0.0.0.0/0"
CLOUDFRONT = "pl-3b927c52"

# from, to, port: each is seen from both sides where both are groups.
TALKS = {
    ("Balancer", "Services", 8000),
    ("Services", "Redis", 6379),
    ("Services", "Database", 5432),
    ("Services", "Files", 2049),
}
LET_IN = TALKS | {
    ("Services", "Endpoints", 443),
    # To 443: where no domain was told there is no certificate, and the balancer listens at 80.
    (CLOUDFRONT, "Balancer", 80),
}
CLOUDFRONT_WEIGHT, MOST_RULES = 55, 60
LET_OUT = TALKS | {("Services", ANYWHERE, 443)}
NOWHERE = "255.255.255.255/32"
"""What the CDK writes for a group that may talk to nobody."""


@pytest.mark.parametrize("size", SIZES)
def test_exactly_these_ports_are_open(size: str) -> None:
    template = templates(size)["network"]

    assert LET_IN == rules(template, "Ingress")
    assert LET_OUT == {rule for rule in rules(template, "Egress") if rule[1] != NOWHERE}


@pytest.mark.parametrize("size", SIZES)
def test_no_group_has_more_rules_than_aws_lets_it_have(size: str) -> None:
    """CloudFront's list counts as 55, so that one rule of a group may name it."""
    template = templates(size)["network"]
    told = [
        (name_of(logical), rule)
        for logical, group in resources(template, "AWS::EC2::SecurityGroup").items()
        for rule in group.get("SecurityGroupIngress", [])
    ]
    told += [
        (name_of(rule["GroupId"]["Fn::GetAtt"][0]), rule)
        for rule in resources(template, "AWS::EC2::SecurityGroupIngress").values()
    ]
    counts = dict.fromkeys(GROUPS, 0)
    for name, rule in told:
        counts[name] += CLOUDFRONT_WEIGHT if "SourcePrefixListId" in rule else 1

    assert CLOUDFRONT_WEIGHT <= counts["Balancer"]
    assert max(counts.values()) <= MOST_RULES


@pytest.mark.parametrize(("size", "gateways", "private"), [("dev", 0, 0), ("prod", 1, 2)])
def test_only_a_whole_system_pays_for_a_way_out(size: str, gateways: int, private: int) -> None:
    template = templates(size)["network"]
    subnets = resources(template, "AWS::EC2::Subnet").values()
    kinds = [
        tag["Value"] for each in subnets for tag in each["Tags"] if "subnet-type" in tag["Key"]
    ]

    assert gateways == len(resources(template, "AWS::EC2::NatGateway"))
    assert private == kinds.count("Private")
    assert (2, 2) == (kinds.count("Public"), kinds.count("Isolated"))
    assert {False} == {each["MapPublicIpOnLaunch"] for each in subnets}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("dev", {"s3": "Gateway", "dynamodb": "Gateway"}),
        ("prod", {"s3": "Gateway", "dynamodb": "Gateway", "kinesis-streams": "Interface"}),
    ],
)
def test_traffic_of_size_stays_with_aws(size: str, expected: dict[str, str]) -> None:
    endpoints = resources(templates(size)["network"], "AWS::EC2::VPCEndpoint").values()

    assert expected == {service(each): each["VpcEndpointType"] for each in endpoints}


@pytest.mark.parametrize("size", SIZES)
def test_all_traffic_is_noted(size: str) -> None:
    (log,) = resources(templates(size)["network"], "AWS::EC2::FlowLog").values()

    assert ("VPC", "ALL", "cloud-watch-logs") == (
        log["ResourceType"],
        log["TrafficType"],
        log["LogDestinationType"],
    )


def rules(template: Template, way: str) -> set[tuple[str, str, int]]:
    """Return who talks to whom on which port, as one side's rules tell."""
    groups = resources(template, "AWS::EC2::SecurityGroup")
    assert len(GROUPS) == len(groups)
    apart = resources(template, f"AWS::EC2::SecurityGroup{way}").values()
    told = [
        (name_of(logical), rule)
        for logical, group in groups.items()
        for rule in group.get(f"SecurityGroup{way}", [])
    ]
    told += [(name_of(rule["GroupId"]["Fn::GetAtt"][0]), rule) for rule in apart]
    assert all(rule["IpProtocol"] in {"tcp", "icmp"} for _, rule in told)
    return {_rule(name, rule, way) for name, rule in told}


def _rule(own: str, rule: dict[str, Any], way: str) -> tuple[str, str, int]:
    is_whole_range = (rule["FromPort"], rule["ToPort"]) == (80, 443)
    assert rule["FromPort"] == rule["ToPort"] or rule.get("CidrIp") == NOWHERE or is_whole_range
    side = "Source" if way == "Ingress" else "Destination"
    other = rule.get("CidrIp") or rule.get(f"{side}PrefixListId")
    if other is None:
        other = name_of(rule[f"{side}SecurityGroupId"]["Fn::GetAtt"][0])
    first, second = (other, own) if way == "Ingress" else (own, other)
    return first, second, rule["FromPort"]


def name_of(logical: str) -> str:
    """Return the name of a group that a logical id begins with."""
    return next(name for name in GROUPS if logical.startswith(name))


def service(endpoint: dict[str, Any]) -> str:
    name = endpoint["ServiceName"]
    text = name if isinstance(name, str) else "".join(map(str, name["Fn::Join"][1]))
    return text.rpartition(".")[2]
