"""Settings: the one place where the environment is read.

Each field is read from `FIBLAKE_<NAME>`; what that does not tell, from the secret that
`FIBLAKE_SECRET` names. Only entry points build `Settings`; all else is handed it. What a platform
tells the processes that it runs is read in `lake.surroundings`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsConfigDict

from lake.errors import InvalidLocationError, MisuseError
from lake.secrets import read_secret
from lake.setting_values import (
    DatabaseSecret,
    DatabaseUrl,
    Networks,
    Proxies,
    SocketUrl,
    TokenSecret,
    Topic,
    Url,
    lower,
    refused,
)
from lake.view_settings import ViewSettings

_PREFIX: Final = "FIBLAKE_"


class Settings(ViewSettings):
    """What a user may set; secrets are masked in `repr`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    secret: str | None = Field(
        default=None,
        min_length=1,
        description="A secret of Secrets Manager that holds settings as JSON: its name or ARN.",
    )
    lake: str = Field(default="data", min_length=1, description="A folder or s3://bucket/prefix.")
    backups: str | None = Field(
        default=None, min_length=1, description="A folder or s3://bucket/prefix; beside the lake."
    )
    settling_minutes: int = Field(
        default=15, ge=0, description="Minutes after a session's close before its bars are taken."
    )
    history_days: int | None = Field(
        default=None,
        ge=0,
        le=36_500,
        description="Days for which fiblake compact keeps what was replaced; none: all.",
    )
    cache: str = Field(
        default="~/.cache/fiblake",
        min_length=1,
        description="The folder of local copies of silver; off: there are none.",
    )
    s3_endpoint: str | None = Field(
        default=None, description="URL of a server like S3; none: AWS's own."
    )
    s3_region: str | None = Field(
        default=None, description="AWS's region of S3; none: as AWS's tools find it."
    )
    s3_access_key_id: str | None = Field(
        default=None, description="With its secret; none: what AWS's tools find."
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Of that access key.")
    batch_queue: str | None = Field(default=None, description="AWS Batch's queue: name or ARN.")
    batch_definition: str | None = Field(
        default=None, description="AWS Batch's definition of the job: name or ARN."
    )
    batch_attempts: int = Field(
        default=3, ge=1, le=10, description="How often each child of a job is tried."
    )
    batch_timeout_minutes: int = Field(
        default=120, ge=1, description="After which an attempt of a child is ended."
    )
    s3_attempts: int = Field(
        default=8, ge=1, description="How often S3 is asked before it is given up on."
    )
    s3_timeout_seconds: float = Field(
        default=30, gt=0, description="Seconds of silence that count as a break."
    )
    s3_retry_ms: int = Field(
        default=200, ge=0, description="Up to how long the first pause is; the next, twice that."
    )
    s3_part_mib: int = Field(
        default=16, ge=5, le=5120, description="Larger objects are uploaded in parts of this size."
    )
    massive_url: Url = Field(
        default="https://api.massive.com", description="Where Massive's REST API is."
    )
    massive_key: SecretStr | None = Field(default=None, description="Massive's API key.")
    massive_calls_per_minute: float = Field(
        default=5,
        gt=0,
        description="Requests that all workers make together; the free plan allows 5.",
    )
    massive_attempts: int = Field(
        default=8, ge=1, description="How often Massive is asked before it is given up on."
    )
    massive_retry_ms: int = Field(
        default=1000, ge=0, description="Up to how long the first pause is; the next, twice that."
    )
    flatfiles_endpoint: Url = Field(
        default="https://files.massive.com", description="Where Massive's flat files are."
    )
    flatfiles_bucket: str = Field(
        default="flatfiles", min_length=1, description="The bucket of Massive's flat files."
    )
    flatfiles_access_key_id: str | None = Field(
        default=None, description="Of Massive's flat files, with its secret."
    )
    flatfiles_secret_access_key: SecretStr | None = Field(
        default=None, description="Of that access key."
    )
    stream: Annotated[Literal["memory", "kinesis"], BeforeValidator(str.lower)] = Field(
        default="memory", description="How events reach the engine: in this process, or by Kinesis."
    )
    kinesis_events: str = Field(
        default="fiblake-events", min_length=1, description="The stream of events."
    )
    kinesis_bars: str = Field(
        default="fiblake-bars", min_length=1, description="The stream of bars and prices."
    )
    kinesis_endpoint: str | None = Field(
        default=None, description="URL of a server like Kinesis; none: AWS's own."
    )
    kinesis_region: str | None = Field(
        default=None, description="AWS's region of Kinesis; none: as AWS's tools find it."
    )
    kinesis_access_key_id: str | None = Field(
        default=None, description="With its secret; none: what AWS's tools find."
    )
    kinesis_secret_access_key: SecretStr | None = Field(
        default=None, description="Of that access key."
    )
    kinesis_attempts: int = Field(
        default=8, ge=1, description="How often Kinesis is asked before it is given up on."
    )
    kinesis_retry_ms: int = Field(
        default=100, ge=0, description="Up to how long the first pause is; the next, twice that."
    )
    kinesis_per_symbol: int = Field(
        default=1,
        ge=1,
        le=500,
        description="Events of a symbol in one request; 1: in order whatever fails.",
    )
    fetch_workers: int = Field(
        default=8, ge=1, le=64, description="How many answers are fetched at once."
    )
    massive_socket: SocketUrl = Field(
        default="wss://socket.massive.com", description="Where Massive's WebSocket is."
    )
    massive_reader: Literal["official", "own"] = Field(
        default="official", description="Who reads the socket: Massive's own client, or fiblake."
    )
    feed_kind: Literal["trade", "second", "minute"] = Field(
        default="trade", description="What the live feed subscribes to."
    )
    feed_symbols: str = Field(
        default="*", description="Of which symbols: * for all, or as AAPL,MSFT."
    )
    state: str = Field(
        default="~/.local/state/fiblake",
        min_length=1,
        description="The folder of what must outlast a kill: spools, snapshots, keys.",
    )
    lateness_seconds: int = Field(
        default=900, ge=0, le=86_400, description="How long after its end a live bar may change."
    )
    alert_grace_seconds: float = Field(
        default=5, ge=0, le=900, description="How long after its end alerts wait for a bar."
    )
    feed_land_seconds: float = Field(
        default=30, gt=0, description="After how long what is recorded goes to the lake."
    )
    feed_land_mib: int = Field(default=8, ge=1, le=1024, description="Or after how many MiB of it.")
    feed_queue: int = Field(
        default=200_000, ge=1, description="How many events may wait between socket and stream."
    )
    feed_shed: bool = Field(
        default=False, description="Whether events are given up when more come; each is counted."
    )
    feed_skew_seconds: float = Field(
        default=60, ge=0, description="How far ahead of its receipt an event may be stamped."
    )
    feed_fill_hours: float = Field(
        default=96, gt=0, description="How far back what was missed is asked of REST."
    )
    health_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Of a service's /health and /metrics; none: no endpoint.",
    )
    health_host: str = Field(
        default="127.0.0.1", min_length=1, description="The address that they are on."
    )
    database_url: DatabaseUrl | None = Field(
        default=None,
        description="Of PostgreSQL, user and password included; none: SQLite in FIBLAKE_STATE.",
    )
    database_secret: DatabaseSecret | None = Field(
        default=None,
        min_length=1,
        description="The secret with PostgreSQL's username and password, which may be rotated.",
    )
    key: SecretStr | None = Field(
        default=None, description="The API key that a Client shows to a fiblake server."
    )
    token_secret: TokenSecret | None = Field(
        default=None,
        description="The secret that tokens are signed with; none: one kept in the database.",
    )
    keys_grace_seconds: float = Field(
        default=300, ge=0, description="How long keys read lately hold while the database is away."
    )
    rate_store: Annotated[Literal["memory", "redis"], BeforeValidator(str.lower)] | None = Field(
        default=None, description="Where requests are counted; none: redis where the view is."
    )
    rate_key_per_second: float = Field(
        default=500,
        gt=0,
        description="Requests a second of a key that are answered in the long run.",
    )
    rate_key_burst: int = Field(default=2_000, ge=1, description="Requests of a key at once.")
    rate_address_per_second: float = Field(
        default=1_000, gt=0, description="Requests a second of an address, whatever keys it shows."
    )
    rate_address_burst: int = Field(
        default=4_000, ge=1, description="Requests of an address at once."
    )
    connections_store: Annotated[Literal["memory", "dynamodb"] | None, BeforeValidator(lower)] = (
        Field(
            default=None,
            description="Where streams are counted; none: dynamodb where a view is in it.",
        )
    )
    connections_per_key: int = Field(
        default=20, ge=1, le=10_000, description="Streams of a key that may be open at once."
    )
    connections_per_address: int = Field(
        default=100, ge=1, le=10_000, description="Or of an address, where no key is asked for."
    )
    channels_per_connection: int = Field(
        default=1_000, ge=1, le=100_000, description="That a stream may be subscribed to."
    )
    alerts_per_owner: int = Field(
        default=1_000, ge=1, le=1_000_000, description="That the keys of one owner may keep."
    )
    cors_origins: str = Field(
        default="", description="Whose pages may ask from a browser, as https://a.com,https://b.com"
    )
    forwarded_allow_ips: Proxies = Field(
        default="", description="Proxies whose X-Forwarded-For is believed: 10.0.0.5,10.1.0.0/16."
    )
    max_body_kib: int = Field(default=1024, ge=1, description="The largest body of a request.")
    max_query_bytes: int = Field(
        default=16_384, ge=256, description="The longest URL of a request."
    )
    sns_alerts: Topic | None = Field(
        default=None, description="The topic of alerts: its ARN; none: none is told to SNS."
    )
    sns_news: Topic | None = Field(default=None, description="The topic of news, likewise.")
    sns_endpoint: str | None = Field(
        default=None, description="URL of a server not AWS's, of SNS and of SQS."
    )
    sns_region: str | None = Field(default=None, description="None: that of a topic's ARN.")
    sns_access_key_id: str | None = Field(
        default=None, description="With its secret; none: what AWS's tools find."
    )
    sns_secret_access_key: SecretStr | None = Field(default=None, description="Of that access key.")
    webhook_allow: Networks = Field(
        default="",
        description="Networks that webhooks may be in though they are not public: 10.0.0.0/8.",
    )
    delivery_timeout_seconds: float = Field(
        default=15, gt=0, le=300, description="Of one attempt to deliver, all in all."
    )
    delivery_attempts: int = Field(
        default=15, ge=1, description="How often a delivery is tried before it is dead."
    )
    delivery_retry_seconds: float = Field(
        default=5, ge=0, description="Up to how long the first pause is; the next, twice that."
    )
    delivery_longest_retry_seconds: float = Field(
        default=14_400, ge=0, description="Of a pause, and of one that a receiver asks for."
    )
    delivery_at_once: int = Field(
        default=256, ge=1, le=4096, description="Webhooks that are told at once."
    )
    delivery_per_destination: int = Field(
        default=8, ge=1, le=256, description="Of them, to one destination."
    )
    destinations_per_owner: int = Field(
        default=50, ge=1, description="Webhooks that an owner may have."
    )
    notifications_days: int = Field(
        default=90, ge=1, le=36_500, description="How long what was told is kept."
    )
    service: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_-]{0,63}$",
        description="Its name in logs and in CloudWatch; None: as its command is called.",
    )
    emf: bool = Field(
        default=False, description="Whether metrics are logged for CloudWatch, in its format."
    )
    trace_one_in: int = Field(
        default=0, ge=0, le=10**9, description="Of so many prices one is followed in logs; 0: none."
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)
    ] = Field(default="warning", description="From which level on what happens is logged.")
    log_format: Annotated[Literal["console", "json"], BeforeValidator(str.lower)] = Field(
        default="console", description="Of the log, on standard error."
    )


def read_settings(*, lake: str | None = None) -> Settings:
    """Return the settings of the environment, with `lake` instead of its own where given.

    Raises:
        InvalidLocationError: If `lake` is empty.
        MisuseError: If a variable has a value it cannot have, or the secret holds no settings.
        SecretError: If the secret that is named cannot be read.
    """
    if lake == "":
        fact = "'' is not a lake's location. Allowed: a folder or s3://bucket/prefix."
        raise InvalidLocationError(fact)
    here = EnvSettingsSource(Settings)()
    given = {} if lake is None else {"lake": lake}
    kept = _secret_settings(here["secret"], set(here) | set(given)) if here.get("secret") else {}
    try:
        return Settings.model_validate(kept | given)
    except ValidationError as error:
        raise refused(_PREFIX, error, hidden=_SECRETS | set(kept)) from None


def _secret_settings(name: str, said: set[str]) -> dict[str, object]:
    """Return the settings that a secret holds, but those that are said elsewhere."""
    held = read_secret(name)
    known = {f"{_PREFIX}{field.upper()}": field for field in Settings.model_fields}
    for unknown in held.keys() - (known.keys() - {f"{_PREFIX}SECRET"}):
        fact = f"The secret {name} has {unknown!r}, which is no setting that may be in it."
        raise MisuseError(fact, hint='it holds JSON as {"FIBLAKE_MASSIVE_KEY": "..."}.')
    return {known[each]: value for each, value in held.items() if known[each] not in said}


_SECRETS: Final = {
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
}
