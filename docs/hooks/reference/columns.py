"""The columns of everything that the lake stores, from the Arrow schemas and what they say."""

from __future__ import annotations

import ast
import inspect
import itertools
from typing import TYPE_CHECKING

import pyarrow as pa

from lake import schemas
from reference.tables import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def columns() -> str:
    """Return the columns of each table."""
    told = dict(_docstrings())
    parts = []
    for name, schema in vars(schemas).items():
        if isinstance(schema, pa.Schema):
            rows = [
                [code(each.name), code(each.type), "may be null" if each.nullable else ""]
                for each in schema
            ]
            title = name.replace("_", " ").capitalize()
            parts.append(
                f"## {title}\n\n{told.get(name, '')}\n\n{table(['column', 'type', ''], rows)}"
            )
    return "\n\n".join(parts)


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield each schema's name and the text below it."""
    body = ast.parse(inspect.getsource(schemas)).body
    for node, following in itertools.pairwise(body):
        match node, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, text
