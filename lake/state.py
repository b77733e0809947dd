"""The folder on this machine of what must outlast a process: spools, snapshots."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from lake.errors import MisuseError

if TYPE_CHECKING:
    from lake.settings import Settings


def state_folder(settings: Settings) -> Path:
    """Return the folder of `FIBLAKE_STATE` for the lake that the settings name; it may not exist.

    Raises:
        MisuseError: If it names the home of a user that does not exist.
    """
    location = settings.lake if "://" in settings.lake else str(Path(settings.lake).resolve())
    try:
        folder = Path(settings.state).expanduser()
    except RuntimeError:
        fact = f"FIBLAKE_STATE={settings.state!r} names the home of a user that does not exist."
        raise MisuseError(fact, hint="name another folder.") from None
    return folder / hashlib.sha256(location.encode()).hexdigest()[:16]
