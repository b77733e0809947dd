"""Who is told: what a connection still has to be told, and how it is when it cannot take it.

A connection that keeps pace is told events that were built once for all. One that does not is
`behind`: of each channel it is known up to which seq it was told, and that is all that is kept for
it. Once it takes again, it is told the latest state of what changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from serving_layer.stream.frames import changes_frame, changes_frames, written

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from serving_layer.stream.channel import Channel

HIGH_BYTES: Final = 65_536
"""Of what was written and is not taken: with more, nothing is written."""
Why = Literal["restarted", "slow", "view"]
_WHY: Final[dict[Why, str]] = {
    "restarted": "This is another server process than the one that was listened to.",
    "slow": "What changed since then is not known any more.",
    "view": "The realtime view lost changes.",
}


class Outlet(Protocol):
    """Where a connection's frames go."""

    @property
    def waiting(self) -> int:
        """How many bytes were written that are not taken yet."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it was not closed, by either side."""
        ...

    def write(self, text: bytes) -> None:
        """Write a text frame; after the end, nothing happens."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Close the connection, whatever else is waiting."""
        ...

    async def ended(self) -> None:
        """Wait until the end is told, or cannot be; nothing is written after it."""
        ...


class Due(NamedTuple):
    """What a subscriber has to be told of a channel.

    Attributes:
        what: `changes` after `seq`; the same, after it was said that it goes on; a snapshot, after
            it was said that there is a gap, or without.
        seq: Up to which it was told; None: never.
        why: There is a gap.
    """

    what: Literal["changes", "resumed", "gap", "snapshot"]
    seq: int | None = None
    why: Why = "restarted"


SNAPSHOT: Final = Due("snapshot")


def first_due(channel: Channel, seq: int | None, *, is_ours: bool) -> Due:
    """Return what is due to who subscribes.

    Args:
        channel: To what.
        seq: Up to which it was told; None: never.
        is_ours: Whether it was this stream that told it.
    """
    if seq is None:
        return SNAPSHOT
    if is_ours and channel.is_loaded and channel.can_resume(seq):
        return Due("resumed", seq)
    return Due("gap", seq, "slow" if is_ours else "restarted")


class Subscriber:
    """One connection, as the hub sees it.

    Args:
        outlet: Where its frames go.
        now: The instant, in seconds of a clock that only goes forward.
    """

    __slots__ = (
        "_complete",
        "channels",
        "due",
        "is_behind",
        "is_in_line",
        "out",
        "outlet",
        "taken_at",
        "told_at",
        "waiting",
    )

    def __init__(self, outlet: Outlet, now: float) -> None:
        self.outlet = outlet
        self.channels: dict[str, Channel] = {}
        self.out: list[bytes] = []
        """Events that wait for its turn."""
        self.due: dict[Channel, Due] = {}
        self.is_behind = False
        self.is_in_line = False
        self.told_at = now
        self.taken_at = now
        """When it last took something, or nothing was waiting for it."""
        self.waiting = 0
        self._complete: dict[tuple[Channel, int], bytes] = {}

    def look(self, now: float) -> None:
        """See whether it keeps pace."""
        waiting = self.outlet.waiting
        is_full = waiting > HIGH_BYTES
        if not is_full or waiting < self.waiting:
            self.taken_at = now
        self.waiting = waiting
        self.is_behind = is_full or bool(self.due)

    def answer(self, now: float, told: dict[str, Any]) -> None:
        """Tell something at once."""
        self.outlet.write(written(told))
        self.told_at = now

    def complete(self, channel: Channel, start: int, text: bytes) -> None:
        """Tell, after what is due, that a start is complete: of each the last time alone."""
        self._complete[channel, start] = text

    def flush(self, now: float, boundary: Callable[[Channel], dt.date | None]) -> None:
        """Write what is to be told, as far as it is taken.

        Args:
            now: The instant.
            boundary: Tells the last session that batch has committed, for a channel's snapshot.
        """
        if self.out:
            self._write_out(now)
        if self.due and self.outlet.waiting <= HIGH_BYTES:
            for frame in self._catching_up(boundary):
                self._write(frame, now)
        if self._complete and not self.due and self.outlet.waiting <= HIGH_BYTES:
            for text in self._complete.values():
                self._write(text, now)
            self._complete.clear()

    def lose(self, channel: Channel) -> None:
        """Tell it that the view lost changes of a channel, and a snapshot then."""
        due = self.due.get(channel, Due("changes", channel.seq))
        if due.what in {"changes", "resumed"}:
            self.due[channel] = Due("gap", due.seq, "view")

    def drop(self, channel: Channel) -> None:
        """Tell no more of a channel."""
        self.channels.pop(channel.text, None)
        self.due.pop(channel, None)
        for key in [key for key in self._complete if key[0] is channel]:
            del self._complete[key]

    def _write_out(self, now: float) -> None:
        frame = changes_frame(self.out)
        if len(frame) <= HIGH_BYTES:
            self._write(frame, now)
        else:
            for each in changes_frames(self.out):
                self._write(each, now)
        self.out.clear()

    def _catching_up(self, boundary: Callable[[Channel], dt.date | None]) -> Iterator[bytes]:
        """Yield the frames of what is due, while the outlet takes them."""
        events: list[bytes] = []
        size = 0
        for channel, due in list(self.due.items()):
            if self.outlet.waiting + size > HIGH_BYTES:
                break
            del self.due[channel]
            if due.what in {"changes", "resumed"} and channel.can_resume(due.seq or 0):
                if due.what == "resumed":
                    told = {"type": "resumed", "channel": channel.text, "seq": due.seq}
                    yield written(told)
                new = channel.since(due.seq or 0)
                events += new
                size += sum(map(len, new))
                continue
            if due.what != "snapshot":
                why: Why = due.why if due.what == "gap" else "slow"
                yield written(_gap(channel, due.seq, why))
            yield from channel.snapshot(boundary(channel))
        yield from changes_frames(events)

    def _write(self, text: bytes, now: float) -> None:
        self.outlet.write(text)
        self.told_at = now


def _gap(channel: Channel, seq: int | None, why: Why) -> dict[str, Any]:
    return {
        "type": "gap",
        "channel": channel.text,
        "from": seq,
        "until": channel.seq,
        "why": why,
        "message": _WHY[why],
    }
