"""The bill is of what the templates deploy: nothing is added there for free."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from infra.capacity import CAPACITIES
from infra.charges import System, charges
from infra.size import SIZES as OF_NAME
from infra.usage import HOURS, USAGES
from tests.templates import SIZES, templates

# What is paid for, and the price that its line of the bill has.
PAID = {
    "AWS::Athena::WorkGroup": "athena",
    "AWS::Batch::JobDefinition": "fargate_vcpu",
    "AWS::CloudFront::Distribution": "cloudfront_out",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::CompositeAlarm": "alarm_composite",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::DynamoDB::Table": "dynamodb_stored",
    "AWS::EC2::EIP": "public_address",
    "AWS::EC2::FlowLog": "logs_in",
    "AWS::EC2::NatGateway": "nat",
    "AWS::ECS::Service": "fargate_vcpu",
    "AWS::EFS::FileSystem": "efs_stored",
    "AWS::ElastiCache::ReplicationGroup": "valkey_cache.t4g.medium",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "balancer",
    "AWS::Kinesis::Stream": "kinesis_shard",
    "AWS::KinesisAnalyticsV2::Application": "flink_unit",
    "AWS::KMS::Key": "key",
    "AWS::Lambda::Function": "lambda_compute",
    "AWS::Logs::LogGroup": "logs_in",
    "AWS::S3::Bucket": "s3_standard",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::SNS::Topic": "sns_published",
    "AWS::SQS::Queue": "sqs_requests",
    "AWS::StepFunctions::StateMachine": "step_functions",
    "AWS::WAFv2::WebACL": "waf_acl",
}
# What costs nothing, and why.
FREE = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "what it starts is paid for",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "its alarms are paid for, and are in the bill",
    "AWS::Batch::ComputeEnvironment": "jobs are paid for, as tasks of Fargate",
    "AWS::Batch::JobQueue": "likewise",
    "AWS::Budgets::Budget": "a budget that acts on nothing is free",
    "AWS::CDK::Metadata": "a note of the CDK's",
    "AWS::EC2::InternetGateway": "traffic through it is CloudFront's, or NAT's",
    "AWS::EC2::Route": "free",
    "AWS::EC2::RouteTable": "free",
    "AWS::EC2::SecurityGroup": "free",
    "AWS::EC2::SecurityGroupEgress": "free",
    "AWS::EC2::SecurityGroupIngress": "free",
    "AWS::EC2::Subnet": "free",
    "AWS::EC2::SubnetRouteTableAssociation": "free",
    "AWS::EC2::VPC": "free",
    "AWS::EC2::VPCGatewayAttachment": "free",
    "AWS::ECS::Cluster": "tasks are paid for; Container Insights' metrics are in the bill",
    "AWS::ECS::TaskDefinition": "free until it runs",
    "AWS::EFS::AccessPoint": "free",
    "AWS::EFS::MountTarget": "free",
    "AWS::ElastiCache::ParameterGroup": "free",
    "AWS::ElastiCache::SubnetGroup": "free",
    "AWS::ElasticLoadBalancingV2::Listener": "a part of the balancer",
    "AWS::ElasticLoadBalancingV2::ListenerRule": "10 are free",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "a part of the balancer",
    "AWS::Events::Rule": "events of AWS's own services are free",
    "AWS::Glue::Database": "a million objects of the catalogue are free",
    "AWS::Glue::Table": "likewise",
    "AWS::IAM::Policy": "free",
    "AWS::IAM::Role": "free",
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": "logs are paid for",
    "AWS::Lambda::EventInvokeConfig": "free",
    "AWS::Lambda::Permission": "free",
    "AWS::Logs::LogStream": "a part of its group",
    "AWS::Logs::ResourcePolicy": "free",
    "AWS::RDS::DBParameterGroup": "free",
    "AWS::RDS::DBSubnetGroup": "free",
    "AWS::S3::BucketPolicy": "free",
    "AWS::Scheduler::Schedule": "14 million starts a month are free",
    "AWS::SNS::Subscription": "into queues of SQS it is free; some e-mails are, too",
    "AWS::SNS::TopicPolicy": "free",
    "AWS::SQS::QueuePolicy": "free",
    "AWS::WAFv2::LoggingConfiguration": "logs are paid for",
    "Custom::S3AutoDeleteObjects": "a function that runs when a stack is deleted",
    "Custom::VpcRestrictDefaultSG": "a function that runs when a stack is deployed",
}


def deployed(size: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (resource["Type"], resource.get("Properties", {}))
        for template in templates(size).values()
        for resource in template["Resources"].values()
    ]


def of_kind(size: str, kind: str) -> list[dict[str, Any]]:
    return [properties for each, properties in deployed(size) if each == kind]


def billed(size: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for charge in charges(System(OF_NAME[size], CAPACITIES[size], USAGES[size])):
        found[charge.price] += charge.quantity  # type: ignore[assignment] # hours are no integers
    return found


@pytest.mark.parametrize("size", SIZES)
def test_whatever_is_deployed_is_in_the_bill_or_free_for_a_reason(size: str) -> None:
    kinds = {kind for kind, _ in deployed(size)}
    prices = billed(size)
    database = f"postgres_{OF_NAME[size].database_class}"

    assert set() == kinds - set(PAID) - set(FREE) - {
        "AWS::EC2::VPCEndpoint",
        "AWS::RDS::DBInstance",
    }
    assert [] == sorted(kind for kind in kinds & set(PAID) if PAID[kind] not in prices)
    assert database in prices


@pytest.mark.parametrize("size", SIZES)
def test_the_bill_counts_what_the_templates_have(size: str) -> None:
    prices = billed(size)
    alarms = of_kind(size, "AWS::CloudWatch::Alarm")
    watched = sum(
        len([each for each in alarm.get("Metrics", ()) if "MetricStat" in each]) or 1
        for alarm in alarms
    )
    scaled = 2 * len(of_kind(size, "AWS::ApplicationAutoScaling::ScalingPolicy"))
    (firewall,) = of_kind(size, "AWS::WAFv2::WebACL")
    secrets = len(of_kind(size, "AWS::SecretsManager::Secret")) + 1  # and RDS's own

    assert prices["alarm"] == watched + scaled
    assert prices["alarm_composite"] == len(of_kind(size, "AWS::CloudWatch::CompositeAlarm"))
    assert prices["key"] == len(of_kind(size, "AWS::KMS::Key"))
    assert prices["secret"] == secrets
    assert prices["waf_rule"] == len(firewall["Rules"])
    assert prices["dashboard"] == len(of_kind(size, "AWS::CloudWatch::Dashboard"))


@pytest.mark.parametrize("size", SIZES)
def test_the_bill_counts_the_network_as_the_templates_have_it(size: str) -> None:
    prices = billed(size)
    interfaces = [
        each
        for each in of_kind(size, "AWS::EC2::VPCEndpoint")
        if each.get("VpcEndpointType") == "Interface"
    ]
    services = of_kind(size, "AWS::ECS::Service")
    public = [
        each
        for each in services
        if "ENABLED" == each["NetworkConfiguration"]["AwsvpcConfiguration"].get("AssignPublicIp")
    ]
    (balancer,) = of_kind(size, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    addresses = len(of_kind(size, "AWS::EC2::EIP")) + len(public) + len(balancer["Subnets"])

    assert prices["nat"] == len(of_kind(size, "AWS::EC2::NatGateway")) * HOURS
    assert prices["endpoint"] == sum(len(each["SubnetIds"]) for each in interfaces) * HOURS
    assert prices["public_address"] == addresses * HOURS


@pytest.mark.parametrize("size", SIZES)
def test_the_bill_counts_the_tasks_that_run(size: str) -> None:
    definitions = {
        name: resource["Properties"]
        for template in templates(size).values()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
    }
    cores = 0.0
    for service in of_kind(size, "AWS::ECS::Service"):
        definition = definitions[service["TaskDefinition"]["Ref"]]
        # What autoscaling is to keep up, CloudFormation is not told.
        count = service.get("DesiredCount", CAPACITIES[size].api_least)
        cores += int(definition["Cpu"]) / 1024 * count
    running = sum(
        charge.quantity
        for charge in charges(System(OF_NAME[size], CAPACITIES[size], USAGES[size]))
        if (charge.group, charge.price) == ("services", "fargate_vcpu")
    )

    assert cores * HOURS == pytest.approx(running)


def test_the_bill_counts_shards_units_and_nodes() -> None:
    prices = billed("prod")
    shards = sum(each["ShardCount"] for each in of_kind("prod", "AWS::Kinesis::Stream"))
    (redis,) = of_kind("prod", "AWS::ElastiCache::ReplicationGroup")
    (flink,) = of_kind("prod", "AWS::KinesisAnalyticsV2::Application")
    parallel = flink["ApplicationConfiguration"]["FlinkApplicationConfiguration"][
        "ParallelismConfiguration"
    ]

    assert prices["kinesis_shard"] == shards * HOURS
    assert prices[f"{redis['Engine']}_{redis['CacheNodeType']}"] == (
        redis["NumCacheClusters"] * HOURS
    )
    assert prices["flink_unit"] == (parallel["Parallelism"] / parallel["ParallelismPerKPU"] + 1) * (
        HOURS
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_bill_counts_the_database_s_disks(size: str) -> None:
    (instance,) = of_kind(size, "AWS::RDS::DBInstance")
    copies = 2 if instance["MultiAZ"] else 1

    assert billed(size)["postgres_disk"] == copies * int(instance["AllocatedStorage"])
    assert "gp3" == instance["StorageType"]
