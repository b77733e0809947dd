"""Daily bars of Massive's REST API: one call a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_layer.vendors.massive import Massive
from lake.errors import NotPublishedError, VendorRefusedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from batch_layer.landing import Answer
    from lake.clock import Clock
    from lake.settings import Settings


@dataclass(frozen=True, slots=True)
class MassiveDaily:
    """The source `massive` of daily bars."""

    massive: Massive
    calls_per_minute: float | None

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> MassiveDaily:
        """Return the source as the settings say.

        Raises:
            VendorKeyError: If there is no key, or it cannot be one.
        """
        return cls(Massive.of(settings, clock=clock), settings.massive_calls_per_minute)

    def ask(self, session: dt.date) -> tuple[Answer, pl.DataFrame]:
        """Return the bars of one session: as they came, and as rows.

        Raises:
            NotPublishedError: If there are none, yet or at all.
            VendorError: If they cannot be had.
        """
        try:
            return self.massive.grouped_daily(session)
        except VendorRefusedError as error:
            # What Massive answers on the day itself, by plan.
            if "before end of day" in error.fact.lower():
                raise NotPublishedError(error.fact) from None
            raise

    def restated(
        self,
        landed: Mapping[dt.date, str],  # noqa: ARG002 - other sources tell
        version_of: Callable[[str], str],  # noqa: ARG002 - likewise
    ) -> Sequence[dt.date]:
        """Return nothing: Massive does not tell what it published anew."""
        return ()

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        self.massive.stop()
