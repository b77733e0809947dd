"""What of a system is paid for, and how much of it there is in a month.

The figures are those that the stacks are made of (`Size`, `Capacity`, the table of alarms, the
catalogue of metrics) and, where it depends on it, the month's use.

Units: GB are 10^9 bytes; an hour counts 730 times a month.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.alarms import ALARMS, TOGETHER
from infra.alarms.watched import numbers_watched
from infra.metrics_told import metrics_told
from infra.usage import HOURS, REGULAR_S, SESSIONS
from lake.dynamodb_tables import TABLES
from lake.services import API, EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.alarms import Resource
    from infra.capacity import Capacity
    from infra.size import Size
    from infra.usage import Usage

_EVENT_B: Final = 230
"""Of a trade as a line of JSON (`lake/wire.py`)."""
_ROW_B: Final = 330
"""Of a bar as a line of JSON (`lake/live_wire.py`)."""
_LANDED_B: Final = 25
"""Of a trade in `landing`, gzipped, its coverage included."""
_BRONZE_B: Final = 12
"""Of a trade in `bronze/trades`, Parquet."""
_EMF_B: Final = 6_000
"""Of what a service tells of itself each minute, its other lines included."""
_REQUEST_B: Final = 400
"""Of what is logged of a request: by the API, the balancer and CloudFront."""
_ZIPPED: Final = 0.15
"""Of what logs take, what is paid for as kept."""
_IMAGES_GB: Final = 0.4
"""Of a container's image."""
_DAYS_A_MONTH: Final = 30.4
_SECRETS: Final = 3
"""A person's settings, RDS's password, what CloudFront shows the balancer; Redis' comes to it."""
_KEYS: Final = 3
"""Of what is stored, of secrets, of messages."""
_WAF_RULES: Final = 4
"""A rate of each address, and three groups of AWS's own."""
_SCALED_BY: Final = 3
"""What autoscaling looks at: processor, requests, streams."""
_FETCHERS: Final = 4
_DEAD_LETTERS: Final = 3
_ZONES_OF_BALANCER: Final = 2


@dataclass(frozen=True, slots=True)
class Charge:
    """One thing that is paid for.

    Attributes:
        group: What it belongs to.
        what: It, in some words.
        price: Its name in the list of prices.
        quantity: How much of it, in that price's unit, before what is free.
    """

    group: str
    what: str
    price: str
    quantity: float


@dataclass(frozen=True, slots=True)
class System:
    """What is reckoned: a system of a size, and a month's use of it."""

    size: Size
    capacity: Capacity
    usage: Usage

    @property
    def api_tasks(self) -> int:
        """How many tasks serve, after autoscaling."""
        wanted = math.ceil(self.usage.subscribers / self.capacity.api_connections)
        return min(self.capacity.api_most, max(self.capacity.api_least, wanted))

    @property
    def tasks(self) -> Iterator[tuple[str, int, float, float]]:
        """Yield of each service its name, its tasks, and of each task cores and GB."""
        for name, task in self.capacity.services.items():
            count = self.api_tasks if name in {API.name, EMBEDDED.name} else 1
            yield name, count, task.cpu / 1024, task.memory_mib / 1024

    @property
    def resources(self) -> Mapping[Resource, int]:
        """How many there are of what alarms watch."""
        return {
            "account": 1,
            "balancer": 1,
            "targets": 1,
            "chain": 1,
            "database": 1,
            "engine": 1,
            "functions": _FETCHERS,
            "nodes": self.capacity.redis_nodes,
            "queues": _DEAD_LETTERS,
            "services": len(self.capacity.services),
            "streams": 2 if self.size.is_whole else 0,
            "tables": len(TABLES),
        }


def charges(system: System) -> Iterator[Charge]:
    """Yield all that is paid for."""
    yield from _running(system)
    if system.size.is_whole:
        yield from _streaming(system)
    yield from _database(system)
    yield from _lake(system)
    yield from _batch(system)
    yield from _telling(system)
    yield from _serving(system)
    yield from _network(system)
    yield from _watching(system)
    yield Charge("secrets and keys", "secrets", "secret", _SECRETS + system.size.is_whole)
    yield Charge("secrets and keys", "keys of KMS", "key", _KEYS)
    yield Charge("secrets and keys", "requests to KMS, 10,000", "key_requests", 30)


def _running(system: System) -> Iterator[Charge]:
    for name, count, cores, gib in system.tasks:
        what = f"{name}: {count} x"
        yield Charge("services", f"{what} {cores:g} vCPU", "fargate_vcpu", count * cores * HOURS)
        yield Charge("services", f"{what} {gib:g} GB", "fargate_gb", count * gib * HOURS)
    # What the feed records waits on EFS until it is in the lake; so it is all written there once.
    written = system.usage.events * _EVENT_B / 1e9
    yield Charge("files", "the feed's spool, written", "efs_written", written)
    yield Charge("files", "state that is kept", "efs_stored", 2)
    images = (len(system.capacity.services) + 2) * _IMAGES_GB * 3
    yield Charge("images", "of containers, three versions", "ecr_stored", images)


def _streaming(system: System) -> Iterator[Charge]:
    size, capacity, usage = system.size, system.capacity, system.usage
    for name, shards, records in (
        ("events", size.event_shards, usage.events),
        ("bars", size.bar_shards, usage.rows),
    ):
        hours = shards * HOURS
        yield Charge("streams", f"{name}: {shards} shards", "kinesis_shard", hours)
        if size.stream_hours > 24:  # noqa: PLR2004 - a day is in the price
            what = f"{name}: kept for {size.stream_hours} h"
            yield Charge("streams", what, "kinesis_kept", hours)
        yield Charge("streams", f"{name}: records, million", "kinesis_put", records / 1e6)
    if capacity.flink is not None:
        units = math.ceil(capacity.flink.parallelism / capacity.flink.per_unit)
        what = f"{units} units, and one that leads them"
        yield Charge("stream engine", what, "flink_unit", (units + 1) * HOURS)
        yield Charge("stream engine", "50 GB a unit", "flink_storage", units * 50)
    if capacity.redis_node is not None:
        name = f"valkey_{capacity.redis_node}"
        what = f"{capacity.redis_nodes} x {capacity.redis_node}"
        yield Charge("Redis", what, name, capacity.redis_nodes * HOURS)


def _database(system: System) -> Iterator[Charge]:
    size = system.size
    copies = 2 if size.database_standby else 1
    name = f"postgres_{size.database_class}"
    what = f"{copies} x db.{size.database_class}"
    yield Charge("PostgreSQL", what, name, copies * HOURS)
    disk = copies * size.database_gib
    yield Charge("PostgreSQL", f"{copies} x {size.database_gib} GB", "postgres_disk", disk)


def _lake(system: System) -> Iterator[Charge]:
    """Yield the lake: landing is infrequent after a month, and in Glacier after three."""
    usage = system.usage
    landed, bronze = (usage.events * each / 1e9 for each in (_LANDED_B, _BRONZE_B))
    months = usage.recorded_months
    standard = min(months, 1) * landed + months * bronze + usage.bars_gb
    standard *= 1.1  # versions that were replaced
    infrequent = max(0.0, min(months, 3) - 1) * landed
    yield Charge("lake", "stored", "s3_standard", standard)
    yield Charge("lake", "landing of the last 3 months", "s3_infrequent", infrequent)
    yield Charge("lake", "landing before", "s3_glacier", max(0.0, months - 3) * landed)
    # Of events and of their coverage an object each half minute, 16 hours a session; and silver.
    puts = SESSIONS * (16 * 120 * 2 + 200)
    yield Charge("lake", "writes, thousand", "s3_put", puts / 1e3)
    yield Charge("lake", "reads, thousand", "s3_get", 10 * puts / 1e3)
    yield Charge("lake", "scanned by Athena, TB", "athena", usage.scanned_gb / 1e3)


def _batch(system: System) -> Iterator[Charge]:
    """Yield jobs and functions: a resampling of ten minutes, and an hour of small jobs a session.

    As if Spot had none to give, which it has at some 70 % less.
    """
    capacity = system.capacity
    cores, gib = capacity.job.cpu / 1024, capacity.job.memory_mib / 1024
    hours = SESSIONS * (capacity.shares / 6 + 1)
    yield Charge("jobs", f"children of {cores:g} vCPU", "fargate_vcpu", hours * cores)
    yield Charge("jobs", f"children of {gib:g} GB", "fargate_gb", hours * gib)
    seconds = SESSIONS * 1_800
    used = seconds * capacity.function_mib / 1024
    yield Charge("functions that fetch", "half an hour a session", "lambda_compute", used)
    yield Charge("jobs", "steps of the daily chain", "step_functions", SESSIONS * 60)


def _telling(system: System) -> Iterator[Charge]:
    usage = system.usage
    published = usage.notifications / 1e6
    yield Charge("topics and queues", "published, million", "sns_published", published)
    # Each is put, taken and deleted; an empty queue that is polled for 20 s: 130,000 a month.
    asked = 3 * published + 0.13 * 2
    yield Charge("topics and queues", "requests to queues, million", "sqs_requests", asked)
    if system.size.is_whole:
        # A process says each 10 s that it lives; a stream costs some 4 writes a session.
        lives = system.api_tasks * HOURS * 360
        writes = (lives + 4 * usage.subscribers * SESSIONS) / 1e6
        yield Charge("DynamoDB", "writes, million", "dynamodb_write", writes)
        yield Charge("DynamoDB", "reads, million", "dynamodb_read", writes)
    yield Charge("DynamoDB", "stored", "dynamodb_stored", 1)
    yield Charge("DynamoDB", "kept for recovery", "dynamodb_recovery", 1)


def _serving(system: System) -> Iterator[Charge]:
    usage = system.usage
    yield Charge("load balancer", "one", "balancer", HOURS)
    # A unit is 1 GB an hour, or 3,000 connections, whichever is more.
    out = usage.stream_gb + usage.answers_gb
    open_hours = SESSIONS * REGULAR_S / 3600
    units = max(out / HOURS, usage.subscribers / 3_000 * open_hours / HOURS)
    yield Charge("load balancer", "units", "balancer_unit", units * HOURS)
    yield Charge("CDN", "to users", "cloudfront_out", out)
    asked = usage.requests / 1e6
    yield Charge("CDN", "requests, million", "cloudfront_requests", asked)
    yield Charge("firewall", "one", "waf_acl", 1)
    yield Charge("firewall", "rules", "waf_rule", _WAF_RULES)
    yield Charge("firewall", "requests, million", "waf_requests", asked)


def _network(system: System) -> Iterator[Charge]:
    size, usage = system.size, system.usage
    received = usage.events * 100 / 1e9 + SESSIONS * 0.05  # of the vendor's socket, and flat files
    if size.nat_gateways:
        yield Charge("network", "NAT gateways", "nat", size.nat_gateways * HOURS)
        # What comes through it is the vendor's, and what goes is logs and webhooks.
        through = received + _logged_gb(system) + usage.notifications * 2e3 / 1e9
        yield Charge("network", "through NAT", "nat_traffic", through)
        # The feed puts, publisher and alerts take; Flink is in no network of ours.
        streamed = usage.events * _EVENT_B + usage.rows * _ROW_B * 2
        yield Charge("network", "Kinesis' endpoint", "endpoint", size.zones * HOURS)
        yield Charge("network", "through it", "endpoint_traffic", streamed / 1e9)
        crossing = usage.rows * _ROW_B * (1 + system.api_tasks) / 2 / 1e9
        yield Charge("network", "Redis, between zones", "between_zones", crossing)
    tasks = 0 if size.nat_gateways else sum(count for _, count, _, _ in system.tasks)
    addresses = _ZONES_OF_BALANCER + size.nat_gateways + tasks
    yield Charge("network", f"{addresses} public addresses", "public_address", addresses * HOURS)


def _logged_gb(system: System) -> float:
    tasks = sum(count for _, count, _, _ in system.tasks)
    minutes = HOURS * 60
    return (tasks * minutes * _EMF_B + system.usage.requests * _REQUEST_B) / 1e9 + 0.2


def _watching(system: System) -> Iterator[Charge]:
    services = frozenset(system.capacity.services)
    logged = _logged_gb(system) + system.usage.flow_logs_gb
    kept = logged * _ZIPPED * system.size.log_days / _DAYS_A_MONTH
    yield Charge("logs", "taken in", "logs_in", logged)
    yield Charge("logs", f"kept for {system.size.log_days} days", "logs_kept", kept)
    yield Charge("watching", "metrics of the catalogue", "metric", metrics_told(services))
    alarms = [each for each in ALARMS if system.size.name in each.sizes]
    numbers = sum(numbers_watched(each, services, system.resources) for each in alarms)
    if system.capacity.api_most > system.capacity.api_least:
        numbers += _SCALED_BY * 2  # autoscaling makes an alarm for more and one for less
    if system.size.is_whole:
        tasks = sum(count for _, count, _, _ in system.tasks)
        insights = 8 * tasks + 11 * len(services) + 13  # AWS's own example of ECS counts so
        yield Charge("watching", "Container Insights' metrics", "metric", insights)
    yield Charge("watching", "metrics that alarms watch", "alarm", numbers)
    yield Charge("watching", "alarms that ring as one", "alarm_composite", len(TOGETHER))
    yield Charge("watching", "dashboards", "dashboard", 1)
