"""What commands print: data and reports on standard output, all else on standard error."""

from __future__ import annotations

import dataclasses
import io
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# Wider than any table: a narrow terminal wraps lines, but nothing is cut off.
_WIDTH = 1000


class Output:
    """Prints a command's report as text or, with `as_json`, as one JSON document."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = Console(width=_WIDTH, highlight=False, soft_wrap=True, markup=False)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

    def report(self, report: Any, text: Callable[[Any], Iterable[str | Table]]) -> None:  # noqa: ANN401
        """Print a dataclass as JSON, or the lines and tables that `text` makes of it."""
        if self.as_json:
            self.raw(to_json(dataclasses.asdict(report), indent=2))
            return
        self.show(*text(report))

    def show(self, *parts: str | Table) -> None:
        """Print lines and tables."""
        for part in parts:
            self._out.print(part)

    def raw(self, data: bytes) -> None:
        """Print bytes as they are, with a line's end where they have none."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        if not data.endswith(b"\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        """Print what is not data: a note, a warning, an error."""
        self._err.print(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Show a progress bar on a terminal; yield what moves it to (done, of how many)."""
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(title, total=None, visible=self._err.is_terminal)

            def advance(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            yield advance


def table_of(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Table:
    """Return a table of text, its first `left` columns flush left and the others flush right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def rendered(table: Table) -> str:
    """Return a table as plain text."""
    console = Console(file=io.StringIO(), width=_WIDTH)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
