"""The view of live bars, and the tables that servers share."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake.dynamodb_tables import BARS, CONNECTIONS, TICKS, TTL, TableKeys
from serving_layer.stream.registry import is_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_OLDEST: Final = (6, 2)
_FULL: Final = 0.85
_NOEVICTION: Final = "noeviction"


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the view; nothing where it is in the server's memory."""
    settings = patient.settings
    if settings.view == "redis" or settings.rate_store == "redis":
        yield Check("view.redis", lambda: redis(patient))
    for table in _tables(patient):
        name = table.under(settings.dynamodb_prefix)
        yield Check(f"view.{name}", lambda name=name: dynamodb_table(patient, name))  # type: ignore[misc]


def redis(patient: Patient) -> Iterator[Finding]:
    """Yield whether Redis answers, is new enough, and forgets nothing for want of room."""
    from speed_layer.views.redis_server import RedisServer  # noqa: PLC0415 - needs an extra

    server = RedisServer(patient.settings)
    with closing(server.client):
        told: dict[str, Any] = server.ask(server.client.info)
    version = tuple(int(part) for part in told["redis_version"].split(".")[:2])
    fact = f"Redis {told['redis_version']} answers."
    if version < _OLDEST:
        yield fail("view.redis", fact, f"Redis {'.'.join(map(str, _OLDEST))} or later is needed.")
    else:
        yield ok("view.redis", fact)
    yield _of_policy(told)
    if told.get("maxmemory"):
        yield _of_memory(told["used_memory"], told["maxmemory"])


def dynamodb_table(patient: Patient, name: str) -> Iterator[Finding]:
    """Yield whether a table can be used, and forgets what is past its time."""
    from lake.dynamodb import DynamoDBServer  # noqa: PLC0415 - needs an extra

    server, check = DynamoDBServer(patient.settings), f"view.{name}"
    with closing(server.client) as client:
        there = server.ask(lambda: client.describe_table(TableName=name))["Table"]
        expiry = server.ask(lambda: client.describe_time_to_live(TableName=name))
    told = expiry["TimeToLiveDescription"]
    expires = told["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}
    if there["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        yield fail(check, f"{name} is {there['TableStatus']}.", "wait until it is ACTIVE.")
    elif not expires or told.get("AttributeName") != TTL:
        yield warn(check, f"{name} never forgets: its TTL is off.", "fiblake view create.")
    else:
        yield ok(check, f"{name} is {there['TableStatus']}, and its items expire.")


def _tables(patient: Patient) -> Iterator[TableKeys]:
    settings = patient.settings
    if "dynamodb" in {settings.view, settings.view_fallback}:
        yield from (TICKS, BARS)
    if is_shared(settings):
        yield CONNECTIONS


def _of_policy(told: dict[str, Any]) -> Finding:
    check, policy = "view.eviction", told.get("maxmemory_policy", _NOEVICTION)
    if policy == _NOEVICTION:
        return ok(check, "Redis evicts nothing.")
    fact = f"Redis may evict bars when it is full: its maxmemory-policy is {policy}."
    hint = "redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration."
    if told.get("evicted_keys"):
        fact = f"Redis has evicted {told['evicted_keys']:,} keys: its policy is {policy}."
        return fail(check, fact, hint, runbook("redis-memory"))
    return warn(check, fact, hint, runbook("redis-memory"))


def _of_memory(used: int, most: int) -> Finding:
    share = used / most
    fact = f"Redis has used {share:.0%} of its {most // 2**20:,} MiB."
    if share < _FULL:
        return ok("view.memory", fact)
    return warn("view.memory", fact, "give it more, or lower FIBLAKE_VIEW_DAYS.", _MEMORY)


_MEMORY: Final = runbook("redis-memory")
