"""Who of the sockets of one dialect is told what; each message is made once for all of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from serving_layer.dialects.dialect import ALL, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serving_layer.dialects.dialect import Dialect, Said, Stream
    from serving_layer.dialects.outbox import Item, Outbox


class Audience:
    """The sockets that speak a dialect.

    Args:
        dialect: What they speak.

    Attributes:
        dialect: Likewise.
        told: How many messages sockets were to be told so far, of each each one.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.told = 0
        self._subscribed: defaultdict[Topic, set[Outbox]] = defaultdict(set)

    def add(self, outbox: Outbox, topics: Iterable[Topic]) -> None:
        """Let a socket be told of topics."""
        for topic in topics:
            self._subscribed[topic].add(outbox)

    def remove(self, outbox: Outbox, topics: Iterable[Topic]) -> None:
        """Let a socket be told of topics no more."""
        for topic in topics:
            sockets = self._subscribed.get(topic, set())
            sockets.discard(outbox)
            if not sockets:
                self._subscribed.pop(topic, None)

    def symbols(self, *streams: Stream) -> set[str]:
        """Return whose streams somebody is told of; `ALL` is one of them."""
        return {topic.symbol for topic in self._subscribed if topic.stream in streams}

    def tell(self, stream: Stream, items: Sequence[Item]) -> None:
        """Let each socket have the messages of a stream that it is subscribed to, once."""
        if not items:
            return
        whole = self._subscribed.get(Topic(stream, ALL), set())
        for outbox in whole:
            outbox.put_all(items)
        self.told += len(items) * len(whole)
        for item in items:
            for outbox in self._subscribed.get(Topic(stream, item.symbol), ()):
                if outbox not in whole:
                    outbox.put(item)
                    self.told += 1

    def end(self, why: Said, *streams: Stream) -> None:
        """End the connection of each socket that is told of some streams."""
        for topic, sockets in self._subscribed.items():
            if topic.stream in streams:
                for outbox in sockets:
                    outbox.end(why)
