"""An open loop: requests leave at their times, whether or not those before were answered.

The client is about the least that speaks HTTP, as it runs on the same cores as who it asks. A
request counts from the instant at which it was due: where the client is late, too, that counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from collections import deque
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np

_PATIENT_S: Final = 30.0
_OK: Final = 200
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_FAULTS: Final = (OSError, EOFError, ValueError, IndexError)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Client:
    """Asks one server, over connections that it keeps."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        # The one that has rested longest is next: none rests until the server closes it.
        self._idle: deque[Connection] = deque()

    async def bytes_of(self, path: str) -> int:
        """Return how many bytes the answer to a GET has.

        Raises:
            OSError, EOFError, ValueError, IndexError: If there is none, or not the one hoped for.
        """
        connection = self._idle.popleft() if self._idle else await self._opened()
        try:
            status, size = await _answer(path, *connection)
        except BaseException:
            connection[1].close()
            raise
        if status != _OK:
            # The server may close it, too.
            connection[1].close()
            msg = f"{path} was answered with {status}"
            raise ValueError(msg)
        self._idle.append(connection)
        return size

    async def _opened(self) -> Connection:
        return await asyncio.open_connection(self._host, self._port, limit=1 << 20)

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self._idle:
            writer.close()


async def _answer(
    path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[int, int]:
    """Return the status of an answer, and how many bytes it has."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    size = int(head.partition("content-length:")[2].partition("\r\n")[0])
    await reader.readexactly(size)
    return int(head.split(" ", 2)[1]), size


class _Loop:
    """One run of requests."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self.took_ms: dict[str, list[float]] = {}
        self.errors: dict[str, list[str]] = {}
        self.sizes: dict[str, int] = {}

    async def run(self, requests: list[list[str]], per_second: float, skipped: int) -> float:
        """Send all, of which the first ones just warm up; return the seconds of the others."""
        begun = time.monotonic() + 0.1
        asked = []
        for number, (kind, path) in enumerate(requests):
            due = begun + number / per_second
            await asyncio.sleep(due - time.monotonic())
            counts = number >= skipped
            asked.append(asyncio.create_task(self._ask(kind, path, due, counts=counts)))
        await asyncio.gather(*asked)
        return time.monotonic() - begun - skipped / per_second

    async def _ask(self, kind: str, path: str, due: float, *, counts: bool) -> None:
        try:
            async with asyncio.timeout(_PATIENT_S):
                size = await self._client.bytes_of(path)
        except _FAULTS as error:
            self.errors.setdefault(kind, []).append(repr(error))
            return
        self.sizes[path] = size
        if counts:
            self.took_ms.setdefault(kind, []).append((time.monotonic() - due) * 1000)


def load_task(url: str, plan: str, sizes: str, server: int) -> dict[str, Any]:
    """Load a server.

    Args:
        url: Where it is.
        plan: A JSON file: `requests`, each its kind and path; `per_second`; and how many of them
            just warm up: `skipped`.
        sizes: Where to write how many bytes each path was answered with, as JSON.
        server: Its process.

    Returns:
        Of each kind how many were answered, with how many KiB on average, the quantiles, and its
        errors; and how busy the process was meanwhile.
    """
    told = json.loads(Path(plan).read_text("utf-8"))
    client = _Client(url)
    loop = _Loop(client)
    # Else the client is late by a tenth of a second now and then, looking for garbage.
    gc.collect()
    gc.freeze()
    before = _cpu_s(server)

    async def run() -> float:
        try:
            return await loop.run(told["requests"], told["per_second"], told["skipped"])
        finally:
            client.close()
            gc.unfreeze()

    seconds = asyncio.run(run())
    busy = (_cpu_s(server) - before) / (seconds + told["skipped"] / told["per_second"])
    Path(sizes).write_text(json.dumps(loop.sizes), "utf-8")
    kinds = {kind: _told(loop, kind, told["requests"]) for kind in loop.took_ms | loop.errors}
    return {"kinds": kinds, "cpu": busy}


def _told(loop: _Loop, kind: str, requests: list[list[str]]) -> dict[str, Any]:
    took, errors = loop.took_ms.get(kind, []), loop.errors.get(kind, [])
    p50, p95, p99 = np.percentile(took, [50, 95, 99]) if took else [float("nan")] * 3
    sizes = [loop.sizes[path] for each, path in requests if each == kind and path in loop.sizes]
    return {
        "answered": len(took),
        "kib": float(np.mean(sizes)) / 1024 if sizes else 0.0,
        "ms": [p50, p95, p99, max(took, default=float("nan"))],
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
    }


def _cpu_s(process: int) -> float:
    """Return the seconds of processors that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
