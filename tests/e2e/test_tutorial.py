"""The tutorial's laptop part does what it shows, command by command."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.parts import free_port
from tests.tutorial import Reader, blocks_of, environment_of

ROOT = Path(__file__).parents[2]


def test_the_laptop_part_runs_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    environment = environment_of(folder, ROOT, Path(sys.executable))
    reader = Reader(folder, environment, free_port())
    blocks = blocks_of(ROOT / "docs/tutorial/laptop.md")

    try:
        for block in blocks:
            reader.follow(block)
    finally:
        reader.stop()

    assert 15 == reader.ran
