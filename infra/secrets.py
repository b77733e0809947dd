"""Secrets: settings that a person fills in, and Redis' password.

PostgreSQL's is made, kept and rotated by RDS itself; see `infra.database`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from infra.accepting import accept
from infra.retention import removal

if TYPE_CHECKING:
    from constructs import Construct

    from infra.size import Size

_PASSWORD_LENGTH: Final = 64


class SecretsStack(Stack):
    """Secrets.

    Attributes:
        key: That they are encrypted with.
        settings: Settings as JSON, as `{"FIBLAKE_MASSIVE_KEY": "..."}`: `FIBLAKE_SECRET` names it.
        redis: Redis' password, as it is, for `FIBLAKE_REDIS_PASSWORD`; none where Redis is not.
    """

    def __init__(self, scope: Construct, name: str, *, size: Size, **props: Any) -> None:  # noqa: ANN401 - the CDK's
        super().__init__(scope, name, **props)
        self._removal = removal(size)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Secrets of fiblake {size.name}",
            enable_key_rotation=True,
            removal_policy=self._removal,
        )
        self.settings = secretsmanager.Secret(
            self,
            "Settings",
            secret_name=f"fiblake-{size.name}/settings",
            description="Settings of fiblake that are secret, as JSON.",
            encryption_key=self.key,
            # Empty at first: what a person fills in later stays, as this does not change.
            secret_object_value={},
            removal_policy=self._removal,
        )
        accept(
            self.settings,
            "AwsSolutions-SMG4",
            "Keys of vendors are given out by them: a person rotates them, and no function could.",
        )
        self.redis = self._redis(size) if size.is_whole else None
        CfnOutput(
            self, "SettingsSecret", value=self.settings.secret_arn, description="FIBLAKE_SECRET"
        )

    def _redis(self, size: Size) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Redis",
            secret_name=f"fiblake-{size.name}/redis",
            description="The password of fiblake's Redis.",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=_PASSWORD_LENGTH, exclude_punctuation=True
            ),
            removal_policy=self._removal,
        )
        accept(
            secret,
            "AwsSolutions-SMG4",
            "Redis holds what can be told again alone, and answers to this network alone; its "
            "password is changed by a deployment.",
        )
        return secret
