"""Snapshots of the engine on this machine's disk, each replacing the one before, whole.

A file is the instant at which the last event in the engine was received, in microseconds (8 bytes,
little-endian), and the engine.
"""

from __future__ import annotations

import os
import struct
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from lake.errors import SnapshotError, StoreError
from speed_layer.chores import Beside
from speed_layer.engine.engine import Engine
from speed_layer.engine.snapshot import packed

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lake.event import Kind
    from lake.session import SessionTable
    from speed_layer.engine.snapshot import State

_FILE: Final = "engine.snapshot"
_RECEIVED: Final = struct.Struct("<q")
_log = structlog.get_logger(__name__)


class Snapshots:
    """The last snapshot in a folder; to be closed.

    Args:
        folder: Made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._writing = Beside("snapshot")

    def keep(self, engine: Engine, received: int) -> None:
        """Replace the snapshot, which is written while the engine goes on.

        Args:
            engine: What is kept.
            received: When the last event in it was received, in microseconds.

        Raises:
            StoreError: If the one before could not be written; this one is nevertheless tried.
        """
        self._writing.begin(partial(self._write, received, engine.state()))

    def settle(self) -> None:
        """Wait until what is kept is written.

        Raises:
            StoreError: If it cannot be; the one before is still there.
        """
        self._writing.settle()

    def close(self) -> None:
        """Wait until what is kept is written, and end."""
        self._writing.close()

    def _write(self, received: int, state: State) -> None:
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(_RECEIVED.pack(received))
                file.write(packed(*state))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            fact = f"{self._path} cannot be written: {error.strerror}."
            raise StoreError(fact, hint="check the disk, and FIBLAKE_STATE.") from error

    def restored(
        self, table: SessionTable, *, kind: Kind, lateness: dt.timedelta
    ) -> tuple[Engine, int]:
        """Return the engine as it was kept, or a new one; and when its last event was received."""
        try:
            data = self._path.read_bytes()
            engine = Engine.restored(data[_RECEIVED.size :], table, kind=kind, lateness=lateness)
            return engine, _RECEIVED.unpack_from(data)[0]
        except FileNotFoundError:
            pass
        except (SnapshotError, OSError, struct.error) as error:
            _log.warning("the snapshot is passed over", error=str(error))
        return Engine(table, kind=kind, lateness=lateness), 0
