from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UnknownSessionError
from lake.exchange import ZONE
from lake.session import EPOCH, SessionTable, bucket_of

MONDAY = dt.date(2012, 10, 29)


def test_there_are_16047_sessions_from_1962_01_02_to_2025_10_03(sessions: SessionTable) -> None:
    last = dt.date(2025, 10, 3)

    assert sessions.first == EPOCH
    assert 16_047 == len(sessions.ordinals(EPOCH, last))
    assert 16_046 == sessions.ordinal(last)


@pytest.mark.parametrize(
    ("closed", "why"),
    [
        (dt.date(2012, 1, 7), "a Saturday"),
        (dt.date(2012, 1, 8), "a Sunday"),
        (dt.date(1968, 6, 12), "a Wednesday of the paperwork crisis"),
        (dt.date(2001, 9, 11), "the attacks"),
        (dt.date(2001, 9, 14), "the attacks"),
        (MONDAY, "hurricane Sandy"),
        (dt.date(2012, 10, 30), "hurricane Sandy"),
        (dt.date(2012, 12, 25), "Christmas"),
        (dt.date(1961, 12, 29), "before the first"),
    ],
)
def test_the_exchange_was_closed(sessions: SessionTable, closed: dt.date, why: str) -> None:
    assert 0 == len(sessions.ordinals(closed, closed)), why
    assert sessions.ordinal(closed) is None, why


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        (dt.date(2012, 7, 2), "13:30", "20:00"),  # summer time
        (dt.date(2012, 7, 3), "13:30", "17:00"),  # the eve of a holiday closes at 13:00
        (dt.date(2012, 12, 24), "14:30", "18:00"),
        (dt.date(2012, 12, 26), "14:30", "21:00"),
    ],
)
def test_a_session_opens_and_closes_in_exchange_time(
    sessions: SessionTable, session: dt.date, opens: str, closes: str
) -> None:
    ordinal = sessions.ordinal(session)
    assert ordinal is not None

    assert f"{sessions.opens[ordinal]:%H:%M}" == opens
    assert f"{sessions.closes[ordinal]:%H:%M}" == closes
    assert sessions.opens[ordinal].tzinfo == dt.UTC


def test_a_session_is_over_at_its_close(sessions: SessionTable) -> None:
    close = dt.datetime(2012, 7, 3, 17, tzinfo=dt.UTC)

    assert dt.date(2012, 7, 2) == sessions.last_closed(close - dt.timedelta(microseconds=1))
    assert dt.date(2012, 7, 3) == sessions.last_closed(close)
    assert sessions.last_closed(dt.datetime(1962, 1, 1, tzinfo=dt.UTC)) is None


def test_the_exchange_is_open_from_its_open_to_its_close_early_closes_and_holidays_included(
    sessions: SessionTable,
) -> None:
    def is_open(when: str) -> bool:
        return sessions.is_open(dt.datetime.fromisoformat(when).replace(tzinfo=ZONE))

    assert [False, True] == [is_open("2012-07-02 09:29:59"), is_open("2012-07-02 09:30")]
    assert [True, False] == [is_open("2012-07-03 12:59"), is_open("2012-07-03 13:00")]
    assert not is_open("2012-07-04 12:00")
    assert not is_open("1962-01-01 12:00")


def test_a_table_must_begin_at_the_epoch() -> None:
    with pytest.raises(UnknownSessionError, match=r"^The session table of NYSE must begin at"):
        SessionTable("NYSE", [], [], [], "none")


@given(st.data(), st.sampled_from([1, 3, 5, 8, 13, 21, 34]))
def test_buckets_part_the_sessions_without_gap_or_overlap(
    sessions: SessionTable, data: st.DataObject, n: int
) -> None:
    ordinal = data.draw(st.integers(n, len(sessions) - 2 * n))
    here = bucket_of(sessions[ordinal], sessions_per_bar=n, table=sessions)
    first, last = sessions.ordinal(here.first), sessions.ordinal(here.last)
    assert first is not None
    assert last is not None

    assert first <= ordinal <= last
    assert n == last - first + 1
    assert 0 == first % n
    following = bucket_of(sessions[last + 1], sessions_per_bar=n, table=sessions)
    assert sessions[last + 1] == following.first
    assert here == bucket_of(here.first, sessions_per_bar=n, table=sessions)


def test_a_day_without_trading_has_no_bucket(sessions: SessionTable) -> None:
    with pytest.raises(UnknownSessionError) as raised:
        bucket_of(MONDAY, sessions_per_bar=13, table=sessions)

    expected = "2012-10-29 is not a session of NYSE (known: 1962-01-02 to 2026-12-31)."
    assert expected == str(raised.value)


def test_a_bucket_that_ends_after_the_table_says_so(sessions: SessionTable) -> None:
    with pytest.raises(UnknownSessionError, match=r"ends after 2026-12-31\. Hint: extend"):
        bucket_of(sessions.last, sessions_per_bar=34, table=sessions)
