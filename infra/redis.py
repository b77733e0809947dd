"""ElastiCache for the realtime view, and for counting requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_elasticache as elasticache
from constructs import Construct

from infra.accepting import accept

if TYPE_CHECKING:
    from infra.capacity import Capacity
    from infra.network import NetworkStack
    from infra.secrets import SecretsStack
    from infra.size import Size
    from infra.storage import StorageStack

ENGINE: Final = ("valkey", "8.0")
"""Valkey: Redis' protocol and scripts, and a fifth cheaper than it on ElastiCache."""


class Redis(Construct):
    """A primary and its replicas, each in a zone of its own; what it lost is told again.

    Attributes:
        group: The replication group.
        address: Of the primary, whoever that is.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        capacity: Capacity,
        network: NetworkStack,
        storage: StorageStack,
        secrets: SecretsStack,
    ) -> None:
        super().__init__(scope, name)
        if secrets.redis is None or capacity.redis_node is None:
            msg = f"{size.name} has no Redis"
            raise ValueError(msg)
        engine, version = ENGINE
        several = capacity.redis_nodes > 1
        self.group = elasticache.CfnReplicationGroup(
            self,
            "Group",
            replication_group_id=f"fiblake-{size.name}",
            replication_group_description="The realtime view of fiblake",
            engine=engine,
            engine_version=version,
            cache_node_type=capacity.redis_node,
            num_cache_clusters=capacity.redis_nodes,
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            at_rest_encryption_enabled=True,
            kms_key_id=storage.key.key_id,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            # Resolved by CloudFormation when it deploys: the template names the secret alone.
            auth_token=secrets.redis.secret_value.unsafe_unwrap(),
            cache_subnet_group_name=self._subnets(network).ref,
            cache_parameter_group_name=self._parameters().ref,
            security_group_ids=[network.groups.redis.security_group_id],
            auto_minor_version_upgrade=True,
            preferred_maintenance_window="sun:07:30-sun:08:30",
        )
        accept(
            self.group,
            "AwsSolutions-AEC5",
            "No port hides it: its security group lets in fiblake alone, with TLS and a password.",
        )
        self.address: str = self.group.attr_primary_end_point_address

    def _subnets(self, network: NetworkStack) -> elasticache.CfnSubnetGroup:
        chosen = network.vpc.select_subnets(subnet_type=network.holding.subnet_type)
        return elasticache.CfnSubnetGroup(
            self, "Subnets", description="Where Redis is", subnet_ids=chosen.subnet_ids
        )

    def _parameters(self) -> elasticache.CfnParameterGroup:
        engine, version = ENGINE
        return elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family=f"{engine}{version.partition('.')[0]}",
            description="Full, it refuses, and a bar is told again; it forgets none by itself",
            properties={"maxmemory-policy": "noeviction"},
        )
