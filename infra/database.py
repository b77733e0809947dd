"""PostgreSQL for keys, alerts and their deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from infra.accepting import accept
from infra.network import POSTGRESQL
from infra.retention import log_group, removal

if TYPE_CHECKING:
    from constructs import Construct

    from infra.network import NetworkStack
    from infra.secrets import SecretsStack
    from infra.size import Size
    from infra.storage import StorageStack

NAME: Final = "fiblake"
_MAJOR: Final = "18"
_GROWS: Final = 4


class DatabaseStack(Stack):
    """PostgreSQL on RDS.

    RDS makes the password, keeps it in a secret and rotates it every seven days, with no function
    and no network of ours; fiblake asks that secret whenever PostgreSQL refuses a connection.

    Attributes:
        instance: The database.
        secret: JSON with `username` and `password`, for `FIBLAKE_DATABASE_SECRET`.
        url: Without either, for `FIBLAKE_DATABASE_URL`.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        size: Size,
        network: NetworkStack,
        storage: StorageStack,
        secrets: SecretsStack,
        **props: Any,  # noqa: ANN401 - the CDK's
    ) -> None:
        super().__init__(scope, name, **props)
        identifier = f"fiblake-{size.name}"
        said = log_group(
            self,
            "Log",
            called=f"/aws/rds/instance/{identifier}/postgresql",
            days=size.log_days,
        )
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=identifier,
            database_name=NAME,
            credentials=rds.Credentials.from_username(NAME, encryption_key=secrets.key),
            manage_master_user_password=True,
            storage_encrypted=True,
            storage_encryption_key=storage.key,
            cloudwatch_logs_exports=["postgresql"],
            **_place(network),
            **self._shape(size),
            **self._care(size),
        )
        self.instance.node.add_dependency(said)
        self.secret = self._secret(secrets)
        self.url = (
            f"postgresql://{self.instance.db_instance_endpoint_address}:{POSTGRESQL}/{NAME}"
            "?sslmode=require"
        )
        self._accept(size)
        self._tell()

    def _tell(self) -> None:
        for title, value, about in (
            ("DatabaseUrl", self.url, "FIBLAKE_DATABASE_URL"),
            ("DatabaseSecret", self.secret.secret_arn, "FIBLAKE_DATABASE_SECRET"),
        ):
            CfnOutput(self, title, value=value, description=about)

    def _shape(self, size: Size) -> dict[str, Any]:
        """Return what it runs on."""
        engine = rds.DatabaseInstanceEngine.postgres(
            version=rds.PostgresEngineVersion.of(_MAJOR, _MAJOR)
        )
        parameters = rds.ParameterGroup(
            self,
            "Parameters",
            engine=engine,
            description="TLS for all, and statements of a second and more in the log",
            parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
        )
        return {
            "engine": engine,
            "parameter_group": parameters,
            "ca_certificate": rds.CaCertificate.RDS_CA_RSA2048_G1,
            "instance_type": ec2.InstanceType(size.database_class),
            "multi_az": size.database_standby,
            "storage_type": rds.StorageType.GP3,
            "allocated_storage": size.database_gib,
            "max_allocated_storage": _GROWS * size.database_gib,
        }

    def _care(self, size: Size) -> dict[str, Any]:
        """Return how it is kept."""
        return {
            "backup_retention": Duration.days(size.backup_days),
            "preferred_backup_window": "06:00-06:30",  # while the exchange is closed
            "preferred_maintenance_window": "sun:07:00-sun:07:30",
            "copy_tags_to_snapshot": True,
            "delete_automated_backups": not size.keeps_data,
            "auto_minor_version_upgrade": True,
            "engine_lifecycle_support": (
                rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED
            ),
            "deletion_protection": size.keeps_data,
            "removal_policy": removal(size),
        }

    def _secret(self, secrets: SecretsStack) -> secretsmanager.ISecret:
        made = self.instance.node.default_child
        if not isinstance(made, rds.CfnDBInstance):
            msg = f"{made} is no instance of RDS."
            raise TypeError(msg)
        return secretsmanager.Secret.from_secret_attributes(
            self,
            "Secret",
            secret_complete_arn=made.attr_master_user_secret_secret_arn,
            encryption_key=secrets.key,
        )

    def _accept(self, size: Size) -> None:
        accept(
            self.instance,
            "AwsSolutions-RDS11",
            "No port hides a database: its security group lets in fiblake alone.",
        )
        if not size.keeps_data:
            accept(self.instance, "AwsSolutions-RDS3", "A system to try things out may be away.")
            accept(self.instance, "AwsSolutions-RDS10", "It is destroyed with its stack.")


def _place(network: NetworkStack) -> dict[str, Any]:
    """Return where it is: out of the internet's reach."""
    return {
        "vpc": network.vpc,
        "vpc_subnets": network.holding,
        "security_groups": [network.groups.database],
        "publicly_accessible": False,
    }
