"""Of which spans the socket told all, so far as is known: noted now and then, and at each end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lake.coverage import Span

if TYPE_CHECKING:
    from collections.abc import Collection

    from lake.event import Kind

_EACH_US: Final = 10_000_000


class Hearing:
    """What may be noted of a socket.

    Args:
        kinds: Of events that it was asked for.
        symbols: Whose; none: all.
    """

    def __init__(self, kinds: tuple[Kind, ...], symbols: tuple[str, ...]) -> None:
        self._kinds = kinds
        self._symbols = symbols
        self._since: int | None = None
        self._until = 0

    def begin(self, at: int) -> None:
        """Note that it tells events, from an instant in microseconds on."""
        self._since = self._until = at

    @property
    def is_begun(self) -> bool:
        """Whether it tells events."""
        return self._since is not None

    def go_on(self, until: int) -> list[Span]:
        """Note that all it told until then was taken; return what is to be noted by now."""
        self._until = max(self._until, until)
        if self._since is None or self._until - self._since < _EACH_US:
            return []
        return self._heard(self._since)

    def told(self, until: int) -> list[Span]:
        """Note the same, and return all that is to be noted of it: what follows takes some back."""
        self._until = max(self._until, until)
        return [] if self._since is None else self._heard(self._since)

    def end(self, at: int | None = None) -> list[Span]:
        """Note that it tells no more, from then on or from what was taken last; return likewise."""
        if self._since is None:
            return []
        self._until = self._until if at is None else at
        heard = self._heard(self._since)
        self._since = None
        return heard

    def skip(self, since: int, until: int) -> list[Span]:
        """Note that what it told in a span was given up; return likewise."""
        if self._since is None:
            return []
        heard = self.end(since)
        self.begin(until)
        return heard

    def lack(
        self, since: int, until: int, why: str, told: str, symbols: Collection[str] | None = None
    ) -> list[Span]:
        """Return what is to be noted of a span in which events were lost; None: anyone's."""
        of = self._symbols if symbols is None else tuple(sorted(symbols))
        return [Span(since, until, why, of, told, kind) for kind in self._kinds]

    def _heard(self, since: int) -> list[Span]:
        self._since = self._until
        return self.lack(since, self._until, "told", "") if since < self._until else []
