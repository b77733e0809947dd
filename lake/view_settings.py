"""Settings of the view of live bars: where it is, and how it is asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from lake.setting_values import RedisPassword, RedisUrl, lower, with_password


class ViewSettings(BaseSettings):
    """What a user may set of it; a part of `lake.settings.Settings`."""

    view: Annotated[Literal["memory", "redis", "dynamodb"], BeforeValidator(str.lower)] = Field(
        default="memory", description="Where live bars are held."
    )
    view_fallback: Annotated[Literal["dynamodb"] | None, BeforeValidator(lower)] = Field(
        default=None, description="The view that answers while that does not."
    )
    view_days: int = Field(
        default=7, ge=1, le=365, description="For which live bars stay, if batch covers them not."
    )
    redis_url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Where Redis is, user and password included; rediss:// with TLS.",
    )
    redis_password: RedisPassword | None = Field(
        default=None, description="Of Redis, where its URL has none."
    )
    redis_prefix: str = Field(
        default="fiblake",
        pattern=r"^[A-Za-z0-9_.:{}-]+$",
        description="What all keys in Redis begin with.",
    )
    redis_attempts: int = Field(
        default=10, ge=1, description="How often Redis is asked before it is given up on."
    )
    redis_timeout_seconds: float = Field(
        default=10, gt=0, description="Seconds of silence that count as a break."
    )
    redis_retry_ms: int = Field(
        default=100, ge=0, description="Up to how long the first pause is; the next, twice that."
    )
    dynamodb_prefix: str = Field(
        default="fiblake-",
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="What the names of all tables begin with.",
    )
    dynamodb_workers: int = Field(
        default=16, ge=1, le=256, description="How many bars are written at once."
    )
    dynamodb_attempts: int = Field(
        default=8, ge=1, description="How often DynamoDB is asked before it is given up on."
    )
    dynamodb_timeout_seconds: float = Field(
        default=10, gt=0, description="Seconds of silence that count as a break."
    )
    dynamodb_retry_ms: int = Field(
        default=50, ge=0, description="Up to how long the first pause is; the next, twice that."
    )

    @property
    def redis_address(self) -> str:
        """The URL of Redis, and the password in it."""
        return with_password(self.redis_url, self.redis_password)
