"""How much memory each part holds, session after session of a whole market."""

from __future__ import annotations

import shutil
from typing import Any, Final

from speed_layer.engine import Engine
from speed_layer.views.memory import MemoryView
from tests.bench.memory_apart import feed_task, publisher_task
from tests.bench.timing import markdown, resident_bytes, run_alone
from tests.bench.traded import TRADES, hours, over, traded
from tests.days import calendar
from tests.parts import RedisServer

_SESSIONS: Final = 10
_MIB: Final = 2**20


def memory_task(*, symbols: int, sessions: int) -> dict[str, Any]:
    """Apply sessions, and tell what is held after each, in MiB."""
    view, engine, held = MemoryView(), Engine(calendar()), []
    before = resident_bytes()
    for number in range(sessions):
        day = hours(number)
        for events in (*(traded(day, symbols, place) for place in range(TRADES)), over(day)):
            changes = engine.apply(events)
            view.put(changes.bars, changes.prices)
        covered = hours(number - 1).session
        view.forget(daily=covered, minute=covered)
        held.append((resident_bytes() - before) / _MIB)
    return {"held": held}


def memory(symbols: int) -> str:
    """Return the table of what is held."""
    given = {"symbols": symbols, "sessions": _SESSIONS}
    held = {
        "engine and view": run_alone(memory_task, **given).result["held"],
        "feed": run_alone(feed_task, **given).result["held"],
    }
    if shutil.which("redis-server"):
        server = RedisServer()
        server.start()
        try:
            ran = run_alone(publisher_task, url=server.url, **given).result
        finally:
            server.stop()
        held |= {"publisher": ran["held"], "its Redis": ran["redis"]}
    rows = [
        [str(number), *(f"{mib:,.0f}" for mib in mibs)]
        for number, mibs in enumerate(zip(*held.values(), strict=True), start=1)
    ]
    return markdown(["MiB after session", *held], rows)
