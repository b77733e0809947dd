"""What a fetch by session must know of the kind of bars that it fetches: daily or minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lake.errors import MisuseError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping, Sequence

    from batch_layer.fetching.landed import Brought, Landed, Reader
    from batch_layer.fetching.session_source import SessionSource
    from lake.clock import Clock
    from lake.session import SessionTable
    from lake.settings import Settings
    from lake.store import ObjectStore


class Bringer(Protocol):
    """Brings answers of one source into bronze."""

    @property
    def source(self) -> str:
        """Who answered."""
        ...

    def bring(self, answers: Sequence[Landed]) -> Brought:
        """Bring answers into bronze, at most one of each session.

        Raises:
            ConflictError: If others kept writing the same bars.
            StoreError: If the lake cannot be written.
        """
        ...


class MakesBringer(Protocol):
    """Returns what brings answers into bronze."""

    def __call__(
        self,
        store: ObjectStore,
        landing: ObjectStore,
        source: str,
        table: SessionTable,
        settled: dt.date,
    ) -> Bringer:
        """Return what brings a source's answers from one lake's landing into a lake's bronze."""
        ...


@dataclass(frozen=True, slots=True)
class BarsKind:
    """A kind of bars that is sold by session.

    Attributes:
        name: As landing and the ledger spell it.
        readers: By source, what makes rows of a body that landed.
        open_source: Returns a source, by name, as the settings say.
        bringer: Returns what brings its answers into bronze.
        sessions: Returns the sessions that a lake's bronze has.
        reach: How far back a lake that has none is filled; None: to where the vendor begins.
        chunk: Sessions that bronze takes at once: with more, less is rewritten, and more is in
            memory.
        workers: How many sessions are asked for at once, at most.
    """

    name: str
    readers: Mapping[str, Reader]
    open_source: Callable[[str, Settings, Clock], SessionSource]
    bringer: MakesBringer
    sessions: Callable[[ObjectStore], Collection[dt.date]]
    reach: dt.timedelta | None
    chunk: int
    workers: int

    def check_source(self, name: str) -> None:
        """Return if there is a source of that name.

        Raises:
            MisuseError: If there is none.
        """
        if name not in self.readers:
            fact = f"{name!r} is no source of {self.name} bars. Allowed: {', '.join(self.readers)}."
            raise MisuseError(fact)
