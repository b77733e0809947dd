"""The object store over a local folder.

A put writes and syncs a file aside, then renames it over the old one under a lock, so that neither
a kill nor a power cut leaves half an object. The modification time moves forward at every
replacement: with the size it makes the fingerprint.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from lake.errors import ConflictError, InvalidLocationError, ObjectNotFoundError, StoreError
from lake.store.protocol import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STAGING: Final = ".staging"
_ABANDONED_AFTER_S: Final = 3600
_LOCK_POLL_S: Final = 0.002
_FILE: Final = 0o666
_FOLDER: Final = 0o777
"""As the process's mask leaves them."""
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class LocalStore:
    """Objects as files below a folder, which need not exist yet.

    Args:
        folder: Where they are.
        private: Whether what is made is for its owner alone: files and folders that nobody else
            may read. What is there already stays as it is.

    Raises:
        InvalidLocationError: If `folder` is a file.
    """

    def __init__(self, folder: Path, *, private: bool = False) -> None:
        if folder.exists() and not folder.is_dir():
            fact = f"{folder} is a file; a lake is a folder or s3://bucket/prefix."
            raise InvalidLocationError(fact, hint="name another folder with --lake.")
        self._folder = folder
        self._private = private
        # Threads queue here; the file lock, which polls, is for other processes.
        self._mutex = threading.Lock()

    @property
    def location(self) -> str:
        """The folder, as the user named it."""
        return str(self._folder)

    def uri(self, key: str) -> str:
        """Return the path of the file."""
        return str(self._folder / key)

    def get(self, key: str) -> Stored:
        """Return the file's bytes, and the fingerprint of the very file that was read."""
        try:
            with (self._folder / key).open("rb") as file:
                return Stored(file.read(), _fingerprint(os.fstat(file.fileno())))
        except FileNotFoundError:
            fact = f"There is no {key} in {self.location}."
            raise ObjectNotFoundError(fact) from None
        except OSError as error:
            raise _could_not("read", key, error) from error

    def fingerprint(self, key: str) -> str | None:
        """Return the fingerprint of the file, or None where there is none."""
        try:
            return _fingerprint((self._folder / key).stat())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _could_not("read", key, error) from error

    def fingerprints(self, prefix: str) -> dict[str, str]:
        """Return the fingerprints of all files whose key starts with `prefix`, by key."""
        return {key: _fingerprint(stat) for key, stat in self._listed(prefix)}

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes of all files whose key starts with `prefix`, by key."""
        return {key: stat.st_size for key, stat in self._listed(prefix)}

    def _listed(self, prefix: str) -> list[tuple[str, os.stat_result]]:
        # Texts rather than paths: a lake of a thousand objects is listed many times.
        root = os.path.join(self._folder, "")
        try:
            paths = list(_files(root + prefix.rpartition("/")[0]))
            found = {path[len(root) :].replace(os.sep, "/"): path for path in paths}
            return [
                (key, os.stat(path))
                for key, path in sorted(found.items())
                if key.startswith(prefix)
            ]
        except OSError as error:
            raise _could_not("list", prefix, error) from error

    def put(self, key: str, data: bytes) -> str:
        """Create or replace the file."""
        return self._replace(key, data, lambda _: True)

    def put_if(self, key: str, data: bytes, fingerprint: str | None) -> str:
        """Replace the file only if it still has `fingerprint`; create it only if that is None."""
        return self._replace(key, data, lambda current: current == fingerprint)

    def delete(self, key: str) -> None:
        """Remove the file; where there is none, nothing happens."""
        if self.fingerprint(key) is None:
            return
        path = self._folder / key
        try:
            with self._mutex, self._lock.acquire(poll_interval=_LOCK_POLL_S):
                path.unlink(missing_ok=True)
                _remove_empty(path.parent, self._folder)
        except OSError as error:
            raise _could_not("remove", key, error) from error

    def _replace(self, key: str, data: bytes, accepts: Callable[[str | None], bool]) -> str:
        path = self._folder / key
        try:
            staged = self._stage(data)
            with self._mutex, self._lock.acquire(poll_interval=_LOCK_POLL_S):
                _make_folder(path.parent, self._mode)
                if not accepts(self.fingerprint(key)):
                    staged.unlink()
                    fact = f"{key} in {self.location} was changed by someone else."
                    raise ConflictError(fact, hint="run the command again.")
                _move_time_forward(staged, path)
                staged.replace(path)
                placed = _fingerprint(path.stat())
            _sync_folder(path.parent)
        except OSError as error:
            raise _could_not("write", key, error) from error
        return placed

    def _stage(self, data: bytes) -> Path:
        staged = self._staging / uuid.uuid4().hex
        mode = _PRIVATE_FILE if self._private else _FILE
        with os.fdopen(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return staged

    @property
    def _mode(self) -> int:
        return _PRIVATE_FOLDER if self._private else _FOLDER

    @cached_property
    def _staging(self) -> Path:
        folder = self._folder / _STAGING
        _make_folder(folder, self._mode)
        abandoned = time.time() - _ABANDONED_AFTER_S
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < abandoned:
                    path.unlink()
        return folder

    @cached_property
    def _lock(self) -> FileLock:
        return FileLock(self._folder / ".lock", thread_local=False)


def _fingerprint(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def _files(folder: str) -> Iterator[str]:
    # A dot hides what is not an object: the lock, what is being staged.
    for here, folders, names in os.walk(folder, onerror=_tell_unless_absent):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(here, name) for name in names if not name.startswith("."))


def _tell_unless_absent(error: OSError) -> None:
    # A folder that may not be listed is not an empty one.
    if not isinstance(error, FileNotFoundError):
        raise error


def _move_time_forward(staged: Path, current: Path) -> None:
    # Two replacements within one tick of the file system's clock must not look the same.
    with suppress(FileNotFoundError):
        old_ns, new = current.stat().st_mtime_ns, staged.stat()
        if new.st_mtime_ns <= old_ns:
            os.utime(staged, ns=(new.st_atime_ns, old_ns + 1))


def _make_folder(folder: Path, mode: int) -> None:
    # Each new folder's name is synced as well: a file is only as safe as the path to it.
    if not folder.is_dir():
        _make_folder(folder.parent, mode)
        folder.mkdir(mode, exist_ok=True)
        _sync_folder(folder.parent)


def _remove_empty(folder: Path, root: Path) -> None:
    # An empty folder is no object: nobody would miss it, and many would be in the way.
    while not folder.is_dir():  # two may remove at once
        folder = folder.parent
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _could_not(what: str, key: str, error: OSError) -> StoreError:
    fact = f"Could not {what} {key}: {error.strerror or error}."
    return StoreError(fact, hint="check the folder's permissions and the space left.")
