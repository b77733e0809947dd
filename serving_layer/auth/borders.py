"""What a request may be at most, and whose pages may ask from a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lake.settings import Settings

_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Borders:
    """What is let in.

    Attributes:
        origins: Whose pages may ask, as `https://a.com`; those of this server always may.
        max_body_bytes: Of a request.
        max_query_bytes: Of a request's path and query.
    """

    origins: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * _KIB
    max_query_bytes: int = 16 * _KIB

    @classmethod
    def of(cls, settings: Settings) -> Borders:
        """Return those that the settings draw."""
        named = (each.strip().rstrip("/") for each in settings.cors_origins.split(","))
        origins = tuple(each for each in named if each)
        return cls(origins, settings.max_body_kib * _KIB, settings.max_query_bytes)
