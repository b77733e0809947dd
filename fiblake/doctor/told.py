"""The topics of SNS, where some are set."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, ok, warn
from lake.errors import TopicError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient

_PENDING: Final = "PendingConfirmation"


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the topics."""
    settings = patient.settings
    for kind, topic in (("alerts", settings.sns_alerts), ("news", settings.sns_news)):
        if topic is not None:
            yield Check(f"topic.{kind}", lambda k=kind, t=topic: topic_(patient, k, t))  # type: ignore[misc]


def topic_(patient: Patient, kind: str, topic: str) -> Iterator[Finding]:
    """Yield whether a topic is there, and whether anyone hears it."""
    from speed_layer.delivery import aws  # noqa: PLC0415 - needs an extra

    try:
        with closing(aws.sns_of(patient.settings, attempts=2)) as sns:
            told = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    except aws.ERRORS as error:
        hint = aws.hint_of(error)
        fact = f"{topic} cannot be looked at: {aws.told(error)}."
        raise TopicError(fact, hint=f"{hint}." if hint else "") from None
    hear = [each for each in told if each["SubscriptionArn"] != _PENDING]
    if hear:
        yield ok(f"topic.{kind}", f"{topic} is heard by {len(hear)}.")
    else:
        fact, hint = f"Nobody is subscribed to {topic}.", "subscribe, or fiblake topics create."
        yield warn(f"topic.{kind}", fact, hint)
