"""The commands, from the command line itself."""

from __future__ import annotations

import re
from typing import Final

import typer
from typer.cli import get_docs_for_click

from fiblake.cli import app

_CUT: Final = re.compile(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+\n")
_HELP: Final = re.compile(r"\* `--help`: .*\n")
_NOTHING: Final = re.compile(r"\*\*Options\*\*:\n\n(?=\n|#|$)")


def commands() -> str:
    """Return every command with its arguments and options, as `--help` tells them."""
    group = typer.main.get_command(app)
    told = get_docs_for_click(obj=group, ctx=typer.Context(group), name="fiblake", indent=0)
    # Typer's lists of commands are of shortened sentences; the contents beside the page has them.
    for pattern in (_CUT, _HELP, _NOTHING):
        told = pattern.sub("", told)
    return re.sub(r"^(#+) `(.+)`$", r"\1 \2", told.partition("\n")[2], flags=re.MULTILINE)
