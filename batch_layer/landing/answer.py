"""One answer of a vendor, as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answered, byte for byte.

    Attributes:
        request: What it was asked, without the key: a URL.
        fetched_at: When the answer had come, UTC.
        body: JSON, or a CSV file that the vendor itself packed with gzip.
        version: The vendor's own mark of this version, as an ETag; empty where it has none.
    """

    request: str
    fetched_at: dt.datetime
    body: bytes
    version: str = ""
