"""Which view the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake.errors import MisuseError
from speed_layer.views.memory import MemoryView

if TYPE_CHECKING:
    from lake.clock import Clock
    from lake.settings import Settings
    from speed_layer.views.protocol import View


def open_view(settings: Settings, clock: Clock | None = None) -> View:
    """Return the view of `FIBLAKE_VIEW`, which need not answer yet.

    Raises:
        MisuseError: If what it needs is not installed.
        ViewRefusedError: If AWS's own settings make no sense.
    """
    if settings.view == "memory":
        return MemoryView(clock, days=settings.view_days)
    # Imported here: only who chooses these needs their clients, which are extras.
    try:
        if settings.view == "redis":
            from speed_layer.views.redis import RedisView  # noqa: PLC0415

            return RedisView(settings)
        from speed_layer.views.dynamodb import DynamoDBView  # noqa: PLC0415
    except ImportError:
        fact = f"FIBLAKE_VIEW={settings.view} needs a client that is not installed."
        raise MisuseError(fact, hint=f"pip install 'fiblake[{settings.view}]'.") from None
    return DynamoDBView(settings, clock)
