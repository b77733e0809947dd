"""The share of silver that one of several workers rebuilds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from lake.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORM: Final = re.compile(r"(\d+)/(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Share:
    """One of `of` equal shares, number `index` from 0.

    The unit of work is the year, of which all intervals come of one read. Shares take the years in
    turn: markets grow, so that neighbours in time are of about one size, and decades are not.

    Raises:
        MisuseError: If there is no such share.
    """

    index: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise _refused(str(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the share that `text` names, as `2/16`.

        Raises:
            MisuseError: If it names none.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise _refused(text)
        return cls(int(match[1]), int(match[2]))

    def years(self, years: Iterable[int]) -> frozenset[int]:
        """Return those of some years that this share owns: each year has one owner."""
        return frozenset(sorted(set(years))[self.index :: self.of])

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def _refused(text: str) -> MisuseError:
    fact = f"{text!r} is not a share. Allowed: INDEX/OF with INDEX from 0 to OF - 1, as 2/16."
    return MisuseError(fact)
