"""The feed service: from a source, through the judge, into the record and then into the stream."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import structlog

from lake.errors import StreamUnavailableError
from lake.event import Event
from lake.trace import Traces
from lake.wire import decode_events, encode_events, events_of
from speed_layer.feed.judge import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from lake.coverage import Span
    from speed_layer.feed.health import Health
    from speed_layer.feed.judge import Judge
    from speed_layer.feed.recorder import Recorder
    from speed_layer.feed.source import Delivery, Source
    from speed_layer.streams import Stream

_log = structlog.get_logger(__name__)
_HEARTBEAT_S: Final = 1.0
_AGAIN_S: Final = 1.0
_TURN_S: Final = 0.008
"""How long a turn lasts at least: what comes meanwhile goes together, as each step from here to the
subscriber costs nearly as much for one event as for fifty."""
_MANY: Final = 1_000
"""So many at once are on their way at once: more are waiting."""
_MISSING: Final = ("unfilled", "shed")


class Feed:
    """Brings what a source tells into a stream.

    While the stream takes nothing, the source waits: nothing is lost, and the order is kept.

    Args:
        source: Who tells events.
        judge: Which of them go on; None: they were judged when they were recorded, and go on
            as they are.
        stream: Where to.
        recorder: What keeps them; None: they are kept already, as those of a replay.
        health: What is told how it goes.
        heartbeat_s: After how long without an event the stream is told the time.
        trace_one_in: Of so many events one is followed in the log; 0: none is.
    """

    def __init__(  # noqa: PLR0913 - the parts it puts together
        self,
        source: Source,
        judge: Judge | None,
        stream: Stream,
        *,
        recorder: Recorder | None,
        health: Health,
        heartbeat_s: float = _HEARTBEAT_S,
        trace_one_in: int = 0,
    ) -> None:
        self._came, self._went = Traces("feed", trace_one_in), Traces("stream", trace_one_in)
        self._source = source
        self._judge = judge
        self._stream = stream
        self._recorder = recorder
        self._health = health
        self._heartbeat_s = heartbeat_s
        self._stopping = threading.Event()

    def run(self) -> None:
        """Feed until the source ends or `stop` is called.

        Raises:
            StreamUnavailableError: If the stream takes nothing when `stop` is called.
            VendorError: If the source cannot go on.
            StoreError: If events cannot be recorded.
        """
        self._health.started()
        try:
            self._source.start()
            while (delivery := self._source.take(self._heartbeat_s)) is not None:
                begun = time.monotonic()
                self._bring(delivery)
                self._tick()
                if 0 < delivery.events.height < _MANY:
                    self._stopping.wait(begun + _TURN_S - time.monotonic())
            if not self._stopping.is_set():
                self._beat()
        finally:
            self._source.close()
            if self._recorder:
                # Now: who reads on, to its end, finds all that it was told in the lake.
                self._recorder.close()
            self._health.ended()

    def stop(self) -> None:
        """End, from any thread: what the source has told until now is still brought."""
        self._stopping.set()
        self._source.close()

    def _bring(self, delivery: Delivery) -> None:
        self._note(delivery.before)
        self._refuse_malformed(delivery)
        if delivery.events.is_empty():
            if delivery.is_idle and not delivery.malformed:
                self._beat()
        else:
            self._tell(self._judged(delivery.events))
        self._note(delivery.after)

    def _tell(self, events: pl.DataFrame) -> None:
        if events.height:
            self._came.pass_frame(events)
            if self._recorder:
                self._recorder.record(events)
            self._went.pass_frame(events)
            self._put(events)
            self._health.accepted(events.height, events["time"][-1], events["received"][-1])

    def _put(self, events: pl.DataFrame) -> None:
        """Put events into the stream, what it does not take again and again."""
        while True:
            try:
                self._stream.put(events)
            except StreamUnavailableError as error:
                if self._stopping.is_set():
                    raise
                self._await_stream(error)
                events = decode_events(error.unwritten)[0] if error.unwritten else events
            else:
                self._health.waits("")
                return
            self._stopping.wait(_AGAIN_S)
            self._tick()

    def _await_stream(self, error: StreamUnavailableError) -> None:
        if not self._health.waiting:
            _log.warning("the stream is away; all waits until it is back", error=str(error))
        self._health.waits(error.fact)

    def _tick(self) -> None:
        if self._recorder:
            self._recorder.tick()
            self._health.unlanded = self._recorder.waiting

    def _note(self, spans: Sequence[Span]) -> None:
        for span in spans:
            if span.why in _MISSING:
                self._health.gap(span)
        if self._recorder and spans:
            self._recorder.note(spans)

    def _judged(self, events: pl.DataFrame) -> pl.DataFrame:
        if self._judge is None:
            return events
        accepted, refused = self._judge.judge(events)
        if refused.height:
            self._refuse(refused)
        return accepted

    def _beat(self) -> None:
        now = self._source.now_us()
        beat = Event("heartbeat", "", now, moves=0, received=now, source=self._source.name)
        try:
            self._stream.put(events_of([asdict(beat)]))
        except StreamUnavailableError as error:
            self._await_stream(error)  # and the next heartbeat tells a later time
            return
        self._health.waits("")
        self._health.heartbeat()

    def _refuse(self, refused: pl.DataFrame) -> None:
        for reason, count in refused["reason"].value_counts().iter_rows():
            self._health.refuse(reason, count)
            _log.warning("events refused", why=REASONS[reason], count=count)
        if self._recorder:
            rows = refused.drop("reason")
            lines = zip(refused["reason"], rows["received"], encode_events(rows), strict=True)
            self._recorder.refuse(
                [
                    {"reason": reason, "received": received, "event": line.decode()}
                    for reason, received, line in lines
                ]
            )

    def _refuse_malformed(self, delivery: Delivery) -> None:
        if not delivery.malformed:
            return
        self._health.refuse("malformed", len(delivery.malformed))
        _log.warning("events refused", why=REASONS["malformed"], count=len(delivery.malformed))
        if self._recorder:
            self._recorder.refuse(
                [
                    {"reason": "malformed", "received": each.received, "text": each.text}
                    for each in delivery.malformed
                ]
            )
