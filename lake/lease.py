"""Leases: of several processes that would do the same work, one does it at a time.

A lease is an object that names its holder, who renews it until the work is done; whoever finds it
free, or out of date, takes it by a conditional put. A holder that was killed on this very machine
is known to be dead at once; elsewhere it is waited for until its lease runs out.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lake import keys
from lake.documents import encode_document, read_document
from lake.errors import (
    BusyError,
    ConflictError,
    DamagedObjectError,
    ObjectNotFoundError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lake.clock import Clock
    from lake.store import ObjectStore

LASTS: Final = dt.timedelta(seconds=60)
_RENEWALS: Final = 4
_LOOK_S: Final = 0.5
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PIDS: Final = Path("/proc/self/ns/pid")
_STARTED: Final = 21


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease.

    Attributes:
        holder: An id of its own; empty where the lease is free.
        host: The name of its machine.
        pid: Its process there.
        started: When that process started, in ticks since its machine did; empty: not known.
        machine: Tells this boot of this machine, and its set of process ids, from all others.
        until: When the lease runs out unless it is renewed: ISO 8601, UTC.
    """

    holder: str
    host: str
    pid: int
    started: str
    machine: str
    until: str

    def is_alive(self, now: dt.datetime) -> bool:
        """Return whether it may still be at work."""
        if not self.holder or dt.datetime.fromisoformat(self.until) <= now:
            return False
        is_here = bool(self.machine) and self.machine == _machine()
        return not is_here or self.started == _started(self.pid)


@contextmanager
def leased(
    store: ObjectStore,
    name: str,
    *,
    clock: Clock,
    lasts: dt.timedelta = LASTS,
    on_wait: Callable[[Holder], None] | None = None,
) -> Iterator[Lease]:
    """Hold a lease until the block ends.

    Args:
        store: The lake.
        name: Of the lease.
        clock: Tells the present.
        lasts: How long it is ours without a sign of life.
        on_wait: Called once where somebody else holds it, which is then waited for; None: nobody
            is waited for.

    Raises:
        BusyError: If somebody else holds it, and is not waited for.
    """
    lease = Lease(store, name, clock=clock, lasts=lasts)
    _acquire(lease, on_wait)
    stop = threading.Event()
    keeper = threading.Thread(target=lease.keep, args=(stop,), daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        stop.set()
        keeper.join()
        lease.release()


class Lease:
    """One lease, ours or not.

    Args:
        store: The lake.
        name: Of the lease.
        clock: Tells the present.
        lasts: How long it is ours without a sign of life.
    """

    def __init__(
        self, store: ObjectStore, name: str, *, clock: Clock, lasts: dt.timedelta = LASTS
    ) -> None:
        self._store = store
        self._key = keys.lease(name)
        self._clock = clock
        self._lasts = lasts
        self._me = uuid.uuid4().hex
        self._fingerprint: str | None = None
        self.name = name

    @property
    def is_held(self) -> bool:
        """Whether it is ours, as far as is known."""
        return self._fingerprint is not None

    def check(self) -> None:
        """Return if the lease is ours still.

        Raises:
            BusyError: If somebody else took it, since it was not renewed in time.
        """
        if not self.is_held:
            fact = f"Another process took the lease {self.name} while this one did not move."
            raise BusyError(fact, hint="run the command again when that is done.")

    def take(self) -> Holder | None:
        """Take the lease if it is free; return who holds it instead, if it is not."""
        found, fingerprint = self._read()
        if found is not None and found.is_alive(self._clock.now()):
            return found
        try:
            self._fingerprint = self._put(self._me, fingerprint)
        except ConflictError:
            return self._read()[0] or self._holder(self._me)
        return None

    def keep(self, stop: threading.Event) -> None:
        """Renew the lease until told to stop, or somebody else has it."""
        while self.is_held and not stop.wait(self._lasts.total_seconds() / _RENEWALS):
            try:
                self._fingerprint = self._put(self._me, self._fingerprint)
            except ConflictError:
                # Ours still, where the answer to a put of ours was lost.
                found, fingerprint = self._read()
                is_ours = found is not None and found.holder == self._me
                self._fingerprint = fingerprint if is_ours else None
            except StoreError:
                continue  # until it has run out there is time

    def release(self) -> None:
        """Give the lease back, where it is ours still; where it cannot be, it runs out."""
        if self._fingerprint is not None:
            with suppress(StoreError):
                self._put("", self._fingerprint)
            self._fingerprint = None

    def _put(self, holder: str, fingerprint: str | None) -> str:
        document = encode_document(asdict(self._holder(holder)))
        return self._store.put_if(self._key, document, fingerprint)

    def _holder(self, holder: str) -> Holder:
        pid = os.getpid()
        return Holder(
            holder=holder,
            host=socket.gethostname(),
            pid=pid,
            started=_started(pid),
            machine=_machine(),
            until=(self._clock.now() + self._lasts).isoformat(),
        )

    def _read(self) -> tuple[Holder | None, str | None]:
        try:
            document, fingerprint = read_document(self._store, self._key)
        except ObjectNotFoundError:
            return None, None
        except DamagedObjectError:
            return None, self._store.fingerprint(self._key)
        try:
            holder = Holder(**document)
            dt.datetime.fromisoformat(holder.until)
        except (TypeError, ValueError):
            return None, fingerprint
        return holder, fingerprint


def _acquire(lease: Lease, on_wait: Callable[[Holder], None] | None) -> None:
    told = False
    while (other := lease.take()) is not None:
        if on_wait is None:
            fact = f"Process {other.pid} on {other.host} holds the lease {lease.name}."
            raise BusyError(fact, hint=f"wait until it is done; it is free at {other.until}.")
        if not told:
            on_wait(other)
            told = True
        threading.Event().wait(_LOOK_S)


def _machine() -> str:
    """Return what tells this boot of this machine, and its process ids, apart; empty: nothing."""
    try:
        return f"{_BOOT.read_text('ascii').strip()} {_PIDS.stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process of this machine started; empty where there is none, or no telling."""
    try:
        # The name, in brackets, may have blanks.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[_STARTED - 2]
