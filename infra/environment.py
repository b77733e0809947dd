"""The one place that turns what is deployed into the settings of what runs there, `FIBLAKE_*`.

Settings that are secret are none of these: `FIBLAKE_SECRET` and `FIBLAKE_DATABASE_SECRET` name
where they are, and ECS itself reads Redis' password when it starts a task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.services import ALERTS, API, EMBEDDED, FEED, HEALTH_PORT, PUBLISHER
from lake.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BATCH: Final = "batch"
FETCH: Final = "fetch"
OPERATOR: Final = "operator"
"""A task that somebody starts for one command, as `fiblake db upgrade`."""
FEED_KIND: Final = str(Settings.model_fields["feed_kind"].default)
LATENESS_S: Final = int(Settings.model_fields["lateness_seconds"].default)
STATE: Final = "/var/lib/fiblake"
CACHE: Final = "/var/cache/fiblake"

Variables = dict[str, str]


@dataclass(frozen=True, slots=True)
class Resources:
    """What is deployed, as far as settings name it: names, addresses and ARNs.

    Attributes:
        region: Of all of it.
        lake: Its location.
        backups: Where backups go, likewise.
        secret: Of the settings that a person filled in.
        dynamodb_prefix: Of tables.
        database_url: Without user and password.
        database_secret: Which has these.
        alerts: The topic of alerts.
        news: The topic of news.
        proxies: Where the balancer's addresses are, as 10.20.0.0/16.
        events: The stream of events; None: all is one process.
        bars: The stream of bars, likewise.
        redis: Redis' host, likewise.
    """

    region: str
    lake: str
    backups: str
    secret: str
    dynamodb_prefix: str
    database_url: str
    database_secret: str
    alerts: str
    news: str
    proxies: str
    events: str | None = None
    bars: str | None = None
    redis: str | None = None


def environment(service: str, resources: Resources) -> Variables:
    """Return the environment of a service, of `BATCH`, of `FETCH` or of `OPERATOR`."""
    found: Variables = {
        "FIBLAKE_SERVICE": service,
        # CloudWatch takes what is measured from the log; a command that somebody runs tells none.
        "FIBLAKE_EMF": str(service != OPERATOR).lower(),
    }
    for part in _PARTS[service]:
        found |= part(resources)
    return found


def _lake(told: Resources) -> Variables:
    return {
        "FIBLAKE_LAKE": told.lake,
        "FIBLAKE_S3_REGION": told.region,
        "FIBLAKE_SECRET": told.secret,
        # On these the feed, the Flink job, and whoever corrects and reconciles must agree.
        "FIBLAKE_FEED_KIND": FEED_KIND,
        "FIBLAKE_LATENESS_SECONDS": str(LATENESS_S),
        "FIBLAKE_LOG_FORMAT": "json",
        "FIBLAKE_LOG_LEVEL": "info",
        # Not a setting of ours: AWS's own library looks for its region here.
        "AWS_DEFAULT_REGION": told.region,
    }


def _runs(_: Resources) -> Variables:
    """Return what a service is told that runs for as long as the system does."""
    return {
        # Asked by the container's own health check alone.
        "FIBLAKE_HEALTH_HOST": "127.0.0.1",
        "FIBLAKE_HEALTH_PORT": str(HEALTH_PORT),
        "FIBLAKE_STATE": STATE,
        "FIBLAKE_CACHE": CACHE,
    }


def _streams(told: Resources) -> Variables:
    return {
        "FIBLAKE_STREAM": "kinesis",
        "FIBLAKE_KINESIS_EVENTS": _there(told.events),
        "FIBLAKE_KINESIS_BARS": _there(told.bars),
        "FIBLAKE_KINESIS_REGION": told.region,
    }


def _view(told: Resources) -> Variables:
    return {
        # Without FIBLAKE_VIEW_FALLBACK: nobody fills another view here, and one that is empty
        # would answer as if there were no live bars.
        "FIBLAKE_VIEW": "redis",
        "FIBLAKE_REDIS_URL": f"rediss://{_there(told.redis)}:6379/0",
    }


def _connections(told: Resources) -> Variables:
    return {
        "FIBLAKE_CONNECTIONS_STORE": "dynamodb",
        "FIBLAKE_DYNAMODB_PREFIX": told.dynamodb_prefix,
    }


def _database(told: Resources) -> Variables:
    return {
        "FIBLAKE_DATABASE_URL": told.database_url,
        "FIBLAKE_DATABASE_SECRET": told.database_secret,
    }


def _backups(told: Resources) -> Variables:
    return {"FIBLAKE_BACKUPS": told.backups}


def _notes(told: Resources) -> Variables:
    return {"FIBLAKE_SNS_ALERTS": told.alerts, "FIBLAKE_SNS_NEWS": told.news}


def _serves(told: Resources) -> Variables:
    return {"FIBLAKE_FORWARDED_ALLOW_IPS": told.proxies}


def _there(value: str | None) -> str:
    if value is None:
        msg = "streams and Redis are only where services are processes of their own"
        raise ValueError(msg)
    return value


_PARTS: Final[Mapping[str, tuple[Callable[[Resources], Variables], ...]]] = {
    FEED.name: (_lake, _runs, _streams),
    PUBLISHER.name: (_lake, _runs, _streams, _view),
    ALERTS.name: (_lake, _runs, _streams, _view, _database, _notes),
    API.name: (_lake, _runs, _view, _connections, _database, _notes, _serves),
    EMBEDDED.name: (_lake, _runs, _database, _notes, _serves),
    BATCH: (_lake, _database, _backups),
    FETCH: (_lake,),
    OPERATOR: (_lake, _database, _backups),
}
