"""A proxy that cuts connections: in front of servers that come and go, for one address.

clients ──► CuttingProxy ──► whichever server there is
               │
               └ cuts all connections now, or each after so many bytes
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self


class CuttingProxy:
    """The proxy, in a thread of its own; leaving the block ends it.

    Attributes:
        upstream: Host and port of the server; empty: nobody is let through.
        url: Where it listens.
        connections: How many there were.
    """

    def __init__(self, upstream: str = "") -> None:
        self.upstream = upstream
        self.connections = 0
        self._left: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, after: int | None = None) -> None:
        """Cut all connections: now, or once so many bytes more have come from the server."""
        self._do(self._cut(after))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _cut(self, after: int | None) -> None:
        self._left = after
        if after is None:
            for writer in self._open:
                writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut(None)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        host, _, port = self.upstream.partition(":")
        ends = [writer]
        try:
            if self.upstream:
                there, to_there = await asyncio.open_connection(host, int(port))
                ends.append(to_there)
                self._open.update(ends)
                await asyncio.gather(self._up(reader, to_there), self._down(there, writer))
        except OSError:
            pass
        finally:
            self._open.difference_update(ends)
            for end in ends:
                end.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self._left is not None:
                data, self._left = data[: self._left], max(0, self._left - len(data))
            writer.write(data)
            await writer.drain()
            if self._left == 0:
                self._left = None
                await asyncio.sleep(0)
                raise ConnectionResetError
        raise ConnectionResetError
