"""What a server is asked, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Question:
    """A request; asking it twice changes nothing.

    Attributes:
        path: Behind the server's URL.
        parameters: Of the URL.
        document: What is posted; None: it is a GET.
    """

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How a server is asked.

    Attributes:
        timeout_s: For how long nothing may come before it is given up on.
        attempts: How often it is asked before it is given up on.
        retry_ms: Up to how long the first pause is; the next, twice that.
    """

    timeout_s: float
    attempts: int
    retry_ms: float
