"""Leases: one holder at a time, and none that is dead."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lake import keys
from lake.clock import SetClock
from lake.documents import encode_document, read_document
from lake.errors import BusyError
from lake.lease import LASTS, Holder, Lease, leased
from lake.store import LocalStore

NAME = "fetch-massive"


def holder(store: LocalStore) -> Holder:
    return Holder(**read_document(store, keys.lease(NAME))[0])


def test_a_lease_has_one_holder_and_is_free_then(store: LocalStore, clock: SetClock) -> None:
    with leased(store, NAME, clock=clock):
        with (
            pytest.raises(BusyError, match=rf"Process {os.getpid()} on .* holds the lease"),
            leased(store, NAME, clock=clock),
        ):
            pass
        assert holder(store).is_alive(clock.now())

    assert "" == holder(store).holder
    with leased(store, NAME, clock=clock) as again:
        assert again.is_held


def test_other_work_has_another_lease(store: LocalStore, clock: SetClock) -> None:
    with leased(store, NAME, clock=clock), leased(store, "fetch-flatfiles", clock=clock):
        pass


def test_of_many_at_once_one_takes_it(store: LocalStore, clock: SetClock) -> None:
    leases = [Lease(store, NAME, clock=clock) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(Lease.take, leases))

    assert 1 == taken.count(None) == sum(lease.is_held for lease in leases)


def test_whoever_waits_has_it_next_and_is_told_once(store: LocalStore, clock: SetClock) -> None:
    told: list[Holder] = []
    waits = threading.Event()

    def tell(other: Holder) -> None:
        told.append(other)
        waits.set()

    def hold() -> bool:
        with leased(store, NAME, clock=clock, on_wait=tell) as lease:
            return lease.is_held

    with ThreadPoolExecutor(1) as pool:
        with leased(store, NAME, clock=clock):
            second = pool.submit(hold)
            waits.wait()
        assert second.result()
    assert [os.getpid()] == [other.pid for other in told]


_HOLD = """
import sys
from pathlib import Path
from lake.clock import SystemClock
from lake.lease import leased
from lake.store import LocalStore
with leased(LocalStore(Path(sys.argv[1])), sys.argv[2], clock=SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_holder_that_was_killed_here_holds_it_no_more(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path), NAME],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()
    clock = SetClock(dt.datetime.now(dt.UTC))
    assert process.pid == getattr(Lease(store, NAME, clock=clock).take(), "pid", None)
    process.kill()
    process.communicate()

    assert Lease(store, NAME, clock=clock).take() is None


def elsewhere(store: LocalStore, clock: SetClock) -> None:
    """Let the holder be one of another machine."""
    other = Lease(store, NAME, clock=clock)
    assert other.take() is None
    strange = replace(holder(store), host="another", machine="another boot", pid=1)
    store.put(keys.lease(NAME), encode_document(asdict(strange)))


def test_a_holder_elsewhere_is_waited_for_until_its_lease_runs_out(
    store: LocalStore, clock: SetClock
) -> None:
    elsewhere(store, clock)
    clock.instant += LASTS - dt.timedelta(seconds=1)
    waited_for = Lease(store, NAME, clock=clock).take()
    clock.instant += dt.timedelta(seconds=1)

    assert waited_for is not None
    assert "another" == waited_for.host
    assert Lease(store, NAME, clock=clock).take() is None


def test_a_pid_that_another_process_has_now_is_no_holder(
    store: LocalStore, clock: SetClock
) -> None:
    assert Lease(store, NAME, clock=clock).take() is None
    before = replace(holder(store), started="1")
    store.put(keys.lease(NAME), encode_document(asdict(before)))

    assert Lease(store, NAME, clock=clock).take() is None


def test_a_holder_renews_it_until_it_is_done(store: LocalStore, clock: SetClock) -> None:
    with leased(store, NAME, clock=clock, lasts=dt.timedelta(seconds=0.02)) as lease:
        first = holder(store).until
        clock.instant += dt.timedelta(days=1)
        while holder(store).until == first:
            threading.Event().wait(0.001)
        lease.check()


def test_who_lost_it_may_not_go_on(store: LocalStore, clock: SetClock) -> None:
    with leased(store, NAME, clock=clock, lasts=dt.timedelta(seconds=0.02)) as lease:
        elsewhere_now = replace(holder(store), holder="other", machine="another boot")
        store.put(keys.lease(NAME), encode_document(asdict(elsewhere_now)))
        while lease.is_held:
            threading.Event().wait(0.001)
        with pytest.raises(BusyError, match="took the lease"):
            lease.check()

    assert "other" == holder(store).holder


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"holder": "x"}', b"\xff"])
def test_a_damaged_lease_is_free(store: LocalStore, clock: SetClock, data: bytes) -> None:
    store.put(keys.lease(NAME), data)

    assert Lease(store, NAME, clock=clock).take() is None
