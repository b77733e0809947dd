"""What a fetch needs of a source that sells bars a session at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from batch_layer.landing import Answer


class SessionSource(Protocol):
    """Sells the whole market's bars of one kind, a session at a time."""

    @property
    def calls_per_minute(self) -> float | None:
        """How many sessions can be asked for in a minute; None: there is no limit."""
        ...

    def ask(self, session: dt.date) -> tuple[Answer, pl.DataFrame]:
        """Return the bars of one session: as they came, and as rows.

        Raises:
            NotPublishedError: If there are none, yet or at all.
            VendorError: If they cannot be had.
        """
        ...

    def restated(
        self, landed: Mapping[dt.date, str], version_of: Callable[[str], str]
    ) -> Sequence[dt.date]:
        """Return the sessions that were published anew since they landed; no bars are asked for.

        Args:
            landed: By session, the key of what landed last.
            version_of: Returns the vendor's mark of what landed under a key.
        """
        ...

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        ...
