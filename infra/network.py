"""The network: subnets, ways out, and who may talk to whom on which port.

The feed, webhooks and the fetches go out to the internet, so private subnets need a NAT gateway in
any case: 33 USD a month, and 0.045 USD a GB. Interface endpoints for the nine services of AWS that
fiblake uses besides would be 15 USD a month each in two zones, 131 USD in all, to save cents of
traffic; Kinesis alone has some 1,000 GB a month and pays its endpoint back threefold (0.01 USD a GB
there). S3 and DynamoDB have gateway endpoints, which are free. A second gateway would be another
33 USD, and the zone that it would stand for holds the one feed there is every other time; see
`Size.nat_gateways`. In `dev` nothing is private: tasks have public addresses that nobody may call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

from infra.retention import kept_for, removal
from lake.services import API_PORT

if TYPE_CHECKING:
    from constructs import Construct

    from infra.size import Size

HTTP: Final = 80
HTTPS: Final = 443
REDIS: Final = 6379
POSTGRESQL: Final = 5432
NFS: Final = 2049
CLOUDFRONT: Final = "com.amazonaws.global.cloudfront.origin-facing"
_RANGE: Final = "10.20.0.0/16"


@dataclass(frozen=True, slots=True)
class Groups:
    """The security groups, one a role; who is in none of them reaches nothing.

    Attributes:
        services: Whatever runs fiblake: ECS's tasks, Batch's jobs, functions in the network.
        balancer: The load balancer of the API.
        redis: ElastiCache.
        database: PostgreSQL.
        files: EFS.
        endpoints: Interface endpoints of AWS's services.
    """

    services: ec2.SecurityGroup
    balancer: ec2.SecurityGroup
    redis: ec2.SecurityGroup
    database: ec2.SecurityGroup
    files: ec2.SecurityGroup
    endpoints: ec2.SecurityGroup


class NetworkStack(Stack):
    """The network.

    Attributes:
        vpc: With public subnets for balancers, `isolated` ones for what holds data and, in `prod`,
            private ones for all that runs.
        running: Which subnets that is: private ones, or public ones where there are none.
        holding: Those of what holds data.
        has_public_addresses: Whether what runs needs addresses of its own to reach the internet.
        groups: The security groups and, with them, all rules.
    """

    def __init__(self, scope: Construct, name: str, *, size: Size, **props: Any) -> None:  # noqa: ANN401 - the CDK's
        super().__init__(scope, name, **props)
        self.has_public_addresses = size.nat_gateways == 0
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(_RANGE),
            max_azs=size.zones,
            nat_gateways=size.nat_gateways,
            subnet_configuration=self._subnets(),
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDB": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
                ),
            },
        )
        self.running = ec2.SubnetSelection(
            subnet_type=ec2.SubnetType.PUBLIC
            if self.has_public_addresses
            else ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        self.holding = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self._log_flows(size)
        self.groups = self._groups()
        self._let_talk()
        if size.is_whole:
            self._reach_kinesis()
        self._tell()

    def _tell(self) -> None:
        subnets = self.vpc.select_subnets(subnet_type=self.running.subnet_type).subnet_ids
        for title, value, about in (
            ("RunningSubnets", ",".join(subnets), "For tasks that somebody starts"),
            ("ServicesGroup", self.groups.services.security_group_id, "And their security group"),
        ):
            CfnOutput(self, title, value=value, description=about)

    def _subnets(self) -> list[ec2.SubnetConfiguration]:
        kinds = [("public", ec2.SubnetType.PUBLIC), ("isolated", ec2.SubnetType.PRIVATE_ISOLATED)]
        if not self.has_public_addresses:
            kinds.append(("private", ec2.SubnetType.PRIVATE_WITH_EGRESS))
        return [
            ec2.SubnetConfiguration(
                name=name,
                subnet_type=kind,
                cidr_mask=20,
                # A task asks for an address itself; whatever else is put here gets none.
                map_public_ip_on_launch=False if kind is ec2.SubnetType.PUBLIC else None,
            )
            for name, kind in kinds
        ]

    def _log_flows(self, size: Size) -> None:
        group = logs.LogGroup(
            self,
            "Flows",
            retention=kept_for(size.log_days),
            removal_policy=removal(size),
        )
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )

    def _groups(self) -> Groups:
        return Groups(
            services=self._group("Services", "What runs fiblake"),
            balancer=self._group("Balancer", "The load balancer of the API"),
            redis=self._group("Redis", "ElastiCache"),
            database=self._group("Database", "PostgreSQL"),
            files=self._group("Files", "EFS"),
            endpoints=self._group("Endpoints", "Interface endpoints of AWS"),
        )

    def _group(self, name: str, about: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, name, vpc=self.vpc, description=about, allow_all_outbound=False
        )

    def _let_talk(self) -> None:
        """Say who may talk to whom: from, to, port, and both sides get a rule of it."""
        all_ = self.groups
        for asking, asked, port, what in (
            (all_.balancer, all_.services, API_PORT, "the API"),
            (all_.services, all_.redis, REDIS, "Redis, with TLS"),
            (all_.services, all_.database, POSTGRESQL, "PostgreSQL, with TLS"),
            (all_.services, all_.files, NFS, "EFS, with TLS"),
        ):
            asking.connections.allow_to(asked, ec2.Port.tcp(port), what)
        # Vendors, webhooks and AWS's own services: no range of addresses tells all of them.
        all_.services.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "the internet and AWS"
        )
        all_.endpoints.add_ingress_rule(all_.services, ec2.Port.tcp(HTTPS), "AWS's services")
        cloudfront = ec2.PrefixList.from_lookup(
            self, "CloudFront", prefix_list_name=CLOUDFRONT
        ).prefix_list_id
        # One rule for whichever port the balancer listens on: the list counts as 55 rules, and a
        # group may have 60. Where there is no domain, there is no certificate to show CloudFront.
        all_.balancer.add_ingress_rule(
            ec2.Peer.prefix_list(cloudfront), ec2.Port.tcp_range(HTTP, HTTPS), "CloudFront"
        )

    def _reach_kinesis(self) -> None:
        self.vpc.add_interface_endpoint(
            "Kinesis",
            service=ec2.InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
            subnets=self.running,
            security_groups=[self.groups.endpoints],
            open=False,
        )
