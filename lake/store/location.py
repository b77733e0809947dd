"""From a lake's location, as the user names it, to its store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lake.errors import InvalidLocationError
from lake.store.local import LocalStore

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.store.protocol import ObjectStore


def open_store(settings: Settings, *, rests: bool = False) -> ObjectStore:
    """Return the store of the lake at `settings.lake`, a folder or `s3://bucket/prefix`.

    Args:
        settings: Where it is, and how it is asked.
        rests: Whether one on S3 that did not answer is left alone for a second, by all but one
            who asks: where many ask at once, and each would wait for itself.

    Raises:
        InvalidLocationError: If it is neither.
        CredentialsError: If the credentials for S3 cannot be had.
    """
    location = settings.lake
    if "://" not in location:
        return LocalStore(_expanded(location))
    url = urlsplit(location)
    if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
        fact = f"{location!r} is not a lake's location. Allowed: a folder or s3://bucket/prefix."
        raise InvalidLocationError(fact)
    # Imported here: only a lake on S3 needs boto3, an extra.
    try:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        from lake.store.s3 import S3Store  # noqa: PLC0415
    except ImportError:
        fact = f"{location!r} needs boto3, which is not installed."
        raise InvalidLocationError(fact, hint="pip install 'fiblake[s3]'.") from None
    try:
        return S3Store(url.netloc, url.path.strip("/"), settings, rests=rests)
    except (ValueError, BotoCoreError) as error:
        fact = f"The store of {location!r} cannot be reached: {error}."
        raise InvalidLocationError(fact, hint="check FIBLAKE_S3_ENDPOINT and AWS's own.") from None


def _expanded(location: str) -> Path:
    try:
        return Path(location).expanduser()
    except RuntimeError:
        fact = f"{location!r} names the home of a user that does not exist."
        raise InvalidLocationError(fact) from None
