"""What is known of a stream's channels, so that it can be resumed, and what their frames say.

A channel's items are told by snapshots and changes, each with the channel's `seq`. After a broken
connection the server is told the last one: it tells what changed since or, where it cannot, that
there is a gap, and all items anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiblake.client.events import Event, Gap, bar_of, complete_of, gap_of, price_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Channels:
    """The channels of one stream: what was told of them last.

    Args:
        names: As they were asked for; once they are subscribed to, as the server spells them.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._stream = ""
        self._last: dict[str, tuple[str, int]] = {}
        self._has_gap: set[str] = set()

    def open(self, stream: str) -> None:
        """Note that what follows is told by a server's stream of that id."""
        self._stream = stream
        self._has_gap.clear()

    def resume_from(self) -> dict[str, Any]:
        """Return where to resume: the stream and the last `seq` of each channel; nothing: begin."""
        if not self._last:
            return {}
        # Channels may be of two streams, where a connection broke amid a snapshot: those of the
        # older one are told anew, which is a gap.
        stream = self._stream_of_most()
        known = {name: seq for name, (of, seq) in self._last.items() if of == stream}
        return {"stream": stream, **known}

    def events(self, frame: Mapping[str, Any]) -> Iterator[Event]:
        """Yield what a frame tells of channels; of other frames nothing."""
        kind = frame["type"]
        if kind == "snapshot":
            yield from self._snapshot(frame)
        elif kind == "changes":
            for told in frame["events"]:
                yield self._change(told)
        elif kind == "gap":
            self._has_gap.add(frame["channel"])
            yield gap_of(frame)
        elif kind == "complete":
            yield complete_of(frame)

    def _snapshot(self, frame: Mapping[str, Any]) -> Iterator[Event]:
        name, seq = frame["channel"], frame["seq"]
        before = self._last.get(name)
        if before is not None and name not in self._has_gap:
            message = "The server tells all of it anew."
            yield Gap(name, before[1], seq, "replaced", message)
        self._has_gap.discard(name)
        self._last[name] = (self._stream, seq)
        for told in frame.get("prices", ()):
            yield price_of(name, seq, told)
        for told in frame.get("bars", ()):
            yield bar_of(name, seq, told)

    def _change(self, told: Mapping[str, Any]) -> Event:
        name, seq = told["channel"], told["seq"]
        self._last[name] = (self._stream, seq)
        if "price" in told:
            return price_of(name, seq, told["price"])
        return bar_of(name, seq, told["bar"])

    def _stream_of_most(self) -> str:
        streams = [of for of, _ in self._last.values()]
        return max(streams, key=streams.count)
