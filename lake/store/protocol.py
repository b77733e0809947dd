"""What an object store promises, whatever it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's bytes and the fingerprint of this very version."""

    data: bytes
    fingerprint: str


class ObjectStore(Protocol):
    """Objects under keys, replaced whole and atomically: a reader sees the old or the new one.

    A fingerprint is an opaque text that differs between two versions of an object. Keys are
    relative, with `/` between their parts.
    """

    @property
    def location(self) -> str:
        """Where the store is, as the user names it."""
        ...

    def uri(self, key: str) -> str:
        """Return the path or URI under which DuckDB reads the object."""
        ...

    def get(self, key: str) -> Stored:
        """Return the object under `key`.

        Raises:
            ObjectNotFoundError: If there is none.
        """
        ...

    def fingerprint(self, key: str) -> str | None:
        """Return the fingerprint of the object under `key`, or None where there is none."""
        ...

    def fingerprints(self, prefix: str) -> dict[str, str]:
        """Return the fingerprints of all objects whose key starts with `prefix`, by key."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes in bytes of all objects whose key starts with `prefix`, by key."""
        ...

    def put(self, key: str, data: bytes) -> str:
        """Create or replace the object, whatever was there, and return its fingerprint."""
        ...

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        """Replace the object only if it still has `fingerprint`; create it only if that is None.

        Returns:
            The new fingerprint.

        Raises:
            ConflictError: If the object is not, or no longer, as expected. Nothing was written.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object under `key`, for good; where there is none, nothing happens."""
        ...
