"""One channel: the latest state of its items, and since when each is so.

    seq     11        12        13        14        a subscriber that was told up to 12 lacks
    items   AAPL@11   MSFT@12   IBM@13    AAPL@14   IBM@13 and AAPL@14: AAPL@11 is no more

So nobody needs a queue of his own: who lags, or comes back, is told all items later than what he
has. Items are kept in order of their last change; of those that are let go, the first is known
from which on nothing is lacking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from serving_layer.stream.frames import SNAPSHOT_BYTES, changes_frames, event_head, event_json
from serving_layer.stream.frames import written as json

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from serving_layer.stream.channels import ChannelName
    from serving_layer.stream.subscriber import Due, Subscriber

Key = tuple[str, int]
"""Of an item: its symbol, and the start of a bar; of a price 0."""
Rank = tuple[int, int]
"""Which of two states of an item is later: in force is the higher."""
_MOST: Final = 2_000
_MOST_OF_ALL: Final = 100_000
"""Some 60 MB of bars."""


class State(NamedTuple):
    """An item as it is.

    Attributes:
        key: Which.
        rank: Of its states.
        session: Of the item, as an ordinal; of a bar of sessions, its start.
        body: Its JSON.
        is_vanished: Whether it says that there is none any more.
    """

    key: Key
    rank: Rank
    session: int
    body: bytes
    is_vanished: bool = False


class _Item(NamedTuple):
    seq: int
    state: State


class Channel:
    """What is told under one name.

    Args:
        name: What it tells of.
        seq: Higher than any that a channel of this name may have had before.
        most: How many items it keeps.
    """

    def __init__(self, name: ChannelName, seq: int = 0, *, most: int | None = None) -> None:
        self.name = name
        self.text = str(name)
        self.seq = seq
        self.floor = seq
        self.is_loaded = False
        self.subscribers: dict[Subscriber, None] = {}
        self.waiting: dict[Subscriber, Due] = {}
        """Who subscribed before it was loaded, and what they are told once it is."""
        self.lost_at: int | None = seq
        """The seq after which all changes were heard, but not what there was before; None: it is
        all known."""
        self.empty_since = 0.0
        """When its last subscriber went; of no use while it has some."""
        self._latest_session = 0
        self._snapshot: tuple[tuple[int, dt.date | None], list[bytes]] | None = None
        self._items: dict[Key, _Item] = {}
        self._most = most or (_MOST_OF_ALL if name.is_market else _MOST)
        self._head = event_head(self.text, "bar" if name.interval else "price")
        self._recent = _recent_groups(name)

    @property
    def latest_session(self) -> int:
        """The latest session that it was told of; 0: none yet."""
        return self._latest_session

    @property
    def has_items(self) -> bool:
        """Whether it knows any, or that one has vanished."""
        return bool(self._items)

    def put(self, state: State) -> bytes | None:
        """Take in a state, and return its event; None where it is no news."""
        held = self._items.get(state.key)
        if held is not None and (held.state.rank >= state.rank or held.state.body == state.body):
            return None
        self.seq += 1
        if held is not None:
            del self._items[state.key]
        self._snapshot = None
        self._hold(state)
        return event_json(self._head, self.seq, state.body)

    def update(
        self, states: Sequence[State], gone: Callable[[Key], bytes], since: int
    ) -> list[bytes]:
        """Take in all recent states, and return the events of those that are news.

        Args:
            states: Of what is not among them, what is older is kept, and the rest has vanished.
            gone: Tells as JSON that an item has vanished.
            since: The seq when the read of the states began; what was put later is kept as well.
        """
        known = {state.key for state in states}
        oldest = min((start for _, start in known), default=None)
        missing = [
            state._replace(
                rank=(state.rank[0], state.rank[1] + 1), body=gone(key), is_vanished=True
            )
            for key, (seq, state) in self._items.items()
            if key not in known and not state.is_vanished and seq <= since
            if oldest is not None and key[1] >= oldest
        ]
        events = map(self.put, [*states, *missing])
        return [event for event in events if event is not None]

    def reset(self, states: Iterable[State], since: int) -> None:
        """Begin anew with states that were read; what was put after `since` stays where later."""
        later = {key: item.state for key, item in self._items.items() if item.seq > since}
        self._items = {}
        self.seq += 1
        for state in states:
            held = later.pop(state.key, state)
            self._hold(held if held.rank > state.rank else state)
        for state in later.values():
            self._hold(state)
        self.floor = self.seq
        self.is_loaded, self.lost_at = True, None

    def can_resume(self, seq: int) -> bool:
        """Return whether all changes after a seq are known."""
        return self.floor <= seq <= self.seq

    def since(self, seq: int) -> list[bytes]:
        """Return the events of all items that changed after a seq, in their order."""
        found = []
        for item in reversed(self._items.values()):
            if item.seq <= seq:
                break
            found.append(event_json(self._head, item.seq, item.state.body))
        found.reverse()
        return found

    def snapshot(self, boundary: dt.date | None) -> Sequence[bytes]:
        """Return the frames that tell all recent items: what does not fit the first are changes.

        Of several frames all but the last event have a seq that cannot be resumed from: who is cut
        off amid them is told all anew.

        Args:
            boundary: The last session that batch has committed, as bars are told with it.
        """
        told = self.seq, boundary
        if self._snapshot is None or self._snapshot[0] != told:
            self._snapshot = told, list(self._frames(boundary))
        return self._snapshot[1]

    def _frames(self, boundary: dt.date | None) -> Iterator[bytes]:
        standing = [item.state for item in self._items.values() if not item.state.is_vanished]
        if self._recent:
            groups = sorted(set(map(self._group, standing)))[-self._recent :]
            standing = [state for state in standing if self._group(state) in groups]
        bodies = [state.body for state in sorted(standing)]
        first = _fitting(bodies)
        kind, told = ("bars", {"boundary": boundary}) if self.name.interval else ("prices", {})
        rest = bodies[first:]
        begun = self.floor - 1 if rest else self.seq
        head = {"type": "snapshot", "channel": self.text, "seq": begun} | told
        yield b'%b,"%b":[%b]}' % (json(head)[:-1], kind.encode(), b",".join(bodies[:first]))
        seqs = [begun] * (len(rest) - 1) + [self.seq]
        events = (event_json(self._head, *each) for each in zip(seqs, rest, strict=False))
        yield from changes_frames(events)

    def _hold(self, state: State) -> None:
        self._items[state.key] = _Item(self.seq, state)
        self._latest_session = max(self._latest_session, state.session)
        if len(self._items) > self._most:
            oldest = next(iter(self._items))
            self.floor = max(self.floor, self._items.pop(oldest).seq)

    def _group(self, state: State) -> int:
        """Return by what the recent ones are told: by session, else by the start of bars."""
        return state.session if self._recent == 1 else state.key[1]


def _fitting(bodies: Sequence[bytes]) -> int:
    """Return how many of the first fit into a snapshot."""
    size = 0
    for count, body in enumerate(bodies):
        size += len(body) + 1
        if size > SNAPSHOT_BYTES:
            return count
    return len(bodies)


def _recent_groups(name: ChannelName) -> int | None:
    """Return how many of the latest groups of items a snapshot tells; None: all."""
    if name.interval is None:
        return None
    return 2 if name.is_market or name.is_merged else 1
