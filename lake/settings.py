"""Settings: the one place where the environment is read.

Each field is read from `FIBLAKE_<NAME>`. Only entry points build `Settings`; all else is handed it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lake.errors import InvalidLocationError, MisuseError

_PREFIX: Final = "FIBLAKE_"


class Settings(BaseSettings):
    """What a user may set; secrets are masked in `repr`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    lake: str = Field(default="data", min_length=1, description="A folder or s3://bucket/prefix.")
    settling_minutes: int = Field(
        default=15, ge=0, description="Minutes after its close before a session's bars are taken."
    )
    history_days: int | None = Field(
        default=None,
        ge=0,
        le=36_500,
        description="Days for which compact keeps what was replaced; all.",
    )
    s3_endpoint: str | None = Field(default=None, description="URL of an S3 server not AWS's.")
    s3_region: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)
    ] = "warning"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(str.lower)] = "console"


def read_settings(*, lake: str | None = None) -> Settings:
    """Return the settings of the environment, with `lake` instead of its own where given.

    Raises:
        InvalidLocationError: If `lake` is empty.
        MisuseError: If a variable has a value it cannot have.
    """
    if lake == "":
        fact = "'' is not a lake's location. Allowed: a folder or s3://bucket/prefix."
        raise InvalidLocationError(fact)
    try:
        return Settings() if lake is None else Settings(lake=lake)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        fact = f"{_PREFIX}{name.upper()}={first['input']!r} cannot be: {first['msg']}."
        raise MisuseError(fact) from None
