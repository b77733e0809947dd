"""A table's values as JSON has them, exactly: what is written is read back the same.

A dump must go from SQLite to PostgreSQL and back, and outlive the version that made it: so each
column is told by a kind of a few, and not by one database's type.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from database.tables import Instant
from lake.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column holds.

    Attributes:
        type: By which it is read and written.
        to_json: Makes a value one that JSON has.
        of_json: Makes it again.
    """

    type: sa.types.TypeEngine[Any]
    to_json: Callable[[Any], Any] = lambda value: value
    of_json: Callable[[Any], Any] = lambda value: value


KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind(sa.Text()),
    "integer": Kind(sa.BigInteger()),
    "boolean": Kind(sa.Boolean()),
    "float": Kind(sa.Float(53)),
    "instant": Kind(Instant(), dt.datetime.isoformat, dt.datetime.fromisoformat),
    "decimal": Kind(sa.Numeric(), str, Decimal),
    "bytes": Kind(
        sa.LargeBinary(), lambda value: base64.b64encode(value).decode(), base64.b64decode
    ),
    "json": Kind(sa.JSON()),
}
# The first that fits: a float is a number, too.
_OF_TYPE: Final = (
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.Numeric, "decimal"),
    (sa.DateTime, "instant"),
    (sa.LargeBinary, "bytes"),
    (sa.JSON, "json"),
    (sa.String, "text"),
)


def kind_of(column: str, found: sa.types.TypeEngine[Any]) -> str:
    """Return the kind of a column, by the type that its database tells.

    Raises:
        BackupError: If it is none of the kinds.
    """
    for type_, kind in _OF_TYPE:
        if isinstance(found, type_):
            return kind
    fact = f"The column {column} is a {found}, which a backup cannot hold: {', '.join(KINDS)}."
    raise BackupError(fact)


def table_of(name: str, kinds: Mapping[str, str]) -> sa.Table:
    """Return a table by its columns' kinds alone, to read rows from or put them into."""
    columns = [sa.Column(column, KINDS[kind].type) for column, kind in kinds.items()]
    return sa.Table(name, sa.MetaData(), *columns)


def line_of(row: Sequence[Any], kinds: Mapping[str, str]) -> bytes:
    """Return a row's values, in order of the columns, as a line of JSON.

    Raises:
        TypeError, ValueError, AttributeError: If one is not of its column's kind.
    """
    told = zip(row, kinds.values(), strict=True)
    values = [None if value is None else KINDS[kind].to_json(value) for value, kind in told]
    # In ASCII: a text may hold what no encoding has, as half of a pair of surrogates.
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def row_of(values: Sequence[Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return a row, by column, of a line's values."""
    told = zip(values, kinds.items(), strict=True)
    return {
        column: None if value is None else KINDS[kind].of_json(value)
        for value, (column, kind) in told
    }
