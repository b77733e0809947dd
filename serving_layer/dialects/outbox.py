"""What waits to be written to one socket: bounded, whatever its reader does.

Of a bar only the latest state waits. Trades all count: where more wait than there is room for, the
reader is too slow, and the connection ends rather than leave some out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from serving_layer.dialects.dialect import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

MOST_TRADES: Final = 50_000
MOST_BARS: Final = 100_000
_MOST_ANSWERS: Final = 20_000
"""One message may ask for thousands of topics, each of which some dialects answer."""
_FRAME_BYTES: Final = 64 * 1024


class Item(NamedTuple):
    """One message to subscribers.

    Attributes:
        symbol: As the lake spells it.
        key: Of a bar, what tells it from others; None: all of them count, as trades.
        message: As it is written, without what frames it.
    """

    symbol: str
    key: Hashable
    message: bytes


class Outbox:
    """The messages for one socket.

    Args:
        frame: Makes a frame of messages.
        most_trades: How many messages may wait of which all count.
        most_bars: And of those of which the latest does.

    Attributes:
        ended: Why nothing waits any more, and the connection is to end; None: it goes on.
    """

    def __init__(
        self,
        frame: Callable[[Sequence[bytes]], bytes],
        *,
        most_trades: int = MOST_TRADES,
        most_bars: int = MOST_BARS,
    ) -> None:
        self.ended: Said | None = None
        self._frame = frame
        self._most_trades = most_trades
        self._most_bars = most_bars
        self._answers: deque[bytes] = deque()
        self._bars: dict[Hashable, bytes] = {}
        self._trades: deque[bytes] = deque()
        self._news = asyncio.Event()

    def answer(self, messages: Iterable[bytes]) -> None:
        """Let answers wait, each to be a frame of its own, before all else."""
        self._answers.extend(self._frame([message]) for message in messages)
        self._noted()

    def put(self, item: Item) -> None:
        """Let a message wait."""
        if item.key is None:
            self._trades.append(item.message)
        else:
            self._bars[item.key] = item.message
        self._noted()

    def put_all(self, items: Sequence[Item]) -> None:
        """Let messages wait, all of which have a key, or none has."""
        if items and items[0].key is None:
            self._trades.extend(item.message for item in items)
        else:
            self._bars.update((item.key, item.message) for item in items)
        self._noted()

    async def wait(self) -> None:
        """Wait until there is something to be written, or it is too late for that."""
        await self._news.wait()

    def take(self) -> bytes | None:
        """Return the next frame to be written; None: there is none."""
        if self._answers:
            return self._answers.popleft()
        messages, size = [], 0
        while size < _FRAME_BYTES and (self._bars or self._trades):
            messages.append(self._next())
            size += len(messages[-1])
        if not messages:
            self._news.clear()
            return None
        return self._frame(messages)

    def end(self, why: Said) -> None:
        """Drop what waits, and take nothing any more."""
        self.ended = why
        self._answers.clear()
        self._bars.clear()
        self._trades.clear()
        self._news.set()

    def _next(self) -> bytes:
        if self._bars:
            return self._bars.pop(next(iter(self._bars)))
        return self._trades.popleft()

    def _noted(self) -> None:
        is_full = (
            len(self._trades) > self._most_trades
            or len(self._bars) > self._most_bars
            or len(self._answers) > _MOST_ANSWERS
        )
        if self.ended or is_full:
            self.end(self.ended or Said.SLOW)
        self._news.set()
