"""The catalogue of what fiblake's services measure of themselves: one name, everywhere.

Services tell these at `/metrics`; jobs and functions tell the same in the log, for CloudWatch. What
watches them (alarms, dashboards) takes names from here, so that nobody watches what nobody tells.

Units:  by the name's end: `_seconds`, `_sessions`, `_bytes`, `_total` (a count that only grows);
        without one, how many there are at the moment.
Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
_TOO_MANY: Final = frozenset({"route"})


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured.

    Attributes:
        name: As Prometheus has it.
        kind: `counter`, `gauge` or `histogram`.
        services: Who tells it, by `lake.services`; `batch`, `fetch` are jobs and functions.
            Each always does, with all its labels' values that are known beforehand; but what is
            of the last of something waits for the first.
        labels: What tells its values apart.
        help: What it says, in one sentence.
    """

    name: str
    kind: Kind
    services: tuple[str, ...]
    labels: tuple[str, ...]
    help: str

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What tells its values apart in CloudWatch: `service`, and its labels but for routes.

        There each value of a dimension is a metric of its own, which is paid for.
        """
        return ("service", *(label for label in self.labels if label not in _TOO_MANY))


FEED_EVENTS: Final = Metric(
    "fiblake_feed_events_total",
    "counter",
    ("feed", "embedded"),
    ("outcome",),
    "Events from the source: accepted, refused, shed.",
)
FEED_LAG: Final = Metric(
    "fiblake_feed_lag_seconds",
    "gauge",
    ("feed", "embedded"),
    (),
    "Between an event's own time and its receipt, of the last one within a minute.",
)
FEED_SILENCE: Final = Metric(
    "fiblake_feed_silence_seconds",
    "gauge",
    ("feed", "embedded"),
    (),
    "Since the last event was accepted.",
)
FEED_QUEUE: Final = Metric(
    "fiblake_feed_queue",
    "gauge",
    ("feed", "embedded"),
    (),
    "Events between the socket and the stream.",
)
FEED_SUBSCRIBED: Final = Metric(
    "fiblake_feed_subscribed",
    "gauge",
    ("feed", "embedded"),
    (),
    "1 while the source tells events, else 0.",
)
FEED_GAPS: Final = Metric(
    "fiblake_feed_gaps_total",
    "counter",
    ("feed", "embedded"),
    (),
    "Spans in which events are missing.",
)
FEED_UNLANDED: Final = Metric(
    "fiblake_feed_unlanded",
    "gauge",
    ("feed", "embedded"),
    (),
    "Files of events that the lake should have.",
)
ENGINE_EVENTS: Final = Metric(
    "fiblake_engine_events_total",
    "counter",
    ("engine", "embedded"),
    ("outcome",),
    "Events for bars: accepted, stale (known, or restated since), late, foreign, poison.",
)
ENGINE_RUNNING: Final = Metric(
    "fiblake_engine_running", "gauge", ("engine",), (), "1 while all tasks of the job run, else 0."
)
ENGINE_RESTARTS: Final = Metric(
    "fiblake_engine_restarts_total", "counter", ("engine",), (), "How often the job began anew."
)
CHECKPOINTS: Final = Metric(
    "fiblake_engine_checkpoints_total",
    "counter",
    ("engine",),
    ("outcome",),
    "Checkpoints of the job: completed, failed.",
)
CHECKPOINT_AGE: Final = Metric(
    "fiblake_engine_checkpoint_age_seconds",
    "gauge",
    ("engine",),
    (),
    "Since the last checkpoint was completed.",
)
CHECKPOINT_BYTES: Final = Metric(
    "fiblake_engine_checkpoint_bytes", "gauge", ("engine",), (), "The state in the last checkpoint."
)
PUBLISHED: Final = Metric(
    "fiblake_published_total",
    "counter",
    ("publisher",),
    ("row",),
    "Rows brought into the view: bar, price; late and poison are set aside.",
)
PUBLISH_LAG: Final = Metric(
    "fiblake_publish_lag_seconds",
    "gauge",
    ("publisher",),
    (),
    "How far behind the end of its stream the publisher is.",
)
STREAM_GAPS: Final = Metric(
    "fiblake_stream_gaps_total",
    "counter",
    ("publisher", "alerts"),
    (),
    "Spans of the stream of bars that were lost before they were read.",
)
REFRESHES: Final = Metric(
    "fiblake_view_refreshes_total",
    "counter",
    ("publisher",),
    (),
    "How often all was brought anew, as the view had lost it.",
)
AWAY: Final = Metric(
    "fiblake_away",
    "gauge",
    ("feed", "publisher", "alerts", "api", "embedded"),
    ("part",),
    "1 while a part (stream, view, lake, database) does not answer, else 0.",
)
ALERTS_RULES: Final = Metric(
    "fiblake_alerts_rules", "gauge", ("alerts", "embedded"), (), "Alerts that are evaluated."
)
ALERTS_FIRED: Final = Metric(
    "fiblake_alerts_fired_total", "counter", ("alerts", "embedded"), (), "Alerts that fired."
)
ALERTS_LAG: Final = Metric(
    "fiblake_alerts_lag_seconds",
    "gauge",
    ("alerts", "embedded"),
    (),
    "How far behind the flow alerts are evaluated.",
)
DELIVERIES: Final = Metric(
    "fiblake_deliveries_total",
    "counter",
    ("alerts", "api", "embedded"),
    ("outcome",),
    "Attempts to tell an alert: delivered, failed, dead.",
)
DELIVERIES_DUE: Final = Metric(
    "fiblake_deliveries_due",
    "gauge",
    ("alerts", "api", "embedded"),
    (),
    "Deliveries whose time has come, of all processes together.",
)
REQUESTS: Final = Metric(
    "fiblake_requests_total",
    "counter",
    ("api", "embedded"),
    ("route", "status"),
    "Answers, by route and HTTP status.",
)
REQUEST_SECONDS: Final = Metric(
    "fiblake_request_seconds",
    "histogram",
    ("api", "embedded"),
    ("route",),
    "How long answers took.",
)
CONNECTIONS: Final = Metric(
    "fiblake_connections", "gauge", ("api", "embedded"), (), "Streams that are open."
)
TOLD: Final = Metric(
    "fiblake_told_total",
    "counter",
    ("api", "embedded"),
    (),
    "Updates told to streams, to each one of them.",
)
CACHE: Final = Metric(
    "fiblake_cache_total",
    "counter",
    ("api", "embedded"),
    ("cache", "outcome"),
    "Look-ups in a cache (silver, keys): hit, miss.",
)
BOUNDARY_AGE: Final = Metric(
    "fiblake_boundary_age_sessions",
    "gauge",
    ("batch", "fetch", "api", "embedded"),
    ("boundary",),
    "Settled sessions that batch has not committed: daily, minute; 0 is up to date.",
)
FETCHED: Final = Metric(
    "fiblake_fetched_total",
    "counter",
    ("fetch",),
    ("kind", "outcome"),
    "Sessions asked of a vendor: fetched, not_yet, failed.",
)
ROWS: Final = Metric(
    "fiblake_rows_total",
    "counter",
    ("fetch",),
    ("kind", "outcome"),
    "Rows judged on their way into bronze: accepted, rejected.",
)
REBUILT: Final = Metric(
    "fiblake_rebuilt_total", "counter", ("batch",), (), "Partitions of silver that were rebuilt."
)
JOB_SECONDS: Final = Metric(
    "fiblake_job_seconds",
    "gauge",
    ("batch", "fetch"),
    ("job",),
    "How long the last run of a job took.",
)
JOBS: Final = Metric(
    "fiblake_jobs_total",
    "counter",
    ("batch", "fetch"),
    ("job", "outcome"),
    "Runs of jobs and functions: done, failed.",
)
DIFFERENCES: Final = Metric(
    "fiblake_reconcile_differences",
    "gauge",
    ("batch",),
    (),
    "Live bars that batch made otherwise, in the sessions reconciled.",
)
BACKUP_AGE: Final = Metric(
    "fiblake_backup_age_seconds", "gauge", ("batch",), (), "Since the last whole backup was made."
)
MARKET_OPEN: Final = Metric(
    "fiblake_market_open",
    "gauge",
    ("feed", "embedded"),
    (),
    "1 in the exchange's regular hours, by its calendar, else 0.",
)

CATALOGUE: Final[tuple[Metric, ...]] = tuple(
    each for each in list(globals().values()) if isinstance(each, Metric)
)
"""All of them, in the order above."""
