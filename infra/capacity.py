"""How much of what runs there is in each size: tasks, jobs, functions, nodes.

The stacks are made of these figures, and the bill is reckoned from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lake.services import ALERTS, API, EMBEDDED, FEED, PUBLISHER

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Task:
    """What a container gets: 1,024 units of CPU are a core; memory in MiB."""

    cpu: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Flink:
    """The managed application; a unit (KPU) is a core and 4 GB.

    Attributes:
        parallelism: Subtasks at first.
        per_unit: Subtasks that share a unit; autoscaling adds units.
    """

    parallelism: int
    per_unit: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What runs in a size.

    Attributes:
        services: Tasks of ECS, by the service's name. Which there are follows from it.
        api_least: How many tasks of what serves there are at least.
        api_most: And at most; more than one only where the realtime view is shared.
        api_cpu_percent: Of tasks' CPU that autoscaling aims at.
        api_requests: A minute and task that it aims at.
        api_connections: Streams of a task that it aims at.
        job: What each child of a job of AWS Batch gets.
        shares: Children that resample together after a session.
        most_vcpus: Of all jobs at once.
        job_attempts: Of each child.
        job_timeout_s: Of each attempt.
        function_mib: Memory of each function that fetches; a core is 1,769 MiB.
        function_copies: Of a function that may run at once; none: as many as the account has left.
        fetches_minutes: Whether minutes of flat files are fetched each morning.
        redis_node: Of ElastiCache; none: there is no Redis.
        redis_nodes: How many, each in another zone.
        flink: None: the engine is a part of a service.
        waf_per_address: Requests of one address in five minutes, after which it is refused.
    """

    services: Mapping[str, Task]
    api_least: int
    api_most: int
    job: Task
    shares: int
    function_mib: int
    fetches_minutes: bool
    function_copies: int | None = None
    redis_node: str | None = None
    redis_nodes: int = 0
    flink: Flink | None = None
    api_cpu_percent: int = 60
    api_requests: int = 12_000
    api_connections: int = 2_000
    most_vcpus: int = 16
    job_attempts: int = 3
    job_timeout_s: int = 2 * 3600
    waf_per_address: int = 310_000


CAPACITIES: Final[Mapping[str, Capacity]] = {
    "dev": Capacity(
        services={EMBEDDED.name: Task(1024, 4096)},
        api_least=1,
        api_most=1,
        job=Task(2048, 4096),
        shares=1,
        function_mib=1769,
        fetches_minutes=False,
    ),
    "prod": Capacity(
        services={
            FEED.name: Task(2048, 4096),
            PUBLISHER.name: Task(1024, 2048),
            ALERTS.name: Task(1024, 4096),
            API.name: Task(2048, 8192),
        },
        api_least=2,
        api_most=12,
        job=Task(2048, 8192),
        shares=4,
        function_mib=3538,
        fetches_minutes=True,
        function_copies=2,
        redis_node="cache.t4g.medium",
        redis_nodes=2,
        flink=Flink(parallelism=4, per_unit=1),
        most_vcpus=32,
    ),
}
"""By the size's name."""
