"""The lake as tables of Hive: where each is, its columns, and which partitions there are.

Partitions follow from the lake's keys (Athena's partition projection), so that no crawler has to
look for them. `daily` and `bars_3d` ... `bars_34d` are partitioned by `year`, an integer. `minute`
and the intraday bars, `bars_5m` ... `bars_4h`, by `year` and `session`, texts: a query of them must
name its year, or there would be a million partitions to look for.

Source: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from lake import keys, schemas
from lake.interval import FIBONACCI, INTRADAY

if TYPE_CHECKING:
    from collections.abc import Mapping

LAKE: Final = "lake"
"""The lake's prefix in its bucket; backups and Athena's results are beside it."""

_BY_YEAR: Final = {"year": "int"}
_BY_SESSION: Final = {"year": "string", "session": "string"}
_PROJECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "year": {
        "projection.year.type": "integer",
        "projection.year.range": "1962,2099",
    },
    "session": {
        "projection.year.type": "injected",  # from the query, which must say which
        "projection.session.type": "date",
        "projection.session.format": "yyyy-MM-dd",
        "projection.session.range": "1962-01-02,NOW",
        "projection.session.interval": "1",
        "projection.session.interval.unit": "DAYS",
    },
}
_TYPES: Final = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamp",
}


@dataclass(frozen=True, slots=True)
class HiveTable:
    """A part of the lake as a table.

    Attributes:
        name: Of it.
        prefix: Of its objects' keys in the lake.
        columns: Types by names, less what partitions tell.
        partitions: Likewise of these, outermost first.
    """

    name: str
    prefix: str
    columns: Mapping[str, str]
    partitions: Mapping[str, str]

    @property
    def template(self) -> str:
        """The prefix of a partition's objects, with `${...}` for what it is of."""
        return self.prefix + "".join(f"{name}=${{{name}}}/" for name in self.partitions)

    @property
    def projection(self) -> Mapping[str, str]:
        """What Athena is told of which partitions there are."""
        return _PROJECTIONS[list(self.partitions)[-1]]


def hive_tables() -> list[HiveTable]:
    """Return the tables: daily and minute bars of bronze, and each interval of silver."""
    return [
        _table("daily", keys.DAILY, schemas.DAILY, _BY_YEAR),
        _table("minute", keys.MINUTE, schemas.MINUTE, _BY_SESSION),
        *[
            _table(f"bars_{each}", keys.silver_prefix(each), schemas.BARS, _BY_YEAR)
            for each in FIBONACCI
        ],
        *[
            _table(f"bars_{each}", keys.silver_prefix(each), schemas.INTRADAY, _BY_SESSION)
            for each in INTRADAY
        ],
    ]


def hive_type(kind: pa.DataType) -> str:
    """Return what Hive, Glue and Athena call a type of Arrow.

    Raises:
        TypeError: If no column of a table has such a type.
    """
    if kind not in _TYPES:
        msg = f"No type of Hive is known for {kind}."
        raise TypeError(msg)
    return _TYPES[kind]


def _table(name: str, prefix: str, schema: pa.Schema, partitions: Mapping[str, str]) -> HiveTable:
    columns = {
        field.name: hive_type(field.type) for field in schema if field.name not in partitions
    }
    return HiveTable(name, prefix, columns, partitions)
