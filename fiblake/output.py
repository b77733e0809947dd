"""What commands print: data and reports on standard output, all else on standard error."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lake.alerts.destination import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from _typeshed import DataclassInstance

Report = TypeVar("Report", bound="DataclassInstance")


class Output:
    """Prints a command's report as text or, with `as_json`, as one JSON document."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

    def report(self, report: Report, text: Callable[[Report], Iterable[str]]) -> None:
        """Print a dataclass as JSON, or the lines and tables that `text` makes of it."""
        if self.as_json:
            self.raw(to_json(dataclasses.asdict(report), indent=2))
            return
        self.show(*text(report))

    def show(self, *parts: str) -> None:
        """Print lines and tables."""
        for part in parts:
            self.raw(part.encode())

    def raw(self, data: bytes) -> None:
        """Print bytes as they are, with a line's end where they have none."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        if not data.endswith(b"\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        """Print what is not data: a note, a warning, an error; no webhook's secret in it."""
        self._err.print(without_secrets(text))

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Show a progress bar on a terminal; yield what moves it to (done, of how many)."""
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        hidden = not self._err.is_terminal
        with Progress(*columns, console=self._err, transient=True, disable=hidden) as bar:
            task = bar.add_task(title, total=None)

            def advance(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            yield advance


def table_of(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table as text, its first `left` columns flush left and the others flush right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["─" * width for width in widths])
    return "\n".join(_padded(line, widths, left) for line in lines)


def _padded(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = (
        cell.ljust(width) if number < left else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()
