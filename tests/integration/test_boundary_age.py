"""How many settled sessions batch has yet to commit, as alarms and the doctor are told of it."""

import datetime as dt

import pytest

from lake import keys
from lake.boundary import move_boundary, read_boundary
from lake.boundary_age import boundary_ages
from lake.clock import SetClock
from lake.measuring import Measured
from lake.metrics import BOUNDARY_AGE
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import LocalStore

FRIDAY = dt.date(2013, 3, 1)


def ages(store: LocalStore, table: SessionTable, now: str) -> list[Measured]:
    clock = SetClock(dt.datetime.fromisoformat(now))
    return [*boundary_ages(store, Settings(settling_minutes=15), clock, table)]


@pytest.mark.parametrize(
    ("now", "behind"),
    [
        ("2013-02-28T23:00:00Z", 0),  # ahead of what has settled
        ("2013-03-01T23:00:00Z", 0),
        ("2013-03-03T12:00:00Z", 0),
        ("2013-03-04T21:14:59Z", 0),  # over, and not settled yet
        ("2013-03-04T21:15:00Z", 1),
        ("2013-03-08T22:00:00Z", 5),
        ("2013-03-11T22:00:00Z", 6),
        ("1962-01-01T12:00:00Z", 0),  # before the first session
    ],
)
def test_settled_sessions_after_the_last_committed_are_counted(
    store: LocalStore, sessions: SessionTable, now: str, behind: int
) -> None:
    move_boundary(store, read_boundary(store), daily=FRIDAY)

    assert [Measured(BOUNDARY_AGE, behind, ("daily",))] == ages(store, sessions, now)


def test_days_and_minutes_are_told_apart_and_of_a_damaged_boundary_nothing_is(
    store: LocalStore, sessions: SessionTable
) -> None:
    now = "2013-03-05T22:00:00Z"
    none = ages(store, sessions, now)
    before = FRIDAY - dt.timedelta(days=1)
    move_boundary(store, read_boundary(store), daily=FRIDAY, minute=before)
    both = ages(store, sessions, now)
    store.put_if(keys.BOUNDARY, b"torn", store.fingerprint(keys.BOUNDARY))
    damaged = ages(store, sessions, now)

    assert ([], []) == (none, damaged)
    assert [("daily",), ("minute",)] == [each.labels for each in both]
    assert [2, 3] == [each.value for each in both]
