"""What AWS Batch and the CDK tell the processes that they run, by their environment."""

from __future__ import annotations

from typing import Final

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lake.setting_values import refused

_BATCH_PREFIX: Final = "AWS_BATCH_"


class BatchChild(BaseSettings):
    """What AWS Batch tells the container of a job; of a job without children, no array.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """

    model_config = SettingsConfigDict(env_prefix=_BATCH_PREFIX, frozen=True)

    job_id: str | None = None
    job_attempt: int = Field(default=1, description="From 1.")
    job_array_index: int | None = Field(default=None, description="Of this child, from 0.")
    job_array_size: int | None = Field(default=None, description="How many children there are.")


def read_batch_child() -> BatchChild:
    """Return what AWS Batch told this container.

    Raises:
        MisuseError: If a variable has a value it cannot have.
    """
    try:
        return BatchChild()
    except ValidationError as error:
        raise refused(_BATCH_PREFIX, error) from None


class CdkDefaults(BaseSettings):
    """What the CDK's command knows of the credentials that it runs with."""

    model_config = SettingsConfigDict(env_prefix="CDK_DEFAULT_", frozen=True)

    account: str | None = None
    region: str | None = None


def read_cdk_defaults() -> CdkDefaults:
    """Return what the CDK's command told this process."""
    return CdkDefaults()
