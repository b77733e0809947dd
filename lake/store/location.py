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
    return _opened(settings.lake, settings, what="a lake's location", rests=rests)


def open_backups(settings: Settings) -> ObjectStore:
    """Return the store of backups: at `settings.backups`, by default beside the lake.

    In a folder all is made for its owner alone: backups hold secrets.

    Raises:
        InvalidLocationError: If it is neither a folder nor `s3://bucket/prefix`, or is the lake.
        CredentialsError: If the credentials for S3 cannot be had.
    """
    lake = settings.lake.rstrip("/")
    if settings.backups is None and "://" in lake and not urlsplit(lake).path:
        fact = f"There is nothing beside {lake!r}, a whole bucket."
        raise InvalidLocationError(fact, hint="set FIBLAKE_BACKUPS, as s3://bucket/backups.")
    location = settings.backups or f"{lake}-backups"
    if location.rstrip("/") == lake:
        fact = f"Backups cannot be in {location!r}, which is the lake."
        raise InvalidLocationError(fact, hint="set FIBLAKE_BACKUPS to another place.")
    return _opened(location, settings, what="a place of backups", private=True)


def _opened(
    location: str, settings: Settings, *, what: str, rests: bool = False, private: bool = False
) -> ObjectStore:
    if "://" not in location:
        return LocalStore(_expanded(location), private=private)
    url = urlsplit(location)
    if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
        fact = f"{location!r} is not {what}. Allowed: a folder or s3://bucket/prefix."
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
