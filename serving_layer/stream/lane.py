"""Reads that wait their turn: some at a time, in a thread, each again after a while at soonest."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from lake.errors import FiblakeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from serving_layer.stream.channels import ChannelName

_log = structlog.get_logger(__name__)
_RETRY_S: Final = 1.0


class Lane:
    """One kind of reads, one after the other.

    Args:
        work: Reads for some channels, and tells what it found.
        at_once: For how many at most.
        pace_s: After how long a channel is read for again, at soonest.
        share: Of the time that the lane may be at work.
    """

    def __init__(
        self,
        work: Callable[[Sequence[ChannelName]], Awaitable[None]],
        *,
        at_once: int,
        pace_s: float = 0,
        share: float = 1,
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._pace_s = pace_s
        self._share = share
        self._asked: dict[ChannelName, float] = {}
        self._read_at: dict[ChannelName, float] = {}
        self._woken = asyncio.Event()
        self._failing: set[ChannelName] = set()

    def ask(self, name: ChannelName) -> None:
        """Let it be read for a channel; once, however often it is asked before it is."""
        if name not in self._asked:
            self._asked[name] = self._read_at.get(name, float("-inf")) + self._pace_s
            self._woken.set()

    def forget(self, name: ChannelName) -> None:
        """Read no more for a channel."""
        self._asked.pop(name, None)
        self._read_at.pop(name, None)
        self._failing.discard(name)

    async def run(self) -> None:
        """Read, until it is cancelled."""
        while True:
            now = time.monotonic()
            ready = [name for name, at in self._asked.items() if at <= now][: self._at_once]
            if ready:
                await self._read(ready)
            else:
                await self._asked_again(now)

    async def _read(self, names: Sequence[ChannelName]) -> None:
        for name in names:
            del self._asked[name]
        begun = time.monotonic()
        if not await self._is_done(names) and len(names) > 1:
            # What is wrong with one of them is no reason to let the others wait.
            for name in names:
                self._asked.pop(name, None)
                await self._is_done([name])
        took_s = time.monotonic() - begun
        if self._share < 1:
            await asyncio.sleep(took_s / self._share - took_s)

    async def _is_done(self, names: Sequence[ChannelName]) -> bool:
        begun = time.monotonic()
        try:
            await self._work(names)
        except Exception as error:  # noqa: BLE001 - of one channel; the others are told on
            self._retry(names, error)
            return False
        self._failing.difference_update(names)
        if self._pace_s:
            self._read_at |= dict.fromkeys(names, begun)
        return True

    def _retry(self, names: Sequence[ChannelName], error: Exception) -> None:
        self._asked |= dict.fromkeys(names, time.monotonic() + _RETRY_S)
        if not self._failing.issuperset(names):
            told = error if isinstance(error, FiblakeError) else repr(error)
            trace = None if isinstance(error, FiblakeError) else error
            channels = [str(name) for name in names]
            _log.warning("not read", channels=channels, error=str(told), exc_info=trace)
        self._failing.update(names)

    async def _asked_again(self, now: float) -> None:
        self._woken.clear()
        soonest = min(self._asked.values(), default=None)
        try:
            async with asyncio.timeout(None if soonest is None else max(0.0, soonest - now)):
                await self._woken.wait()
        except TimeoutError:
            return
