"""The topics of SNS, where some are set."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fiblake.doctor.finding import Check, Finding, ok, warn
from lake.errors import TopicError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fiblake.doctor.patient import Patient


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the topics."""
    settings = patient.settings
    for kind, topic in (("alerts", settings.sns_alerts), ("news", settings.sns_news)):
        if topic is not None:
            yield Check(f"topic.{kind}", lambda k=kind, t=topic: told(patient, k, t))  # type: ignore[misc]


def told(patient: Patient, kind: str, topic: str) -> Iterator[Finding]:
    """Yield whether a topic is there, and whether anyone hears it."""
    from speed_layer.delivery import aws  # noqa: PLC0415 - needs an extra

    try:
        with closing(aws.sns_of(patient.settings, attempts=2)) as sns:
            found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    except aws.ERRORS as error:
        hint = aws.hint_of(error)
        fact = f"{topic} cannot be looked at: {aws.told(error)}."
        raise TopicError(fact, hint=f"{hint}." if hint else "") from None
    hear = int(found.get("SubscriptionsConfirmed", 0))
    if hear:
        yield ok(f"topic.{kind}", f"{topic} has {hear} subscriptions.")
    else:
        fact, hint = f"Nobody is subscribed to {topic}.", "subscribe, or fiblake topics create."
        yield warn(f"topic.{kind}", fact, hint)
