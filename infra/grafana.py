"""The dashboard of Grafana, made of the catalogue of metrics: one row for each part of the flow.

`python -m infra.grafana > observability/grafana/fiblake.json` writes it anew; a test holds that
file to it. Services alone are scraped: what jobs and functions tell is on CloudWatch's dashboard.

Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lake import metrics as m

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake.metrics import Metric

_SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_WIDTH: Final = 24
_PANEL_WIDTH: Final = 8
_PANEL_HEIGHT: Final = 7
_UNITS: Final = {"_seconds": "s", "_bytes": "bytes"}


@dataclass(frozen=True, slots=True)
class Query:
    """One line, or several by label, of a panel.

    Attributes:
        promql: What Prometheus evaluates.
        legend: Names a line; `{{label}}` is the value of a label.
    """

    promql: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        title: What it shows.
        queries: Its lines.
        unit: As Grafana names it.
        is_on: Whether it shows 0 or 1: wrong and right, or the other way round.
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    is_on: bool = False


def _rate(metric: Metric, by: str) -> Query:
    return Query(f"sum by ({by}) (rate({metric.name}[$__rate_interval]))", f"{{{{{by}}}}}")


def _now(metric: Metric, by: str = "service") -> Query:
    return Query(f"max by ({by}) ({metric.name})", f"{{{{{by}}}}}")


def _gauge(title: str, *shown: Metric, by: str = "service", is_on: bool = False) -> Panel:
    end = next((end for end in _UNITS if shown[0].name.endswith(end)), "")
    queries = tuple(_now(each, by) for each in shown)
    return Panel(title, queries, _UNITS.get(end, "short"), is_on)


def _quantile(quantile: float, by: str) -> Query:
    buckets = f"rate({m.REQUEST_SECONDS.name}_bucket[$__rate_interval])"
    return Query(
        f"histogram_quantile({quantile}, sum by (le{by}) ({buckets}))", f"p{quantile * 100:g}"
    )


_FLOW: Final = (
    Panel("Events of the feed", (_rate(m.FEED_EVENTS, "outcome"),), "eps"),
    _gauge("Age of events when they are received", m.FEED_LAG),
    _gauge("Silence of the feed", m.FEED_SILENCE),
    _gauge(
        "The feed is subscribed, the exchange is open", m.FEED_SUBSCRIBED, m.MARKET_OPEN, is_on=True
    ),
    _gauge("Events that wait in the feed", m.FEED_QUEUE),
    _gauge("Files that the lake should have", m.FEED_UNLANDED),
    Panel("Gaps in what is recorded", (_rate(m.FEED_GAPS, "service"),)),
    Panel("Events of the engine", (_rate(m.ENGINE_EVENTS, "outcome"),), "eps"),
    _gauge("All tasks of the job run", m.ENGINE_RUNNING, is_on=True),
    Panel("Restarts of the job", (_rate(m.ENGINE_RESTARTS, "service"),)),
    Panel("Checkpoints", (_rate(m.CHECKPOINTS, "outcome"),)),
    _gauge("Age of the last checkpoint", m.CHECKPOINT_AGE),
    _gauge("State in the last checkpoint", m.CHECKPOINT_BYTES),
    Panel("Rows that are published", (_rate(m.PUBLISHED, "row"),), "eps"),
    _gauge("How far the publisher is behind", m.PUBLISH_LAG),
    Panel("Gaps of streams", (_rate(m.STREAM_GAPS, "service"),)),
    Panel("Views that were filled anew", (_rate(m.REFRESHES, "service"),)),
    Panel(
        "Parts that do not answer",
        (Query(f"max by (service, part) ({m.AWAY.name})", "{{service}}: {{part}}"),),
        is_on=True,
    ),
)
_SERVING: Final = (
    Panel("Answers by status", (_rate(m.REQUESTS, "status"),), "reqps"),
    Panel("Answers by route", (_rate(m.REQUESTS, "route"),), "reqps"),
    Panel("How long answers take", tuple(_quantile(each, "") for each in (0.5, 0.95, 0.99)), "s"),
    Panel(
        "How long answers take, p99 by route",
        (Query(_quantile(0.99, ", route").promql, "{{route}}"),),
        "s",
    ),
    Panel("Streams that are open", (Query(f"sum({m.CONNECTIONS.name})", "streams"),)),
    Panel("Updates told to streams", (_rate(m.TOLD, "service"),), "eps"),
    Panel(
        "Look-ups that were hits",
        (
            Query(
                f'sum by (cache) (rate({m.CACHE.name}{{outcome="hit"}}[$__rate_interval]))'
                f" / sum by (cache) (rate({m.CACHE.name}[$__rate_interval]))",
                "{{cache}}",
            ),
        ),
        "percentunit",
    ),
    _gauge("Settled sessions that batch has not committed", m.BOUNDARY_AGE, by="boundary"),
)
_ALERTS: Final = (
    _gauge("Alerts that are evaluated", m.ALERTS_RULES),
    Panel("Alerts that fire", (_rate(m.ALERTS_FIRED, "service"),)),
    _gauge("How far alerts are behind", m.ALERTS_LAG),
    Panel("Deliveries", (_rate(m.DELIVERIES, "outcome"),)),
    Panel("Deliveries that are due", (Query(f"max({m.DELIVERIES_DUE.name})", "due"),)),
)
_PROCESS: Final = (
    Panel(
        "Processor",
        (Query("rate(process_cpu_seconds_total[$__rate_interval])", "{{service}}"),),
        "percentunit",
    ),
    Panel("Memory", (Query("process_resident_memory_bytes", "{{service}}"),), "bytes"),
    Panel("Open files", (Query("process_open_fds", "{{service}}"),)),
    Panel("Up", (Query("up", "{{service}}"),), is_on=True),
)
ROWS: Final = {"The flow": _FLOW, "API": _SERVING, "Alerts": _ALERTS, "Processes": _PROCESS}


def dashboard() -> dict[str, Any]:
    """Return the dashboard, as Grafana imports it."""
    return {
        "uid": "fiblake",
        "title": "fiblake",
        "tags": ["fiblake"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "panels": list(_placed()),
    }


def _placed() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for title, panels in ROWS.items():
        number += 1
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        top += 1
        for at, panel in enumerate(panels):
            number += 1
            row, column = divmod(at, _WIDTH // _PANEL_WIDTH)
            place = {
                "x": column * _PANEL_WIDTH,
                "y": top + row * _PANEL_HEIGHT,
                "w": _PANEL_WIDTH,
                "h": _PANEL_HEIGHT,
            }
            yield _shown(panel, number, place)
        top += -(-len(panels) // (_WIDTH // _PANEL_WIDTH)) * _PANEL_HEIGHT


def _shown(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    custom = {"drawStyle": "line", "fillOpacity": 10, "showPoints": "never"}
    if panel.is_on:
        custom["lineInterpolation"] = "stepAfter"
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": custom}
            | ({"max": 1, "decimals": 0} if panel.is_on else {}),
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": query.promql,
                "legendFormat": query.legend,
                "range": True,
            }
            for at, query in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2) + "\n")
