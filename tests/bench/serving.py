"""How long `fiblake up` takes to answer under a steady load, beside a route that does nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lake.settings import Settings
from speed_layer.views import open_view
from tests.bench.lakes import LAST, lake_at
from tests.bench.load import load_task
from tests.bench.timing import ROOT, BenchmarkError, markdown, run_alone, warm
from tests.live import bar, bars_of, price, prices_of
from tests.parts import RedisServer

PER_SECOND: Final = 200
_INTERVAL: Final = "13d"
_SECONDS: Final = 30
_WARM_UP_S: Final = 10
_START_S: Final = 60
_FEW: Final = 500
_SEED: Final = 7
_URL: Final = re.compile(r"serves (http://127\.0\.0\.1:\d+)/")
_KINDS: Final = {"price": "price of a symbol", "bars": f"all {_INTERVAL} bars of a symbol"}
Server = tuple[str, int]
"""A URL and the process that answers there."""


def serving(folder: Path, work: Path) -> str:
    """Return the table of latencies.

    Args:
        folder: A lake that has been resampled.
        work: Where to write.
    """
    symbols = lake_at(folder).symbols()["symbol"].to_list()
    plan, sizes = work / "plan.json", work / "sizes.json"
    plan.write_text(json.dumps(_plan(symbols)), "utf-8")
    redis = RedisServer()
    redis.start()
    try:
        environment = _environment(folder, work, redis.url)
        _fill(redis.url, symbols)
        run_alone(warm_task, folder=folder, cache=environment["FIBLAKE_CACHE"])
        warm(Path(environment["FIBLAKE_CACHE"]))
        command = [_program("fiblake"), "up", "--port", "0"]
        with _started(command, environment, work / "up.log") as server:
            _check(server[0], symbols[0])
            ours = _loaded(server, plan, sizes)
    finally:
        redis.stop()
    with bare_server(sizes, environment) as server:
        floor = _loaded(server, plan, work / "sizes-of-floor.json")
    rows = [
        _row(f"{what}, {who}", ran, kind)
        for kind, what in _KINDS.items()
        for who, ran in (("fiblake", ours), ("the floor", floor))
    ]
    told = ["answered", "errors", "KiB each", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU"]
    return markdown(["asked for", *told], rows)


def warm_task(folder: str, cache: str) -> dict[str, Any]:
    """Copy a lake's silver into a cache, as `fiblake up` does in its first minutes."""
    before = os.environ.get("FIBLAKE_CACHE")
    os.environ["FIBLAKE_CACHE"] = cache
    try:
        return {"copied": lake_at(folder).warm()}
    finally:
        os.environ.pop("FIBLAKE_CACHE")
        if before is not None:
            os.environ["FIBLAKE_CACHE"] = before


def _plan(symbols: list[str]) -> dict[str, Any]:
    """Return the requests: of random kinds and symbols, the same in each run."""
    random_ = random.Random(_SEED)  # noqa: S311 - no secret
    few = len(symbols) < _FEW
    seconds, warm_up_s = (1, 1) if few else (_SECONDS, _WARM_UP_S)
    per_second = PER_SECOND // 4 if few else PER_SECOND
    paths = {"price": "/v1/prices/{}", "bars": f"/v1/bars/{{}}?interval={_INTERVAL}"}
    kinds = [random_.choice(list(paths)) for _ in range((seconds + warm_up_s) * per_second)]
    return {
        "requests": [[kind, paths[kind].format(random_.choice(symbols))] for kind in kinds],
        "per_second": per_second,
        "skipped": warm_up_s * per_second,
    }


def _environment(folder: Path, work: Path, redis_url: str) -> dict[str, str]:
    """Return what the servers find in their environment: nothing of who measures."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("FIBLAKE_")}
    return own | {
        "PYTHONPATH": str(ROOT),
        "FIBLAKE_LAKE": str(folder),
        "FIBLAKE_CACHE": str(work / "cache"),
        "FIBLAKE_STATE": str(work / "state"),
        "FIBLAKE_VIEW": "redis",
        "FIBLAKE_REDIS_URL": redis_url,
    }


def _fill(redis_url: str, symbols: list[str]) -> None:
    """Let a view have the session after the lake's last of all symbols, and their prices."""
    session = next(
        LAST + dt.timedelta(days)
        for days in range(1, 8)
        if (LAST + dt.timedelta(days)).isoweekday() <= 5
    )
    midnight = int(dt.datetime.combine(session, dt.time(), dt.UTC).timestamp()) * 10**6
    day: dict[str, Any] = {"interval": "1d", "session": session, "start": midnight}
    view = open_view(Settings.model_validate({"view": "redis", "redis_url": redis_url}))
    try:
        for at in range(0, len(symbols), _FEW):
            names = symbols[at : at + _FEW]
            bars = bars_of(*(bar(name, **day) for name in names))
            view.put(bars, prices_of(*(price(name, session=session) for name in names)))
    finally:
        view.close()


def _check(url: str, symbol: str) -> None:
    """Refuse to measure anything but live prices, and bars with live ones."""
    told = {"prices": "source", "bars": "live"}
    for what, field in told.items():
        with urllib.request.urlopen(f"{url}/v1/{what}/{symbol}") as answer:
            found = json.load(answer)[field]
        if found not in {"live", "merged"}:
            msg = f"{what} of {symbol}: {field} is {found}"
            raise BenchmarkError(msg)


def _program(name: str) -> str:
    """Return a program of the environment that fiblake is installed in."""
    # That of benchmarks has what it is compared with, and not fiblake itself.
    for folder in (Path(sys.executable).parent, ROOT / ".venv" / "bin"):
        if (folder / "fiblake").exists():
            return str(folder / name)
    msg = "fiblake is not installed: make .venv/ready"
    raise BenchmarkError(msg)


@contextmanager
def bare_server(sizes: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Let the floor run, told how many bytes each path is answered with."""
    command = [_program("python"), "-m", "tests.bench.bare", str(sizes)]
    with _started(command, environment, sizes.with_suffix(".log")) as server:
        yield server


@contextmanager
def _started(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[Server]:
    """Let a server run, and yield where it is once it says so."""
    with (
        log.open("w") as said,
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=said) as process,
    ):
        try:
            deadline = time.monotonic() + _START_S
            while (found := _URL.search(log.read_text("utf-8"))) is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    msg = f"{command[0]} does not serve: {log.read_text('utf-8').strip()}"
                    raise BenchmarkError(msg)
                time.sleep(0.02)
            yield found[1], process.pid
        finally:
            process.terminate()


def _loaded(server: Server, plan: Path, sizes: Path) -> dict[str, Any]:
    url, process = server
    return run_alone(load_task, url=url, plan=plan, sizes=sizes, server=process).result


def _row(name: str, ran: dict[str, Any], kind: str) -> list[str]:
    told = ran["kinds"][kind]
    if told["first_error"]:
        sys.stderr.write(f"{name}: {told['first_error']}\n")
    quantiles = [f"{each:.1f}" for each in told["ms"]]
    counts = [f"{told['answered']:,}", f"{told['errors']:,}", f"{told['kib']:.1f}"]
    return [name, *counts, *quantiles, f"{ran['cpu']:.0%}"]
