"""What is measured of the Flink job in the mini cluster beside: asked of the cluster's REST.

The job counts in Flink's own metrics, which the cluster gathers from its tasks every ten seconds.

Source: https://nightlies.apache.org/flink/flink-docs-release-2.3/docs/ops/rest_api/
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lake import metrics
from lake.measuring import Measured, each_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S: Final = 2
_OUTCOMES: Final = ("accepted", "stale", "late", "foreign", "poison")
_GROUP: Final = ".fiblake."


class FlinkMeasured:
    """Asks one cluster of one job.

    Args:
        url: Of the cluster's REST.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self) -> Iterator[Measured]:
        """Yield what is measured; while the cluster does not answer, that the job does not run."""
        found: list[Measured] = []
        is_running = False
        # A job that begins has no checkpoints to tell of yet: then what there is so far is told.
        with suppress(OSError, ValueError, LookupError):
            told = self._ask("/jobs/overview")["jobs"][0]
            job, tasks = told["jid"], told["tasks"]
            is_running = told["state"] == "RUNNING" and 0 < tasks["total"] == tasks["running"]
            restarts = self._ask(f"/jobs/{job}/metrics?get=numRestarts")
            number = float(restarts[0]["value"]) if restarts else 0.0
            found.append(Measured(metrics.ENGINE_RESTARTS, number))
            found += each_of(metrics.ENGINE_EVENTS, self._outcomes(job))
            found += self._checkpoints(job)
        yield Measured(metrics.ENGINE_RUNNING, is_running)
        yield from found

    def _outcomes(self, job: str) -> dict[str, float]:
        """Return what became of events, over all tasks."""
        counts = dict.fromkeys(_OUTCOMES, 0.0)
        for vertex in self._ask(f"/jobs/{job}")["vertices"]:
            path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            names = [each["id"] for each in self._ask(path) if _GROUP in each["id"]]
            if names:
                asked = urllib.parse.quote(",".join(names), safe=",")
                for each in self._ask(f"{path}?agg=sum&get={asked}"):
                    outcome = each["id"].rpartition(".")[2]
                    if outcome in counts:
                        counts[outcome] += each["sum"]
        return counts

    def _checkpoints(self, job: str) -> list[Measured]:
        told = self._ask(f"/jobs/{job}/checkpoints")
        outcomes = {each: told["counts"][each] for each in ("completed", "failed")}
        found = [*each_of(metrics.CHECKPOINTS, outcomes)]
        if last := told["latest"]["completed"]:
            age_s = max(0.0, time.time() - last["latest_ack_timestamp"] / 1000)
            found.append(Measured(metrics.CHECKPOINT_AGE, age_s))
            found.append(Measured(metrics.CHECKPOINT_BYTES, last["state_size"]))
        return found

    def _ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        with urllib.request.urlopen(f"{self._url}{path}", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http
            return json.load(answer)
