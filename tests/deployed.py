"""Tables, topics, queues and streams in local servers, made from the synthesised templates.

moto's CloudFormation makes what it knows of a template. What it leaves out, tables' TTL, queues'
policies and topics' subscriptions, is asked of the services themselves, as the template says. Keys
of KMS are left out: nothing is encrypted there. Names that begin with `fiblake-prod-` begin with
a prefix of the test's own instead.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import boto3

from tests.moto_serially import REGION
from tests.parts import MotoServer
from tests.templates import Template, resources, templates

SIZE = "prod"
_ENCRYPTION = ("SSESpecification", "KmsMasterKeyId")
"""Of properties: that name keys."""


@dataclass(frozen=True, slots=True)
class DeployedTopic:
    """A topic and the queues behind it: ARN and URLs."""

    topic: str
    queue: str
    dead_letters: str


def deploy_tables(server: MotoServer, prefix: str) -> None:
    """Make the tables of DynamoDB whose names begin with a prefix."""
    template = _renamed(templates(SIZE)["storage"], prefix)
    _create(server, template, prefix, "AWS::DynamoDB::Table")
    with closing(_client(server, "dynamodb")) as client:
        for table in resources(template, "AWS::DynamoDB::Table").values():
            client.update_time_to_live(
                TableName=table["TableName"],
                TimeToLiveSpecification=table["TimeToLiveSpecification"],
            )


def deploy_topics(server: MotoServer, prefix: str) -> dict[str, DeployedTopic]:
    """Make the topics and the queues behind them; return them by `alerts` and `news`."""
    template = _renamed(templates(SIZE)["messaging"], prefix)
    made = _create(server, template, prefix, "AWS::SNS::Topic", "AWS::SQS::Queue")
    with closing(_client(server, "sqs")) as sqs, closing(_client(server, "sns")) as sns:
        for logical, told in resources(template, "AWS::SQS::Queue").items():
            # What moto's CloudFormation tells is the URL of AWS's own server.
            made[logical] = sqs.get_queue_url(QueueName=told["QueueName"])["QueueUrl"]
        arns = {name: _arn(sqs, url) for name, url in made.items() if url.startswith("http")}

        def resolved(value: Any) -> Any:
            """Return a value with what it refers to in place of references."""
            if isinstance(value, dict):
                if "Ref" in value:
                    return made[value["Ref"]]
                if "Fn::GetAtt" in value:
                    return arns[value["Fn::GetAtt"][0]]
                return {name: resolved(each) for name, each in value.items()}
            return [resolved(each) for each in value] if isinstance(value, list) else value

        for policy in resources(template, "AWS::SQS::QueuePolicy").values():
            allowed = {"Policy": json.dumps(resolved(policy["PolicyDocument"]))}
            for queue in resolved(policy["Queues"]):
                sqs.set_queue_attributes(QueueUrl=queue, Attributes=allowed)
        for each in resources(template, "AWS::SNS::Subscription").values():
            _subscribe(sns, resolved(each))
    queues = {url.rpartition("/")[2].removeprefix(prefix): url for url in made.values()}
    topics = [arn for arn in made.values() if arn.startswith("arn:")]
    by_kind = {arn.rpartition(":")[2].removeprefix(prefix): arn for arn in topics}
    return {
        kind: DeployedTopic(topic, queues[kind], queues[f"{kind}-dead"])
        for kind, topic in by_kind.items()
    }


def stream_properties(name: str) -> dict[str, Any]:
    """Return the properties of a stream, as `events`, in the template."""
    streams = resources(templates(SIZE)["storage"], "AWS::Kinesis::Stream").values()
    found = {each["Name"]: each for each in streams}
    told: dict[str, Any] = found[f"fiblake-{SIZE}-{name}"]
    return told


def _renamed(template: Template, prefix: str) -> Template:
    renamed: Template = json.loads(json.dumps(template).replace(f'"fiblake-{SIZE}-', f'"{prefix}'))
    return renamed


def _create(server: MotoServer, template: Template, prefix: str, *kinds: str) -> dict[str, str]:
    """Make a template's resources of some types; return their physical ids by logical ones."""
    wanted = {
        name: {
            "Type": kind,
            "Properties": {each: told[each] for each in told if each not in _ENCRYPTION},
        }
        for kind in kinds
        for name, told in resources(template, kind).items()
    }
    with closing(_client(server, "cloudformation")) as client:
        stack = f"{prefix.rstrip('-')}-stack"
        client.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": wanted}))
        told = client.describe_stack_resources(StackName=stack)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in told}


def _arn(sqs: Any, url: str) -> str:
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(told["Attributes"]["QueueArn"])


def _subscribe(sns: Any, told: dict[str, Any]) -> None:
    sns.subscribe(
        TopicArn=told["TopicArn"],
        Protocol=told["Protocol"],
        Endpoint=told["Endpoint"],
        Attributes={
            "RawMessageDelivery": str(told["RawMessageDelivery"]).lower(),
            "RedrivePolicy": json.dumps(told["RedrivePolicy"]),
        },
    )


def _client(server: MotoServer, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload] # any of them
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - the test's own
    )
