"""How an answer is written: JSON, CSV or an Arrow stream, some rows at a time."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import closing
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from serving_layer.answers import INSTANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from serving_layer.answers import Form

_IN_MEMORY_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 18
_DIGEST_BYTES: Final = 16
_NO_ROWS: Final = "[]"


class Written:
    """The rows of an answer, written: in memory, or on disk where they are many.

    They are written before the first is sent, so that what fails is a problem and no torn answer,
    and what was pinned is sent whole or not at all.

    Args:
        form: In which.
        pieces: The rows, at least one piece.
    """

    def __init__(self, form: Form, pieces: Iterable[pl.DataFrame]) -> None:
        self._file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed once it is sent
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self.form = form
        try:
            _WRITERS[form](pieces, self)
        except BaseException:
            self._file.close()
            raise

    @property
    def digest(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """How much was written."""
        return self._file.tell()

    def write(self, data: bytes) -> None:
        """Add to what was written."""
        self._digest.update(data)
        self._file.write(data)

    def close(self) -> None:
        """Drop what was written."""
        self._file.close()

    def around(self, head: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Return what stands before the rows, and behind them."""
        if self.form != "json":
            return b"", b""
        return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"rows":[', b"]}"

    def chunks(self, before: bytes, behind: bytes) -> Iterator[bytes]:
        """Return all of an answer, and drop it then."""
        with closing(self._file) as file:
            file.seek(0)
            yield before
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
            yield behind


def _write_json(pieces: Iterable[pl.DataFrame], out: Written) -> None:
    comma = b""
    for piece in pieces:
        # Polars writes rows ten times as fast as they are made Python's and written then.
        text = _told(piece).write_json()
        if text != _NO_ROWS:
            out.write(comma + text[1:-1].encode())
            comma = b","


def _write_csv(pieces: Iterable[pl.DataFrame], out: Written) -> None:
    for nth, piece in enumerate(pieces):
        out.write(_told(piece).write_csv(include_header=nth == 0).encode())


def _write_arrow(pieces: Iterable[pl.DataFrame], out: Written) -> None:
    writer = None
    for piece in pieces:
        table = piece.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pa.ipc.new_stream(_Sink(out), table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


class _Sink(io.RawIOBase):
    """A file, as Arrow wants one, of what is written."""

    def __init__(self, out: Written) -> None:
        self._out = out

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        """Add to what is written."""
        written = bytes(data)
        self._out.write(written)
        return len(written)


def _told(piece: pl.DataFrame) -> pl.DataFrame:
    """Return rows with instants as texts."""
    return piece.with_columns(pl.col(pl.Datetime).dt.strftime(INSTANT))


_WRITERS: Final = {"json": _write_json, "csv": _write_csv, "arrow": _write_arrow}
