"""What is measured, as lines of the log from which CloudWatch takes it: embedded metric format.

A line has all values with the same dimensions. Counters tell by how much they grew since the line
before, gauges how they are, and histograms up to a hundred values, spread as those since then. So
nothing but the log is needed: no agent, no call, no right.

Units:  as metrics' names end.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

from lake.measuring import Measured, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lake.measuring import Measures, Value
    from lake.metrics import Metric

NAMESPACE: Final = "fiblake"
EVERY_S: Final = 60.0
_MOST_METRICS: Final = 100
"""Of a line."""
_MOST_VALUES: Final = 100
"""Of a metric in a line."""
_UNITS: Final = {"_seconds": "Seconds", "_bytes": "Bytes", "_total": "Count"}
_log = structlog.get_logger(__name__)

Labels = tuple[tuple[str, str], ...]
"""Dimensions and their values, in order."""


class Emf:
    """Tells what a process measures, whenever it is asked to.

    Args:
        measures: What it measures.
        write: Takes a line, without its end; None: standard error, where logs are.
        now: Tells the present, in seconds since 1970.
    """

    def __init__(
        self,
        measures: Measures,
        write: Callable[[str], None] | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._measures = measures
        self._write = write or _to_stderr
        self._now = now
        self._before: dict[tuple[str, Labels], float] = {}
        self._spread_before: dict[tuple[str, Labels], list[int]] = {}
        self._turn = threading.Lock()

    def tell(self) -> None:
        """Write what is measured, counters since the last call."""
        with self._turn:
            groups: dict[Labels, dict[Metric, float | list[float]]] = {}
            for (metric, labels), value in self._told().items():
                groups.setdefault(labels, {})[metric] = value
            for labels, found in groups.items():
                told = list(found.items())
                for begin in range(0, len(told), _MOST_METRICS):
                    self._write(self._line(labels, told[begin : begin + _MOST_METRICS]))

    def _told(self) -> dict[tuple[Metric, Labels], float | list[float]]:
        """Return what is told of each metric, by its dimensions."""
        plain, spread = _summed(self._measures.values(), self._measures.service)
        told: dict[tuple[Metric, Labels], float | list[float]] = {}
        for (metric, labels), value in plain.items():
            if not math.isfinite(value):
                continue  # CloudWatch takes none, and one would take its whole line with it
            key = (metric.name, labels)
            told[metric, labels] = value
            if metric.kind == "counter":
                known = self._before.get(key, 0.0)
                # Less than before: what counts began anew, as a job of Flink does.
                told[metric, labels] = value - known if value >= known else value
                self._before[key] = value
        for (metric, labels), (bounds, counts) in spread.items():
            key = (metric.name, labels)
            before = self._spread_before.get(key, [0] * len(counts))
            self._spread_before[key] = counts
            values = _values(bounds, [now - then for now, then in zip(counts, before, strict=True)])
            if values:
                told[metric, labels] = values
        return told

    def _line(self, labels: Labels, told: Iterable[tuple[Metric, float | list[float]]]) -> str:
        values = {metric.name: value for metric, value in told}
        named = [{"Name": metric.name, "Unit": _unit(metric)} for metric, _ in told]
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [[name for name, _ in labels]],
            "Metrics": named,
        }
        about = {"Timestamp": int(self._now() * 1000), "CloudWatchMetrics": [directive]}
        line: dict[str, Any] = {"_aws": about, **dict(labels), **values}
        return json.dumps(line, separators=(",", ":"), allow_nan=False)


@contextmanager
def emf_told(measures: Measures, *, is_on: bool, every_s: float = EVERY_S) -> Iterator[None]:
    """Tell what is measured now and then while the body runs, and at its end; from a thread.

    Args:
        measures: What.
        is_on: Whether it is told at all.
        every_s: How often.
    """
    if not is_on:
        yield
        return
    emf, stop = Emf(measures), threading.Event()

    def keep_telling() -> None:
        while not stop.wait(every_s):
            tell(emf)

    thread = threading.Thread(target=keep_telling, name="emf", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        tell(emf)


def tell(emf: Emf) -> None:
    """Write what is measured; that it cannot be told is logged, and ends nothing."""
    try:
        emf.tell()
    except Exception:  # noqa: BLE001 - see above
        _log.exception("metrics cannot be told")


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _unit(metric: Metric) -> str:
    found = (unit for end, unit in _UNITS.items() if metric.name.endswith(end))
    return next(found, "Count" if metric.kind == "gauge" else "None")


def _summed(
    values: Iterable[Value], service: str
) -> tuple[
    dict[tuple[Metric, Labels], float],
    dict[tuple[Metric, Labels], tuple[tuple[float, ...], list[int]]],
]:
    """Return values by their dimensions, over labels that are none; histograms apart."""
    plain: dict[tuple[Metric, Labels], float] = {}
    spread: dict[tuple[Metric, Labels], tuple[tuple[float, ...], list[int]]] = {}
    for each in values:
        key = (each.metric, _labels(each, service))
        if isinstance(each, Measured):
            plain[key] = plain.get(key, 0.0) + each.value
        else:
            _, counts = spread.get(key, (each.bounds, [0] * len(each.counts)))
            summed = [one + other for one, other in zip(counts, each.counts, strict=True)]
            spread[key] = (each.bounds, summed)
    return plain, spread


def _labels(value: Measured | Spread, service: str) -> Labels:
    given = {"service": service, **dict(zip(value.metric.labels, value.labels, strict=True))}
    return tuple((name, given[name]) for name in value.metric.dimensions)


def _values(bounds: tuple[float, ...], counts: list[int]) -> list[float]:
    """Return values spread as counts of buckets are, each as the upper bound of its bucket.

    Of more than a hundred they are every so-manieth, in order: so quantiles stay what they are.
    """
    total = sum(counts)
    number = min(total, _MOST_VALUES)
    ends = (*bounds, bounds[-1])
    values: list[float] = []
    bucket, reached = 0, counts[0]
    for place in range(number):
        # The last of each of `number` parts: of a hundred, the percentiles.
        rank = -(-total * (place + 1) // number)
        while reached < rank:
            bucket += 1
            reached += counts[bucket]
        values.append(ends[bucket])
    return values
