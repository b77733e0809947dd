"""Dataset ids: an answer pinned by its query, what was known, the code, and a digest of its rows.

An id is the document itself, packed: nothing is kept on the server, and any server of the lake can
answer it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from lake.errors import FiblakeError, InvalidDatasetError
from lake.scan import sql
from serving_layer.answers import FORMS, Form
from serving_layer.backtest import bars, indicators, matrix
from serving_layer.backtest.backtests import TABLES
from serving_layer.backtest.query import KINDS, BacktestQuery, Kind

_CHECK_BYTES: Final = 8
_MOST_BYTES: Final = 1 << 20
_PACKAGES: Final = ("fiblake", "duckdb", "polars", "pyarrow")
_BROKEN: Final = (
    *(FiblakeError, AttributeError, KeyError, RecursionError, TypeError, ValueError),
    zlib.error,
)
"""What comes of an id that is none: whoever makes one up can put anything into it."""
_STATEMENTS: Final = (
    *TABLES,
    *bars.STATEMENTS,
    *indicators.STATEMENTS,
    *matrix.STATEMENTS,
    "backtest_universe",
    "asked_intraday",
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What an id pins.

    Attributes:
        query: Pinned.
        form: In which the answer was written.
        code: What wrote it, as `code_version` tells it.
        digest: Of the rows as they were written.
    """

    query: BacktestQuery
    form: Form
    code: str
    digest: str

    def packed(self) -> str:
        """Return the id."""
        told = {
            "kind": self.query.kind,
            "query": self.query.document(),
            "form": self.form,
            "code": self.code,
            "digest": self.digest,
        }
        data = zlib.compress(json.dumps(told, separators=(",", ":"), sort_keys=True).encode(), 9)
        return urlsafe_b64encode(_check(data) + data).rstrip(b"=").decode()


def unpacked(text: str) -> Dataset:
    """Return what an id pins.

    Raises:
        InvalidDatasetError: If it is damaged, or none.
    """
    try:
        told = _document(text)
        query = BacktestQuery.parse(_kind(told["kind"]), told["query"])
        form = _form(told["form"])
        if query.known_at is not None:
            return Dataset(query, form, str(told["code"]), str(told["digest"]))
    except _BROKEN:
        pass
    fact = "The dataset id is damaged, or none."
    hint = "copy the whole of X-Fiblake-Dataset, or of dataset in a JSON answer."
    raise InvalidDatasetError(fact, hint=hint)


def _kind(text: str) -> Kind:
    return KINDS[KINDS.index(text)]


def _form(text: str) -> Form:
    return FORMS[FORMS.index(text)]


def _document(text: str) -> dict[str, Any]:
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    check, data = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(data):
        msg = "the checksum differs"
        raise ValueError(msg)
    unpacking = zlib.decompressobj()
    document: dict[str, Any] = json.loads(unpacking.decompress(data, _MOST_BYTES))
    return document


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_BYTES).digest()


@cache
def code_version() -> str:
    """Return what changes whenever the same query may be answered with other bytes.

    It is a hash of the SQL, of the code of backtests, and of the versions of what computes and
    writes.
    """
    told = hashlib.blake2b(digest_size=12)
    for name in _STATEMENTS:
        told.update(sql("serving_layer", name).encode())
    for module in sorted(files("serving_layer.backtest").iterdir(), key=lambda each: each.name):
        if module.name.endswith(".py"):
            told.update(module.read_bytes())
    told.update(" ".join(f"{name} {version(name)}" for name in _PACKAGES).encode())
    return told.hexdigest()
