"""A thousand kills: `make soak`, or `KILLS=100 make soak` for fewer. `SEED` gives other moments."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.integration.test_kills import Tally, kill_over_and_over, prepare

if TYPE_CHECKING:
    from pathlib import Path

_KILLS: Final = int(os.environ.get("KILLS", "1000"))
_EVERY: Final = 10


def test_a_thousand_kills_leave_the_lake_of_an_undisturbed_run(
    tmp_path: Path, blank_lake: Path, sample_lake_folder: Path
) -> None:
    started = time.monotonic()
    rounds = 0

    def show(tally: Tally) -> None:
        nonlocal rounds
        rounds += 1
        if rounds % _EVERY == 0 or tally.kills >= _KILLS:
            sys.stdout.write(f"{time.monotonic() - started:6.0f} s  {tally}\n")
            sys.stdout.flush()

    works = prepare(tmp_path, blank_lake, sample_lake_folder)
    tally = kill_over_and_over(works, tmp_path / "lake", _KILLS, on_progress=show)

    # Else the kills came before the work, or after it.
    assert tally.half_done > _KILLS // 10
    assert tally.reads > _KILLS
