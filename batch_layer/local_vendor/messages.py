"""A request and its reply, as every dialect of the vendor sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    Attributes:
        number: Of this request, from 1.
        method: In capitals.
        path: As sent, with its escapes.
        query_text: As sent, without the question mark.
        query: Unescaped; of a name that comes twice, the last value.
        headers: By name in small letters.
        body: As sent.
    """

    number: int
    method: str
    path: str
    query_text: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def request_id(self) -> str:
        """The vendor's id of this request: the same for the same number."""
        return f"{self.number:032x}"

    @property
    def origin(self) -> str:
        """The vendor's own URL, as the client knows it."""
        return f"http://{self.headers.get('host', 'localhost')}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a body is sent.

    Attributes:
        seconds: For how long, a piece at a time; 0: at once.
        reset_after: After how many bytes of it the connection is reset; None: it is not.
    """

    seconds: float = 0
    reset_after: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; a HEAD sends all but the body."""

    body: bytes
    status: int = HTTPStatus.OK
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery()
