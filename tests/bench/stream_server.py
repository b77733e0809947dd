"""A server of a stream, fed in its own process: `python -m tests.bench.stream_server JSON`.

Prices are put into a view in memory at a rate, of all symbols in turn, some milliseconds' together,
as the embedded engine puts them; so it is the stream that is measured, and no engine. A price is
the seconds from an instant to its putting, by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import uvicorn
from fastapi import FastAPI

from fiblake import Lake
from lake.live import BARS_SCHEMA, PRICES_SCHEMA
from serving_layer.app import create_app
from serving_layer.stream.socket import SOCKETS, StreamSocket
from speed_layer.views import MemoryView
from tests.bench.stream_floor import Board, serve_picows, serve_plain

_TOGETHER_S: Final = 0.008
"""As `speed_layer.engine.running` puts events together."""
_VARIABLE: Final = "STREAM_SERVER"
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True)
class Served:
    """What is served.

    Attributes:
        stack: By which server.
        port: Where.
        symbols: S0000, S0001 ...
        per_second: How many prices are put.
        zero: The instant, by the monotonic clock, from which prices count.
    """

    stack: str
    port: int
    symbols: int
    per_second: int
    zero: float


def ticking_view(served: Served) -> MemoryView:
    """Return a view into which prices are put from now on."""
    view = MemoryView()
    threading.Thread(target=_tick, args=(view, served), daemon=True).start()
    return view


def _tick(view: MemoryView, served: Served) -> None:
    none = pl.DataFrame(schema=BARS_SCHEMA)
    names = [f"S{number:04}" for number in range(served.symbols)]
    session, begun, told = dt.datetime.now(dt.UTC).date(), time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begun) * served.per_second)
        age, now = time.monotonic() - served.zero, time.time_ns() // 1000
        # Of each symbol once, if it was held up.
        numbers = range(max(told, due - served.symbols), due)
        rows = [
            (names[number % served.symbols], session, age, now, now, "bench", number)
            for number in numbers
        ]
        if rows:
            view.put(none, pl.DataFrame(rows, schema=PRICES_SCHEMA, orient="row"))
        told = due
        time.sleep(_TOGETHER_S)


def app_of(served: Served) -> FastAPI:
    """Return the app that is served to users, over an empty lake and a view that ticks."""
    lake = Lake(Path(tempfile.mkdtemp(prefix="fiblake-bench-")))
    lake.importer().sessions()
    return create_app(lake.reader, ticking_view(served))


def app_of_environment() -> FastAPI:
    """Return the app of what the environment tells: for a server that makes it in a worker."""
    return app_of(Served(**json.loads(os.environ[_VARIABLE])))


def _taken(view: MemoryView) -> Callable[[], dict[str, bytes]]:
    """Return what returns prices as JSON, as they changed since the last call."""
    mailbox = view.subscribe()

    def take() -> dict[str, bytes]:
        changes = mailbox.get(0)
        assert changes is not None
        return {row["symbol"]: _json(row) for row in changes.prices.iter_rows(named=True)}

    return take


def _json(row: dict[str, Any]) -> bytes:
    instants = {
        name: dt.datetime.fromtimestamp(row[name] / _MICROSECONDS, dt.UTC)
        for name in ("time", "received")
    }
    return orjson.dumps({**row, **instants}, option=orjson.OPT_UTC_Z)


def _serve_uvicorn(served: Served, ws: Any) -> None:
    uvicorn.run(
        app_of(served),
        port=served.port,
        log_level="warning",
        **{**SOCKETS, "ws": ws},
    )


def _serve_granian(served: Served) -> None:
    granian: Any = import_module("granian")  # of benchmarks alone
    os.environ[_VARIABLE] = json.dumps(asdict(served))
    granian.Granian(
        f"tests.bench.stream_server:{app_of_environment.__name__}",
        factory=True,
        port=served.port,
        interface="asgi",
        log_enabled=False,
    ).serve()


def _serve_board(served: Served, serve: Callable[..., Any]) -> None:
    asyncio.run(serve(Board(_taken(ticking_view(served))), served.port))


APP: Final = "uvicorn, as fiblake up"
STACKS: Final[dict[str, Callable[[Served], None]]] = {
    APP: lambda served: _serve_uvicorn(served, StreamSocket),
    "uvicorn, websockets-sansio": lambda served: _serve_uvicorn(served, "websockets-sansio"),
    "granian": _serve_granian,
    "floor: asyncio": lambda served: _serve_board(served, serve_plain),
    "floor: picows": lambda served: _serve_board(served, serve_picows),
}
"""What serves, by name: the app, or the frames alone."""


if __name__ == "__main__":
    _given = Served(**json.loads(sys.argv[1]))
    STACKS[_given.stack](_given)
