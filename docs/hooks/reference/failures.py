"""The tree of errors, from `lake.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lake import errors
from lake.errors import FiblakeError, MisuseError, code_of
from reference.tables import code, table
from serving_layer.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def failures() -> str:
    """Return the tree as the code draws it, and what each error is called and answered with."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip()
    rows = [
        [
            f"[{kind.__name__}](../troubleshooting.md#{kind.__name__.lower()})",
            code(code_of(kind(""))),
            str(2 if issubclass(kind, MisuseError) else 1),
            str(int(status_of(kind("")))),
            (kind.__doc__ or "").partition("\n\n")[0],
        ]
        for kind in _below(FiblakeError)
    ]
    heads = ["error", "code of the API", "exit", "HTTP", "what it is"]
    return f"```text\n{tree}\n```\n\n{table(heads, rows)}"


def _below(kind: type[FiblakeError]) -> Iterator[type[FiblakeError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from _below(each)
