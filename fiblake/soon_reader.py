"""A reader for those who cannot wait for a store that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fiblake.arguments import folder_of
from lake.store import open_store
from serving_layer.reader import Reader

if TYPE_CHECKING:
    from fiblake.lake import Lake

_ATTEMPTS: Final = 3
_SILENCE_S: Final = 2.0


def soon_reader(lake: Lake) -> Reader:
    """Return a reader that says soon that the store does not answer, and to all but one at once."""
    settings = lake.settings
    soon = {
        "s3_attempts": min(settings.s3_attempts, _ATTEMPTS),
        "s3_timeout_seconds": min(settings.s3_timeout_seconds, _SILENCE_S),
    }
    store = open_store(settings.model_copy(update=soon), rests=True)
    return Reader(store, lake.clock, folder_of(settings.cache))
