"""Whether a server can answer: the lake is there and holds bars, and keys can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lake.errors import EmptyLakeError, FiblakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving_layer.auth import Access
    from serving_layer.merged import MergedReader


def why_not(reader: MergedReader, access: Access | None) -> str | None:
    """Return why a server cannot answer, in words for anyone; None: it can.

    Raises:
        FiblakeError: If the lake does not answer.
    """
    if access and access.health()["keys"] == "refused":
        return "The database of keys is away."
    try:
        reader.symbols()
    except EmptyLakeError as error:
        # Anyone may ask: where the lake is, is nothing to tell.
        return f"The lake has no bars yet. Hint: {error.hint}"
    return None


class ServerHealth:
    """How a server is, for the health port, which is not the one that clients ask.

    Args:
        reader: Of its lake.
        access: Who may ask it; None: anyone.
        is_serving: Tells whether it answers requests.
    """

    def __init__(
        self, reader: MergedReader, access: Access | None, is_serving: Callable[[], bool]
    ) -> None:
        self._reader = reader
        self._access = access
        self._is_serving = is_serving

    @property
    def is_live(self) -> bool:
        """Whether it runs."""
        return True

    @property
    def is_ready(self) -> bool:
        """Whether it answers requests, and can."""
        return self._why_not() is None

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        why = self._why_not()
        return {
            "live": self.is_live,
            "ready": why is None,
            "why": why,
            "access": self._access.health() if self._access else None,
        }

    def _why_not(self) -> str | None:
        if not self._is_serving():
            return "It is starting."
        try:
            return why_not(self._reader, self._access)
        except FiblakeError as error:
            return error.fact
