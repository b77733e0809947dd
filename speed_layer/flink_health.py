"""How the Flink job is that runs in a mini cluster beside: asked of the cluster's REST.

Source: https://nightlies.apache.org/flink/flink-docs-release-2.3/docs/ops/rest_api/#jobs-overview
"""

from __future__ import annotations

import json
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

_TIMEOUT_S: Final = 2
_RUNNING: Final = "RUNNING"


@dataclass(frozen=True, slots=True)
class JobState:
    """What the cluster tells of the job.

    Attributes:
        state: As Flink names it; STARTING before the cluster answers.
        running: How many of its tasks run.
        tasks: How many it has.
    """

    state: str = "STARTING"
    running: int = 0
    tasks: int = 0

    @property
    def is_running(self) -> bool:
        """Whether all of its tasks run: before that, no event is taken."""
        # A job is RUNNING from when its tasks are being deployed.
        return self.state == _RUNNING and 0 < self.tasks == self.running


class FlinkHealth:
    """How the job is, while the process that waits for its end lives.

    Args:
        port: Of the cluster's REST, on this machine.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    @property
    def is_live(self) -> bool:
        """Whether it runs: this process ends with the job's."""
        return True

    @property
    def is_ready(self) -> bool:
        """Whether all of its tasks run."""
        return self.job().is_running

    def job(self) -> JobState:
        """Return what the cluster tells at the moment."""
        try:
            with urllib.request.urlopen(f"{self.url}/jobs/overview", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http
                jobs = json.load(answer)["jobs"]
        except (OSError, ValueError):
            return JobState()
        if not jobs:
            return JobState()
        return JobState(jobs[0]["state"], jobs[0]["tasks"]["running"], jobs[0]["tasks"]["total"])

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        job = self.job()
        return {
            "live": self.is_live,
            "ready": job.is_running,
            "job": job.state,
            "tasks": {"running": job.running, "total": job.tasks},
        }


def free_port() -> int:
    """Return a port of this machine that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
