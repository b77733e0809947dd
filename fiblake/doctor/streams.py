"""The streams between feed, engine and view."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from fiblake.doctor.finding import Check, Finding, fail, ok, runbook, warn
from lake.errors import StreamUnavailableError
from speed_layer.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_kinesis.type_defs import GetShardIteratorInputTypeDef

    from fiblake.doctor.patient import Patient
    from speed_layer.streams.kinesis_service import Service
    from speed_layer.streams.position import Place

_BEHIND_S: Final = 60
_LOST_S: Final = 12 * 3600
"""Half of what Kinesis keeps where nobody asked for more."""


def checks(patient: Patient) -> Iterator[Check]:
    """Yield what to look at of the streams; nothing where they are in one process."""
    if patient.settings.stream != "kinesis":
        return
    for name in (patient.settings.kinesis_events, patient.settings.kinesis_bars):
        yield Check(f"stream.{name}", lambda name=name: stream(patient, name))  # type: ignore[misc]
    yield Check("stream.published", lambda: published(patient))


def stream(patient: Patient, name: str) -> Iterator[Finding]:
    """Yield whether a stream is there and takes records."""
    from speed_layer.streams.kinesis_service import Service  # noqa: PLC0415 - needs an extra

    check = f"stream.{name}"
    with closing(Service.of(patient.settings)) as service:
        told = service.ask(
            f"look for {name}", lambda: service.client.describe_stream_summary(StreamName=name)
        )["StreamDescriptionSummary"]
    shards, hours = told["OpenShardCount"], told["RetentionPeriodHours"]
    fact = f"{name} is {told['StreamStatus']}: {shards} shards, and records are kept for {hours} h."
    if told["StreamStatus"] in {"ACTIVE", "UPDATING"}:
        yield ok(check, fact)
    else:
        yield fail(check, fact, "wait until it is ACTIVE.", runbook("stream-away"))


def published(patient: Patient) -> Iterator[Finding]:
    """Yield how far behind the end of the stream of bars the publisher is."""
    from speed_layer.streams.kinesis_service import Service  # noqa: PLC0415 - needs an extra

    check, name = "stream.published", patient.settings.kinesis_bars
    position = read_checkpoint(patient.store, name).position
    if position is None:
        fact = f"Nothing of {name} was ever brought into the view."
        yield warn(check, fact, "start fiblake flink publish.", runbook("publisher-behind"))
        return
    with closing(Service.of(patient.settings)) as service:
        open_ = {shard: at for shard, at in position.shards.items() if not at.is_ended}
        behind_s = max((_behind_s(service, name, *each) for each in open_.items()), default=0)
    fact = f"What is in the view is {behind_s:,.0f} s behind the end of {name}."
    hint = "see whether fiblake flink publish runs, and what it says."
    if behind_s > _LOST_S:
        yield fail(check, fact, hint, runbook("publisher-behind"))
    elif behind_s > _BEHIND_S:
        yield warn(check, fact, hint, runbook("publisher-behind"))
    else:
        yield ok(check, fact)


def _behind_s(service: Service, stream: str, shard: str, at: Place) -> float:
    """Return how much younger the end of a shard is than what follows a place."""
    client = service.client
    asked: GetShardIteratorInputTypeDef = {
        "StreamName": stream,
        "ShardId": shard,
        "ShardIteratorType": "TRIM_HORIZON",
    }
    if at.after:
        asked["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER"
        asked["StartingSequenceNumber"] = at.after
    told = service.ask(f"read {stream}", lambda: client.get_shard_iterator(**asked))
    try:
        answer = service.ask(
            f"read {stream}",
            lambda: client.get_records(ShardIterator=told["ShardIterator"], Limit=1),
        )
    except StreamUnavailableError:
        # Others read too, and five times a second is all that a shard allows.
        return 0.0
    # What is behind the record that was read; the place itself where there is none.
    return answer.get("MillisBehindLatest", 0) / 1000 if answer["Records"] else 0.0
