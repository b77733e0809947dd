"""A vendor that only ticks: Massive's socket, its trades written at a rate, each telling when.

A trade's price is the seconds from an instant to its writing, by the machine's monotonic clock,
which all processes share: so whoever sees a price knows how old it is.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.bench.timing import ROOT

_EVERY_S: Final = 0.002
_MOST_A_FRAME: Final = 100
_CONDITIONS: Final = ("[]", "[37]", "[14,41]")


class Ticking:
    """Tells trades of symbols in turn to whoever subscribes, from then on.

    Args:
        symbols: How many.
        per_second: How many trades.
        zero: The instant, by the monotonic clock, from which prices count.
        opened_ms: The time of a trade at that instant, in milliseconds.
    """

    def __init__(self, symbols: int, per_second: int, zero: float, opened_ms: int) -> None:
        self._symbols = cycle([f"S{number:04}" for number in range(symbols)])
        self._per_second = per_second
        self._zero = zero
        self._opened_ms = opened_ms

    async def serve(self) -> None:
        """Serve for ever, once the port is told."""
        async with serve(self._listen, "127.0.0.1", 0, compression=None) as server:
            print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - to who started it
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def _listen(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await _say(socket, "connected", "Connected Successfully")
            await socket.recv()
            await _say(socket, "auth_success", "authenticated")
            asked = json.loads(await socket.recv())["params"]
            await _say(socket, "success", f"subscribed to: {asked}")
            await self._tick(socket)

    async def _tick(self, socket: ServerConnection) -> None:
        begun, told = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - begun) * self._per_second)
            if due > told:
                until = min(due, told + _MOST_A_FRAME)
                await socket.send(self._frame(told, until))
                told = until
            await asyncio.sleep(_EVERY_S if told == due else 0)

    def _frame(self, first: int, until: int) -> str:
        age = time.monotonic() - self._zero
        at = self._opened_ms + int(age * 1000)
        return f"[{','.join(self._trade(number, age, at) for number in range(first, until))}]"

    def _trade(self, number: int, age: float, at: int) -> str:
        return (
            f'{{"ev":"T","sym":"{next(self._symbols)}","x":4,"i":"{number}","z":3,"p":{age:.6f},'
            f'"s":100,"c":{_CONDITIONS[number % len(_CONDITIONS)]},"t":{at},"q":{number}}}'
        )


async def _say(socket: ServerConnection, status: str, message: str) -> None:
    await socket.send(json.dumps([{"ev": "status", "status": status, "message": message}]))


@contextmanager
def ticking(symbols: int, per_second: int, zero: float, opened_ms: int) -> Iterator[str]:
    """Let a process of its own tick; yield where to listen."""
    given = map(str, (symbols, per_second, zero, opened_ms))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.ticking", *given],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate()


if __name__ == "__main__":
    _symbols, _per_second, _zero, _opened_ms = sys.argv[1:]
    asyncio.run(Ticking(int(_symbols), int(_per_second), float(_zero), int(_opened_ms)).serve())
