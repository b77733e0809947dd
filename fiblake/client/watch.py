"""A stream for scripts that are not asynchronous: a plain iterator."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from fiblake.client.events import Event
    from fiblake.client.stream import Stream


class Watch:
    """Events of a stream, as an iterator, and a context manager that closes it.

    The connection is kept by a thread of its own, so that it lives while an event is worked on.

    Args:
        stream: Whose events these are.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._loop = asyncio.new_event_loop()
        self._coming: asyncio.Task[Event | None] | None = None
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        # Whoever closes it cancels what was asked for before, and nothing is afterwards.
        with self._closing:
            if not self._thread.is_alive():
                raise StopIteration
            coming = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        try:
            event = coming.result()
        except CancelledError:
            # Another thread closed it.
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        if event is None:
            self.close()
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream, its connection and its thread."""
        with self._closing:
            if self._thread.is_alive():
                asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()

    async def _next(self) -> Event | None:
        # A StopAsyncIteration cannot pass through a future.
        self._coming = asyncio.current_task()
        return await anext(self._stream, None)

    async def _end(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait([self._coming])
        await self._stream.aclose()
