"""What one process measures of itself, asked for when somebody looks: `/metrics`, and CloudWatch.

    health, counters, queues ──► sources ──► Measures ──► Prometheus' text, or lines of EMF

A source reads what its part counts anyway, so that what is measured costs the flow nothing. There
is one `Measures` in a process, made by its entry point and handed on: no global registry.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lake.metrics import Metric

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""Of `Measures.text`."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Measured:
    """A value of a metric as it is now.

    Attributes:
        metric: Which; a counter or a gauge.
        value: In the unit that its name ends with.
        labels: The values of its labels, in their order.
    """

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """How values of a histogram are spread as of now.

    Attributes:
        metric: Which.
        bounds: The upper bound of each bucket, inclusive, in order; beyond the last there is one
            more.
        counts: How many values each bucket has had, the one beyond the last bound included.
        total: The sum of all values.
        labels: The values of its labels, in their order.
    """

    metric: Metric
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    labels: tuple[str, ...] = ()


Value = Measured | Spread


def each_of(metric: Metric, values: Mapping[str, float]) -> Iterator[Measured]:
    """Yield the values of a metric of one label, by its value."""
    return (Measured(metric, value, (label,)) for label, value in values.items())


class Measures:
    """What a process measures.

    Args:
        service: Who it is, as `lake.services` names it, or a job's name.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._sources: list[Callable[[], Iterable[Value]]] = []
        self._failed: set[Callable[[], Iterable[Value]]] = set()
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def add(self, source: Callable[[], Iterable[Value]]) -> None:
        """Let `source` be asked, from any thread, whenever somebody looks; it must not wait."""
        self._sources.append(source)

    def values(self) -> list[Value]:
        """Return all values as they are now; what a source that fails tells is left out.

        Of what several sources tell, counts are added up, and of gauges the highest is told.
        """
        found: list[Value] = []
        for source in self._sources:
            try:
                found += source()
            except Exception:  # noqa: BLE001 - who watches must see all else
                if source not in self._failed:
                    _log.exception("a part cannot be measured")
                self._failed.add(source)
            else:
                self._failed.discard(source)
        return _merged(found)

    def text(self) -> bytes:
        """Return all values, and those of the process itself, as Prometheus reads them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Family]:
        """Yield the values by metric, as Prometheus' registry asks for them."""
        families: dict[str, Family] = {}
        for value in self.values():
            metric = value.metric
            family = families.setdefault(metric.name, _family(metric))
            if isinstance(value, Spread):
                assert isinstance(family, HistogramMetricFamily)  # noqa: S101 - tells mypy so
                family.add_metric(value.labels, _cumulated(value), value.total)
            else:
                assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)  # noqa: S101
                family.add_metric(value.labels, value.value)
        yield from families.values()


def _merged(values: list[Value]) -> list[Value]:
    spreads: list[Value] = [each for each in values if isinstance(each, Spread)]
    found: dict[tuple[Metric, tuple[str, ...]], float] = {}
    for each in values:
        if isinstance(each, Measured):
            key = (each.metric, each.labels)
            if key not in found:
                found[key] = each.value
            elif each.metric.kind == "counter":
                found[key] += each.value
            else:
                found[key] = max(found[key], each.value)
    return [
        *(Measured(metric, value, labels) for (metric, labels), value in found.items()),
        *spreads,
    ]


def _family(metric: Metric) -> Family:
    kinds = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    made: Family = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
    return made


def _cumulated(spread: Spread) -> list[tuple[str, int]]:
    told, count = [], 0
    for bound, more in zip((*spread.bounds, float("inf")), spread.counts, strict=True):
        count += more
        told.append(("+Inf" if bound == float("inf") else str(bound), count))
    return told
