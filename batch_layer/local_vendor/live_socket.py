"""Massive's socket: a day's events told at the speed asked for, to whoever subscribed.

Source: https://massive.com/docs/websocket/quickstart, and what the official client reads: it passes
over the first frame, which says that it is connected.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from batch_layer.local_vendor.aggregates import json_of
from batch_layer.local_vendor.live_faults import LiveFaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from websockets.asyncio.server import Server, ServerConnection

    from batch_layer.local_vendor.access import Access
    from batch_layer.local_vendor.live_faults import LiveFault
    from batch_layer.local_vendor.live_market import LiveMarket

_PATH: Final = "/stocks"
_POLL_S: Final = 0.01
_SECOND_US: Final = 1_000_000
_POISON: Final = (
    '[{"ev":"T","sym":"POISON","p":1',
    '{"ev":"T"}',
    '[{"ev":"T","sym":"POISON","p":"much","s":1,"t":1,"q":1}]',
    '[{"ev":"XT","pair":"BTC-USD"},17]',
)


class LiveSocket:
    """The socket of a market, while it is entered.

    Args:
        market: What is told.
        access: The key that may listen.
        host: The address to listen on.
        port: The port; 0: any free one.
        speed: How many times as fast as the events were received; infinite: as fast as the
            slowest listener takes them. Then nothing happens while nobody listens.
        per_frame: How many events a frame has at most.
        since: When the day begins to happen, of receipt, in microseconds since 1970; None: with
            the first event.

    Attributes:
        faults: What is to go wrong.
    """

    def __init__(  # noqa: PLR0913 - each may be left out
        self,
        market: LiveMarket,
        access: Access,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = math.inf,
        per_frame: int = 100,
        since: int | None = None,
    ) -> None:
        self.faults = LiveFaults()
        self._market = market
        self._access = access
        self._host = host
        self._port = port
        self._speed = speed
        self._per_frame = per_frame
        self._listeners: dict[ServerConnection, set[str]] = {}
        self._received = market.events["received"].to_numpy()
        first = int(self._received[0]) if self._received.size else 0
        self._since = first if since is None else since
        self._loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        self._stopping = asyncio.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="live socket", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()
        if self._error:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """Where to listen."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{name}:{self._port}"

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._error = error
        finally:
            self._begun.set()
            self._loop.close()

    async def _serve(self) -> None:
        async with serve(self._listen, self._host, self._port, ping_interval=None) as server:
            self._port = _port(server)
            self._begun.set()
            telling = asyncio.ensure_future(self._tell())
            stopping = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait([telling, stopping], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
            telling.cancel()
            await asyncio.wait([telling])

    async def _listen(self, socket: ServerConnection) -> None:
        if socket.request is None or socket.request.path != _PATH:
            await socket.close(1008, f"Allowed: {_PATH}")
            return
        with suppress(ConnectionClosed):
            await _say(socket, "connected", "Connected Successfully")
            if await self._may_listen(socket):
                async for frame in socket:
                    await self._obey(socket, frame)
        self._listeners.pop(socket, None)

    async def _may_listen(self, socket: ServerConnection) -> bool:
        asked = _parsed(await socket.recv())
        is_known = asked == {"action": "auth", "params": self._access.key}
        if not is_known or self.faults.refuses():
            await _say(socket, "auth_failed", "authentication failed")
            return False
        await _say(socket, "auth_success", "authenticated")
        return True

    async def _obey(self, socket: ServerConnection, frame: str | bytes) -> None:
        match _parsed(frame):
            case {"action": "subscribe", "params": str(params)}:
                topics = params.split(",")
                for topic in topics:
                    await _say(socket, "success", f"subscribed to: {topic}")
                self._listeners.setdefault(socket, set()).update(topics)
            case {"action": "unsubscribe", "params": str(params)}:
                for topic in params.split(","):
                    await _say(socket, "success", f"unsubscribed to: {topic}")
                    self._listeners.get(socket, set()).discard(topic)
            case _:
                await _say(socket, "error", "unknown action")

    async def _tell(self) -> None:
        """Let the day happen."""
        begun: float | None = None
        while True:
            told = self._market.told
            fault = self.faults.due(told)
            if fault:
                await self._fail(fault)
                continue
            if math.isinf(self._speed):
                count = self._per_frame if self._listeners else 0
            else:
                begun = begun or time.monotonic()
                count = self._due(begun) - told
            at = self.faults.next_at()
            count = min(count, self._per_frame, count if at is None else at - told)
            if count <= 0 or told == self._market.events.height:
                await asyncio.sleep(_POLL_S)
                continue
            await self._send(self._market.advance(count))
            # However fast listeners are, those who come must be heard.
            await asyncio.sleep(0)

    def _due(self, begun: float) -> int:
        now = self._since + (time.monotonic() - begun) * self._speed * _SECOND_US
        return int(np.searchsorted(self._received, now, "right"))

    async def _send(self, events: pl.DataFrame, *, is_garbled: bool = False) -> None:
        for socket, topics in list(self._listeners.items()):
            some = _subscribed(events, topics)
            with suppress(ConnectionClosed):
                for frame in frames_of(some):
                    sent = frame[: len(frame) // 2] if is_garbled else frame
                    await socket.send(sent, text=True)

    async def _fail(self, fault: LiveFault) -> None:
        if fault.kind == "drop":
            for socket in list(self._listeners):
                socket.transport.abort()
            self._listeners.clear()
            self._market.advance(fault.events)
        elif fault.kind == "repeat":
            end = self._market.told
            begin = max(end - fault.events, 0)
            await self._send(self._market.events.slice(begin, end - begin))
        elif fault.kind == "garble":
            await self._send(self._market.advance(fault.events), is_garbled=True)
        elif fault.kind == "silence":
            await asyncio.sleep(fault.seconds)
        else:
            for socket in list(self._listeners):
                with suppress(ConnectionClosed):
                    for frame in _POISON:
                        await socket.send(frame)


def frames_of(events: pl.DataFrame) -> Iterator[bytes]:
    """Yield events as Massive writes them, a JSON list each time the topic changes."""
    if events.is_empty():
        return
    run = events["topic"].rle_id()
    for _, some in events.group_by(run, maintain_order=True):
        if some["topic"][0] == "T":
            yield json_of(some.select(_trade(is_corrected=bool((some["correction"] > 0).any()))))
        else:
            yield json_of(some.select(_AGGREGATE))


def _trade(*, is_corrected: bool) -> Sequence[pl.Expr]:
    code = [pl.col("correction").replace(0, None).alias("e")] if is_corrected else []
    return [
        pl.col("topic").alias("ev"),
        pl.col("ticker").alias("sym"),
        pl.lit(4).alias("x"),
        pl.col("sequence").cast(pl.String).alias("i"),
        pl.lit(3).alias("z"),
        pl.col("price").alias("p"),
        pl.col("size").alias("s"),
        pl.col("conditions").alias("c"),
        (pl.col("time") // 1000).alias("t"),
        pl.col("sequence").alias("q"),
        *code,
    ]


_AGGREGATE: Final = [
    pl.col("topic").alias("ev"),
    pl.col("ticker").alias("sym"),
    pl.col("size").alias("v"),
    pl.col("vwap").alias("vw"),
    pl.col("open").alias("o"),
    pl.col("price").alias("c"),
    pl.col("high").alias("h"),
    pl.col("low").alias("l"),
    (pl.col("time") // 1000).alias("s"),
    (pl.col("time") // 1000 + pl.when(pl.col("topic") == "A").then(1000).otherwise(60_000)).alias(
        "e"
    ),
]


def _subscribed(events: pl.DataFrame, topics: set[str]) -> pl.DataFrame:
    whole = [topic.removesuffix(".*") for topic in topics if topic.endswith(".*")]
    if set(events["topic"].unique()) <= set(whole):
        return events
    name = pl.concat_str("topic", "ticker", separator=".")
    return events.filter(pl.col("topic").is_in(whole) | name.is_in(list(topics)))


async def _say(socket: ServerConnection, status: str, message: str) -> None:
    await socket.send(
        json.dumps([{"ev": "status", "status": status, "message": message}], separators=(",", ":"))
    )


def _parsed(frame: str | bytes) -> Any:  # noqa: ANN401 - JSON is of any kind
    try:
        return json.loads(frame)
    except ValueError:
        return None


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
