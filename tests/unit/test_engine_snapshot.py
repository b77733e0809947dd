"""Snapshots: what is not wholly one of this very engine is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from lake.errors import SnapshotError
from speed_layer.engine import Engine, snapshot
from tests.trading import frame, table, trade

DAY = dt.date(2024, 3, 8)


@pytest.fixture
def stored() -> bytes:
    engine = Engine(table())
    engine.apply(frame([trade(DAY, "09:30:10"), trade(DAY, "09:31:10", symbol="B")]))
    return engine.snapshot()


def test_an_engine_that_has_seen_nothing_can_be_restored() -> None:
    assert 0 == Engine.restored(Engine(table()).snapshot(), table()).clock


def test_a_duplicate_is_known_after_a_restart(stored: bytes) -> None:
    engine = Engine.restored(stored, table())

    changes = engine.apply(frame([trade(DAY, "09:30:10")]))

    assert (0, 1) == (changes.bars.height, engine.counts.duplicate)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_snapshot_that_was_cut_is_refused(stored: bytes, share: float) -> None:
    with pytest.raises(SnapshotError, match=r"no snapshot of an engine|is damaged"):
        Engine.restored(stored[: int(len(stored) * share)], table())


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_snapshot_with_another_byte_in_it_is_refused(stored: bytes, share: float) -> None:
    place = int(len(stored) * share)
    damaged = stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]

    with pytest.raises(SnapshotError, match="its bytes are not those that were stored"):
        Engine.restored(damaged, table())


def test_a_snapshot_of_another_engine_is_refused(
    stored: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "fingerprint", lambda: "0123456789abcdef")

    with pytest.raises(SnapshotError, match=r"of another engine: \w+, not 0123456789abcdef"):
        Engine.restored(stored, table())


def test_a_snapshot_of_an_engine_with_other_arguments_is_refused(stored: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"'kind': 'trade'.*, not .*'kind': 'minute'"):
        Engine.restored(stored, table(), kind="minute")
    with pytest.raises(SnapshotError, match="'lateness': 900000000"):
        Engine.restored(stored, table(), lateness=dt.timedelta(minutes=1))
