"""What is known of a stream's channels, so that it can be resumed, and what their frames say.

A channel's items are told by snapshots and changes, each with the channel's `seq`. After a broken
connection the server is told the last one: it tells what changed since or, where it cannot, that
there is a gap, and all items anew.

    snapshot@7  changes@7  changes@9      a snapshot that is too large for a frame goes on as
    |----- one snapshot -----|            changes of its seq: broken off amid them, it is no
                                          place to resume from
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fiblake.client.events import Event, Gap, bar_of, complete_of, gap_of, price_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_WHOLE_BYTES: Final = 1 << 18
"""A snapshot of fewer bytes is one frame."""
_NOBODY: Final = ""
_AT_ONCE: Final = 200
"""Channels in one action: it must fit a frame of 64 KiB."""


class Channels:
    """The channels of one stream: what was told of them last.

    Args:
        names: As they were asked for; once they are subscribed to, as the server spells them.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._stream = self._teller = _NOBODY
        self._last: dict[str, tuple[str, int]] = {}
        self._has_gap: set[str] = set()
        self._begun: dict[str, int] = {}
        """Channels whose snapshot may go on, and its seq."""

    def actions(self) -> Iterator[dict[str, Any]]:
        """Yield what subscribes to all of them, and resumes what can be."""
        # What was told last of some channels may be of an older stream than of others, where a
        # connection broke before all were told of: they are told anew.
        stream = self._teller
        told = {name: last for name, last in self._last.items() if name not in self._begun}
        known = {name: seq for name, (of, seq) in told.items() if of == stream != _NOBODY}
        for begin in range(0, len(self.names), _AT_ONCE):
            names = self.names[begin : begin + _AT_ONCE]
            action: dict[str, Any] = {"action": "subscribe", "channels": names, "id": begin}
            seqs = {name: known[name] for name in names if name in known}
            yield action | ({"resume_from": {"stream": stream, **seqs}} if seqs else {})

    def open(self, stream: str) -> None:
        """Note that what follows is told by a server's stream of that id."""
        self._stream = stream
        self._has_gap.clear()
        # What broke off amid its snapshot was told by no stream in whole.
        self._last |= {name: (_NOBODY, seq) for name, seq in self._begun.items()}
        self._begun.clear()

    def events(self, frame: Mapping[str, Any], size: int) -> Iterator[Event]:
        """Yield what a frame tells of channels; of other frames nothing.

        Args:
            frame: As it was told.
            size: Of it, in bytes.
        """
        kind = frame["type"]
        self._go_on(frame["events"] if kind == "changes" else ())
        if kind == "snapshot":
            if size >= _WHOLE_BYTES:
                self._begun[frame["channel"]] = frame["seq"]
            yield from self._snapshot(frame)
        elif kind == "changes":
            for told in frame["events"]:
                yield self._change(told)
        elif kind == "gap":
            self._has_gap.add(frame["channel"])
            yield gap_of(frame)
        elif kind == "complete":
            yield complete_of(frame)

    def _go_on(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Note which snapshots go on with a frame; the others are whole."""
        if self._begun:
            told = {(each["channel"], each["seq"]) for each in events}
            self._begun = {name: seq for name, seq in self._begun.items() if (name, seq) in told}

    def _tell(self, name: str, seq: int) -> None:
        self._teller = self._stream
        self._last[name] = (self._stream, seq)

    def _snapshot(self, frame: Mapping[str, Any]) -> Iterator[Event]:
        name, seq = frame["channel"], frame["seq"]
        before = self._last.get(name)
        if before is not None and name not in self._has_gap:
            message = "The server tells all of it anew."
            yield Gap(name, before[1], seq, "replaced", message)
        self._has_gap.discard(name)
        self._tell(name, seq)
        for told in frame.get("prices", ()):
            yield price_of(name, seq, told)
        for told in frame.get("bars", ()):
            yield bar_of(name, seq, told)

    def _change(self, told: Mapping[str, Any]) -> Event:
        name, seq = told["channel"], told["seq"]
        self._tell(name, seq)
        if "price" in told:
            return price_of(name, seq, told["price"])
        return bar_of(name, seq, told["bar"])
