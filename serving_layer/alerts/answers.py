"""What is answered of alerts and firings, and how it is written."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - FastAPI reads annotations at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import orjson
from pydantic_core import to_json

from lake.alerts.rule import Rule, parse_rule, rule_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from database.alert_rules import Kept
    from database.deliveries import Delivery as DeliveryRow
    from database.notifications import NotificationRow

AlertState = Literal["active", "muted", "done", "expired", "waiting"]
FiringKind = Literal["alert", "test"]
DestinationKind = Literal["log", "sns", "webhook"]
DeliveryState = Literal["waiting", "delivered", "dead"]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes:
        alert: Its id.
        rule: When it fires.
        symbol: Of what; the rule's.
        owner: Whose it is.
        revision: How often its rule was changed, from 1.
        created: When.
        changed: When its rule or its mute was changed last.
        state: `active`; `muted`: it goes on, and nobody is told; `done`: it has fired, and does
            not repeat; `expired`; `waiting`: no service evaluates this revision yet.
        muted_until: Until when it is muted; of the year 9999: until that is taken back.
        fired: How often it fired, at this revision.
        last_fired: When it did last, by the flow's time.
    """

    alert: str
    rule: Rule
    symbol: str
    owner: str
    revision: int
    created: dt.datetime
    changed: dt.datetime
    state: AlertState
    muted_until: dt.datetime | None
    fired: int
    last_fired: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """Alerts, in order of creation; with `next_cursor` as `cursor`, those behind them are had."""

    alerts: list[Alert]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a firing at a destination.

    Attributes:
        destination: Which.
        state: `waiting`, `delivered`, or `dead`: given up on.
        attempts: How many were made.
        error: Why the last one failed; empty: it did not.
        due: When the next attempt may begin; null unless it waits.
        done: When it was delivered, or given up on.
    """

    destination: str
    state: DeliveryState
    attempts: int
    error: str
    due: dt.datetime | None
    done: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Firing:
    """A firing of an alert, or a test of one.

    Attributes:
        firing: Its id.
        alert: Of which alert, deleted since or not.
        kind: `alert`, or `test`: nothing happened, somebody tried where it is told.
        symbol: Of what.
        time: When it happened, by the flow's time.
        made: When it was put down here.
        price: At which price, USD a share; null of a test.
        text: What is told of it.
        muted: Whether the alert was muted then, and so nobody is told.
        deliveries: What became of it, by destination.
    """

    firing: str
    alert: str
    kind: FiringKind
    symbol: str
    time: dt.datetime
    made: dt.datetime
    price: float | None
    text: str
    muted: bool
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class FiringsPage:
    """Firings, the latest put down first; with `next_cursor` as `cursor`, earlier ones are had."""

    firings: list[Firing]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where alerts can be told.

    Attributes:
        name: By which rules name it.
        kind: `log`, `sns` or `webhook`.
        url: Of a webhook; what it is signed with is never told.
        created: When it was put; null of those that everybody has.
    """

    name: str
    kind: DestinationKind
    url: str | None
    created: dt.datetime | None


@dataclass(frozen=True, slots=True)
class DestinationsAnswer:
    """Destinations: those that everybody has first, then webhooks by name."""

    destinations: list[Destination]


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification on its way; `GET /v1/alerts/firings/{firing}` tells what becomes of it."""

    notification: str


def alert_of(kept: Kept, now: dt.datetime) -> Alert:
    """Return an alert as it is answered."""
    row, progress = kept.row, kept.progress
    rule = parse_rule(row.definition)
    return Alert(
        row.alert,
        rule,
        row.symbol,
        row.owner,
        row.revision,
        row.created,
        row.changed,
        _state(kept, rule, now),
        row.muted_until if row.muted_until and row.muted_until > now else None,
        progress.fired if progress else 0,
        progress.last_fired if progress else None,
    )


def _state(kept: Kept, rule: Rule, now: dt.datetime) -> AlertState:
    progress, until = kept.progress, kept.row.muted_until
    if progress and progress.fired and not rule.repeat:
        return "done"
    # The flow's time may be past that of the rule while this machine's is not: in a replay.
    if (rule.expires and rule.expires <= now) or (progress and progress.is_done):
        return "expired"
    if until and until > now:
        return "muted"
    return "active" if progress else "waiting"


def firing_of(row: NotificationRow, deliveries: Sequence[DeliveryRow]) -> Firing:
    """Return a firing as it is answered."""
    envelope = orjson.loads(row.body)
    return Firing(
        row.notification,
        row.alert or "",
        cast("FiringKind", row.kind),
        row.symbol or "",
        row.at,
        row.made,
        envelope["data"].get("price"),
        envelope["text"],
        row.is_muted,
        [_delivery(each) for each in deliveries],
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(row.destination, row.state, row.attempts, row.error, row.due, row.done)


def json_of(answer: object, *, indent: int | None = None) -> bytes:
    """Return an answer as JSON, rules in it as `rule_document` tells them."""
    return to_json(_plain(answer), indent=indent)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an answer is made of
    if isinstance(value, Rule):
        return rule_document(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
