"""What a source of live events promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from lake.wire import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from lake.coverage import Span

_NO_EVENTS: Final = SCHEMA.to_frame()


def no_events() -> pl.DataFrame:
    """Return no events, with their columns."""
    return _NO_EVENTS.clone()


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was told and is no event.

    Attributes:
        text: As it came.
        received: When, in microseconds.
        symbols: Whose event it may have been, as the lake spells them; None: anyone's; empty:
            nobody's.
    """

    text: str
    received: int
    symbols: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came at once.

    Attributes:
        events: `lake.wire.SCHEMA` in order of receipt; `minute` and `moves` are not judged yet.
        malformed: What came besides.
        before: What is to be noted before any of that is kept: what may be missing.
        after: And what once all of it is kept: of what that is all.
        is_idle: Whether nothing else waits: empty, it then tells that time goes on.
    """

    events: pl.DataFrame = field(default_factory=no_events)
    malformed: Sequence[Malformed] = ()
    before: Sequence[Span] = ()
    after: Sequence[Span] = ()
    is_idle: bool = True


class Source(Protocol):
    """Tells events, to one thread at a time."""

    @property
    def name(self) -> str:
        """Who tells them, as `massive`."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def take(self, timeout_s: float) -> Delivery | None:
        """Return what came, empty where nothing did in time; None: there is no more to come.

        Raises:
            VendorError: If the source cannot go on.
        """
        ...

    def now_us(self) -> int:
        """Return the present as the source's events tell time, in microseconds."""
        ...

    def close(self) -> None:
        """End, from any thread: whoever takes has what came until then, and then None."""
        ...
