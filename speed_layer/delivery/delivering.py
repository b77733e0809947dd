"""Putting a deliverer together, as the settings say."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from lake.addresses import parse_networks
from speed_layer.delivery.deliverer import Deliverer
from speed_layer.delivery.guard import Guard
from speed_layer.delivery.log import LogSender
from speed_layer.delivery.outcome import Bounds, NoSender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from database import Database
    from lake.clock import Clock
    from lake.settings import Settings
    from speed_layer.delivery.outcome import Sender

_HINT: Final = "pip install 'fiblake[alerts]'"


@contextmanager
def delivering(settings: Settings, database: Database, clock: Clock) -> Iterator[Deliverer]:
    """Deliver what is due, in a thread of its own, while the body runs.

    Args:
        settings: Bounds, networks that are allowed, and topics.
        database: Where the outbox is, at the newest migration; it must outlive the body.
        clock: Tells what is due.
    """
    senders: dict[str, Sender] = {
        "log": LogSender(),
        "sns": _sns(settings),
        "": _webhooks(settings, clock),
    }
    keep = dt.timedelta(days=settings.notifications_days)
    bounds, one_in = Bounds.of(settings), settings.trace_one_in
    deliverer = Deliverer(database, senders, clock, bounds, keep, trace_one_in=one_in)
    deliverer.start()
    try:
        yield deliverer
    finally:
        deliverer.stop()


def _sns(settings: Settings) -> Sender:
    if settings.sns_alerts is None and settings.sns_news is None:
        return NoSender("FIBLAKE_SNS_ALERTS names no topic")
    # Imported here: only who has topics needs its client, which is an extra.
    try:
        from speed_layer.delivery.sns import SnsSender  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return NoSender(f"{error.name} is not installed: {_HINT}")
    return SnsSender(settings)


def _webhooks(settings: Settings, clock: Clock) -> Sender:
    # Likewise: a system that has no webhooks works without.
    try:
        from speed_layer.delivery.webhook import WebhookSender  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return NoSender(f"{error.name} is not installed: {_HINT}")
    guard = Guard(parse_networks(settings.webhook_allow))
    return WebhookSender(guard, clock, settings.delivery_timeout_seconds)
