"""The forms in which bars are answered: JSON, CSV, an Arrow IPC stream, and which is asked for.

Of JSON an answer is one document. CSV and Arrow are written piece by piece, and
what is to be said of the bars is in headers, and in the metadata of the Arrow schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import polars as pl
import pyarrow as pa
from pydantic_core import to_json, to_jsonable_python

from lake.errors import NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lake.interval import Interval

Form = Literal["json", "csv", "arrow"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
MEDIA: Final[dict[Form, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}
INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
CSV_COLUMNS: Final = (
    *("symbol", "interval", "start", "open", "high", "low", "close", "volume", "vwap", "trades"),
    *("sessions", "through", "state", "revision"),
)
"""Those that `fiblake bars` prints."""
HEADER: Final = "fiblake-"
_WEIGHT: Final = re.compile(r"q=([01](?:\.\d{0,3})?)")


def form_of(told: Form | None, accept: str) -> Form:
    """Return the form that a request asks for: by `format`, else by its Accept header.

    Of forms that are liked the same the first of JSON, CSV and Arrow is taken.

    Raises:
        NotAcceptableError: If none of the three is acceptable.
    """
    if told is not None:
        return told
    liked = _liked(accept or "*/*")
    weights = {form: _weight(media, liked) for form, media in MEDIA.items()}
    best = max(weights, key=lambda form: weights[form])
    if weights[best] == 0:
        fact = f"{accept!r} accepts none of {', '.join(MEDIA.values())}."
        raise NotAcceptableError(fact, hint="leave Accept out, or add format=csv.")
    return best


def _liked(accept: str) -> dict[str, float]:
    """Return how much each range of media is liked, as an Accept header says (RFC 9110)."""
    liked = {}
    for each in accept.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = next(filter(None, map(_WEIGHT.fullmatch, parameters)), None)
        liked[name] = float(weight[1]) if weight else 1.0
    return liked


def _weight(media: str, liked: Mapping[str, float]) -> float:
    ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
    return next((liked[name] for name in ranges if name in liked), 0.0)


@dataclass(frozen=True, slots=True)
class Head:
    """What is to be said of an answer beside its bars, by name."""

    told: Mapping[str, Any]

    def json(self, bars: pa.Table) -> bytes:
        """Return one JSON document: what is said of the bars, and `bars`."""
        # Polars writes rows ten times as fast as they are made Python's and written then.
        rows = _written(pl.DataFrame(bars)).write_json().encode()
        return to_json(self.told)[:-1] + b',"bars":' + rows + b"}"

    def headers(self) -> dict[str, str]:
        """Return what is said as headers, where there is something to say."""
        texts = {name: _text(value) for name, value in self.told.items()}
        return {
            f"{HEADER}{name.replace('_', '-')}": text
            for name, text in texts.items()
            if text and text.isascii() and text.isprintable()
        }

    def metadata(self) -> dict[str, str]:
        """Return what is said as metadata of an Arrow schema."""
        return {name: _text(value) for name, value in self.told.items() if value is not None}


def csv_of(pieces: Iterator[pa.Table], interval: Interval) -> Iterator[bytes]:
    """Yield bars as CSV, piece by piece, with a line of the columns' names first."""
    yield (",".join(CSV_COLUMNS) + "\n").encode()
    for piece in pieces:
        rows = _written(pl.DataFrame(piece)).with_columns(interval=pl.lit(str(interval)))
        yield rows.select(CSV_COLUMNS).write_csv(include_header=False).encode()


def arrow_of(pieces: Iterator[pa.Table], schema: pa.Schema, head: Head) -> Iterator[bytes]:
    """Yield bars as an Arrow IPC stream, piece by piece."""
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema.with_metadata(head.metadata())) as writer:
        for piece in pieces:
            writer.write_table(piece.replace_schema_metadata(head.metadata()))
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: it is written already."""

    def taken(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


def _written(rows: pl.DataFrame) -> pl.DataFrame:
    """Return bars with instants as they are written; dates are as they are."""
    if rows.schema["start"] == pl.Date:
        return rows
    return rows.with_columns(pl.col("start").dt.strftime(INSTANT))


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(to_jsonable_python(value))
