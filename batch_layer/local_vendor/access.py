"""Who may ask: the keys of the REST and of the flat files, and how a request shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_layer.local_vendor.messages import Request

KEY_PARAMETER: Final = "apiKey"
_BEARER: Final = "Bearer "


@dataclass(frozen=True, slots=True)
class Access:
    """The keys that the vendor accepts.

    Attributes:
        key: Of the REST, as `Authorization: Bearer` or `apiKey=`.
        access_key_id: Of the flat files.
        secret_access_key: Of the flat files; requests are signed with it.
    """

    key: str = field(default="local-key", repr=False)
    access_key_id: str = "local-id"
    secret_access_key: str = field(default="local-secret", repr=False)


def key_of(request: Request) -> str | None:
    """Return the key that a REST request shows, or None where it shows none."""
    header = request.headers.get("authorization", "")
    if header.startswith(_BEARER):
        return header.removeprefix(_BEARER)
    return request.query.get(KEY_PARAMETER)
