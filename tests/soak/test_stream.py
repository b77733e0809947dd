"""A stream for minutes: `make soak`; `SOAK_SECONDS=60` for fewer than 300."""

from __future__ import annotations

import os
import statistics
import sys
import time
from contextlib import closing
from typing import Final

from tests.bench.stream import CHANNELS, PER_SECOND, SUBSCRIBERS, SYMBOLS, served
from tests.bench.stream_server import APP
from tests.bench.subscribers import Asked, Crowd, rss_mib

_SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "300"))
_WARM_UP_S: Final = 20.0
_ROUND_S: Final = 5.0
_STALLED_S: Final = 50.0
"""By then whoever takes nothing is closed; another takes its place."""
_ROOM_MIB: Final = 16


def test_a_thousand_subscribers_are_told_for_minutes_and_memory_stays_as_it_is() -> None:
    zero = time.monotonic()
    with served(APP, symbols=SYMBOLS, per_second=PER_SECOND, zero=zero) as (port, pid):
        asked = Asked(
            port=port,
            pid=pid,
            symbols=SYMBOLS,
            subscribers=SUBSCRIBERS,
            channels=CHANNELS,
            probes=10,
            stalled=1,
        )
        with closing(Crowd(asked, zero)) as crowd:
            crowd.connect()
            crowd.read_for(_WARM_UP_S)
            held, ended = _soaked(crowd)
        closed = sum(not each.is_open for each in crowd.all)
    part = max(1, len(held) // 4)
    first, last = statistics.median(held[:part]), statistics.median(held[-part:])

    assert 0 == closed
    assert last < first + _ROOM_MIB
    # All but the last that stalled had time enough to be closed.
    assert ended >= len(crowd.stalled) - 1


def _soaked(crowd: Crowd) -> tuple[list[float], int]:
    """Read for as long as is asked; return the server's memory by rounds, and who stalled ended."""
    held: list[float] = []
    begun, stalled_at = time.monotonic(), time.monotonic()
    while time.monotonic() < begun + _SECONDS:
        for probe in crowd.probes:
            probe.ages.clear()
        before, told_at = [each.updates for each in crowd.all], time.monotonic()
        crowd.read_for(_ROUND_S)
        took = time.monotonic() - told_at
        told = [each.updates - was for each, was in zip(crowd.all, before, strict=True)]
        held.append(rss_mib(crowd.asked.pid))
        ages = sorted(age for probe in crowd.probes for age in probe.ages)
        _show(time.monotonic() - begun, sum(told) / took, ages[len(ages) * 99 // 100], held[-1])
        assert 0 < min(told)
        if time.monotonic() > stalled_at + _STALLED_S:
            crowd.stall()
            stalled_at = time.monotonic()
    return held, sum(each.is_ended() for each in crowd.stalled)


def _show(at_s: float, updates: float, p99_s: float, mib: float) -> None:
    sys.stdout.write(
        f"{at_s:6.0f} s  {updates:11,.0f} updates/s  p99 {p99_s * 1000:6.0f} ms  {mib:6.0f} MiB\n"
    )
    sys.stdout.flush()
