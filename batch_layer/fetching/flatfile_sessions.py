"""Bars of Massive's flat files: one file a session, and a listing that tells of each."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batch_layer.fetching.at_once import at_once
from batch_layer.vendors.flatfile_rows import daily_rows, minute_rows
from batch_layer.vendors.flatfiles import FlatFiles
from lake import keys
from lake.errors import NotPublishedError, VendorAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from batch_layer.fetching.landed import Reader
    from batch_layer.landing import Answer
    from batch_layer.vendors.flatfiles import File, Kind
    from lake.clock import Clock
    from lake.settings import Settings

_LISTINGS_AT_ONCE: Final = 8
# How far our clock may be from the vendor's.
_MARGIN: Final = dt.timedelta(days=1)
_WHOLE_MOST: Final = 3
_READERS: Final[Mapping[Kind, Reader]] = {"day": daily_rows, "minute": minute_rows}


@dataclass(frozen=True, slots=True)
class FlatFileSessions:
    """The source `flatfiles`: of daily bars, or of minute bars.

    Attributes:
        files: Asks for them.
        kind: `day` or `minute`.
        calls_per_minute: There is no limit.
    """

    files: FlatFiles
    kind: Kind
    calls_per_minute: float | None = None
    _months: dict[dt.date, dict[dt.date, File]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, kind: Kind, settings: Settings, clock: Clock) -> FlatFileSessions:
        """Return the source as the settings say.

        Raises:
            VendorKeyError: If there are no keys.
        """
        return cls(FlatFiles.of(settings, clock=clock), kind)

    def ask(self, session: dt.date) -> tuple[Answer, pl.DataFrame]:
        """Return the bars of one session: as they came, and as rows.

        Raises:
            NotPublishedError: If there are none, yet or at all.
            VendorError: If they cannot be had.
        """
        with self._lock:
            file = self._listed(session.replace(day=1)).get(session)
        if file is None:
            fact = "There is no flat file of this session."
            raise NotPublishedError(fact)
        for tried in range(1, _WHOLE_MOST + 1):
            answer = self.files.get(file)
            try:
                return answer, _READERS[self.kind](answer.body, session)
            except VendorAnswerError as error:
                if tried == _WHOLE_MOST:
                    fact = f"{file.key}: {error.fact.rstrip('.')} (asked {tried} times)."
                    raise VendorAnswerError(fact) from None
        raise AssertionError

    def restated(
        self, landed: Mapping[dt.date, str], version_of: Callable[[str], str]
    ) -> Sequence[dt.date]:
        """Return those of the sessions landed, by key, that were published anew since."""
        months = sorted({session.replace(day=1) for session in landed})
        listed = at_once(
            months, self._listed, workers=_LISTINGS_AT_ONCE, ahead=len(months), stop=self.stop
        )
        files = {session: file for month in listed for session, file in month.items()}
        # Told by its time, most need no look at what landed.
        newer = [
            session
            for session, key in landed.items()
            if session in files and files[session].modified > keys.landed_at(key) - _MARGIN
        ]
        return [each for each in newer if files[each].etag != version_of(landed[each])]

    def stop(self) -> None:
        """Let whoever waits to ask give up."""
        self.files.stop()

    def _listed(self, month: dt.date) -> dict[dt.date, File]:
        if month not in self._months:
            self._months[month] = self.files.listed(self.kind, month)
        return self._months[month]
