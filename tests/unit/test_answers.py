"""Which form of an answer is asked for, and pieces that end in an error."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
import pytest

from lake.errors import NotAcceptableError, ViewUnavailableError
from lake.interval import DAILY
from lake.schemas import BARS
from serving_layer.answers import Form, Head, arrow_of, csv_of, form_of

DAY = dt.date(2026, 1, 5)
NONE = BARS.empty_table()
HEAD = Head({"symbols": ("A", "É"), "boundary": DAY, "live": None})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("text/*", "csv"),
        ("TEXT/CSV", "csv"),
        ("application/json;q=0, */*;q=0.5", "csv"),
        ("application/json;q=0.2, application/vnd.apache.arrow.stream; q=0.3", "arrow"),
        ("text/csv;q=x", "csv"),
    ],
)
def test_the_form_is_the_one_that_is_liked_most(accept: str, expected: Form) -> None:
    assert expected == form_of(None, accept)
    assert "arrow" == form_of("arrow", accept)


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "image/*", "a,,;"])
def test_what_accepts_no_form_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="accepts none of application/json, text/csv"):
        form_of(None, accept)


def test_what_is_said_of_bars_is_in_headers_and_metadata() -> None:
    # A header is ASCII: what is not goes by the metadata alone.
    assert {"fiblake-boundary": "2026-01-05"} == HEAD.headers()
    assert {"symbols": "A,É", "boundary": "2026-01-05"} == HEAD.metadata()
    assert b'{"symbols":["A","\xc3\x89"],"boundary":"2026-01-05","live":null,"bars":[]}' == (
        HEAD.json(NONE)
    )


def broken() -> Iterator[pa.Table]:
    yield NONE
    fact = "away"
    raise ViewUnavailableError(fact)


def test_half_an_answer_does_not_pass_for_a_whole_one() -> None:
    for body in (csv_of(broken(), DAILY), arrow_of(broken(), BARS, HEAD)):
        sent: list[bytes] = []
        with pytest.raises(ViewUnavailableError):
            sent.extend(body)
    # What was sent of Arrow lacks the mark at its end: 0xFFFFFFFF and a length of 0.
    whole = b"".join(arrow_of(iter([NONE]), BARS, HEAD))
    assert whole.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    assert not b"".join(sent).endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")


def test_nothing_found_is_an_answer_too() -> None:
    (header,) = csv_of(iter([]), DAILY)
    table = pa.ipc.open_stream(b"".join(arrow_of(iter([]), BARS, HEAD))).read_all()

    assert header.startswith(b"symbol,interval,start,open,")
    assert (BARS.names, 0) == (table.schema.names, table.num_rows)
