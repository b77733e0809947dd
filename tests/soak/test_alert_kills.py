"""Alerts under hundreds of kills: `make soak`, or `KILLS=20 make soak` for fewer of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.integration.test_alert_kills import Tally, grudging, kill_over_and_over, scene
from tests.live_system import SystemOf, VendorOf, sold_day
from tests.receiving import Receiver

_KILLS: Final = min(int(os.environ.get("KILLS", "200")), 200)
_SEED: Final = int(os.environ.get("SEED", "1"))
_A_KILL: Final = 40
"""So many trades of each symbol there are for each kill."""


def test_hundreds_of_kills_leave_each_firing_told_once(
    vendor_of: VendorOf,
    system_of: SystemOf,
    receive: Callable[..., Receiver],
    lake_folder: Path,
) -> None:
    started = time.monotonic()

    def show(tally: Tally) -> None:
        sys.stdout.write(f"{time.monotonic() - started:6.0f} s  {tally}\n")
        sys.stdout.flush()

    vendor = vendor_of(sold_day(6, _A_KILL * _KILLS), per_frame=5)
    with scene(vendor, system_of, receive(grudging), lake_folder, 50) as scene_:
        tally = kill_over_and_over(scene_, _KILLS, _SEED, show)

    # Else the kills came before the work, or after it.
    assert tally.amid > _KILLS // 3
