"""Snapshots on disk: the last whole one is restored, and any other is passed over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from polars.testing import assert_frame_equal

from lake.errors import StoreError
from lake.session import SessionTable
from speed_layer.engine import Engine
from speed_layer.engine.snapshot import packed
from speed_layer.engine.snapshots import Snapshots
from tests.trading import LATENESS, frame, trade

SESSION: Final = dt.date(2025, 11, 26)
FIRST: Final = trade(SESSION, "10:00:30", 10.0, 100)
SECOND: Final = trade(SESSION, "10:06:30", 11.0, 50)


@pytest.fixture
def engine(sessions: SessionTable) -> Engine:
    engine = Engine(sessions)
    engine.apply(frame([FIRST]))
    return engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "engine.snapshot"


def test_the_last_one_is_restored(engine: Engine, sessions: SessionTable, path: Path) -> None:
    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 17)
    snapshots.settle()
    engine.apply(frame([SECOND]))
    snapshots.keep(engine, 42)
    snapshots.settle()
    restored, received = snapshots.restored(sessions, kind="trade", lateness=LATENESS)

    assert_frame_equal(engine.everything().bars, restored.everything().bars)
    assert (engine.clock, engine.counts, 42) == (restored.clock, restored.counts, received)
    assert [path] == list(path.parent.iterdir())


def test_where_there_is_none_an_engine_begins(sessions: SessionTable, path: Path) -> None:
    restored, received = Snapshots(path.parent).restored(sessions, kind="trade", lateness=LATENESS)

    assert (Engine(sessions).snapshot(), 0) == (restored.snapshot(), received)


@pytest.mark.parametrize(
    "damaged",
    [
        lambda _: b"",
        lambda _: b"abc",
        lambda data: data[:8],
        lambda data: data[:-1],
        lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        lambda data: data.replace(b'"engine": "', b'"engine": "another', 1),
        lambda data: data + b"more",
    ],
)
def test_a_damaged_one_or_another_engine_s_is_passed_over_and_told(
    damaged: Callable[[bytes], bytes],
    engine: Engine,
    sessions: SessionTable,
    path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 42)
    snapshots.settle()
    path.write_bytes(damaged(path.read_bytes()))
    restored, received = snapshots.restored(sessions, kind="trade", lateness=LATENESS)

    assert (Engine(sessions).snapshot(), 0) == (restored.snapshot(), received)
    assert "the snapshot is passed over" in capsys.readouterr().out


def test_one_of_other_settings_is_passed_over(
    engine: Engine, sessions: SessionTable, path: Path
) -> None:
    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 42)
    snapshots.settle()
    other = dt.timedelta(minutes=1)

    assert 0 == snapshots.restored(sessions, kind="trade", lateness=other)[1]
    assert 0 == snapshots.restored(sessions, kind="minute", lateness=LATENESS)[1]


def test_one_half_written_leaves_the_one_before(
    engine: Engine, sessions: SessionTable, path: Path
) -> None:
    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 42)
    snapshots.settle()
    path.with_suffix(".new").write_bytes(b"half of o")

    assert 42 == snapshots.restored(sessions, kind="trade", lateness=LATENESS)[1]


def test_a_folder_that_cannot_be_written_is_told(engine: Engine, path: Path) -> None:
    path.parent.touch()

    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 42)

    with pytest.raises(StoreError, match="FIBLAKE_STATE"):
        snapshots.settle()


def test_the_one_after_a_failure_is_kept(
    engine: Engine, sessions: SessionTable, path: Path
) -> None:
    path.parent.touch()
    snapshots = Snapshots(path.parent)
    snapshots.keep(engine, 17)
    with pytest.raises(StoreError):
        snapshots.settle()
    path.parent.unlink()
    snapshots.keep(engine, 42)
    snapshots.close()

    assert 42 == snapshots.restored(sessions, kind="trade", lateness=LATENESS)[1]


def test_one_is_of_its_moment_whatever_the_engine_takes_while_it_is_written(
    engine: Engine, sessions: SessionTable
) -> None:
    expected = engine.everything().bars
    state = engine.state()
    engine.apply(frame([SECOND]))
    restored = Engine.restored(packed(*state), sessions)

    assert_frame_equal(expected, restored.everything().bars)
