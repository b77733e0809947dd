"""What `docs/cost.md` shows of the bill: `python -m tests.cost_page` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from fiblake.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "cost.md"
_SHOWN = re.compile(r"```console\n\$ fiblake (infra cost[^\n]*)\n.*?```", re.DOTALL)


def renewed(page: str) -> str:
    """Return a page with what its commands print now."""
    return _SHOWN.sub(_shown, page)


def _shown(found: re.Match[str]) -> str:
    printed = CliRunner().invoke(app, found[1].split()).stdout
    return f"```console\n$ fiblake {found[1]}\n{printed}```"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
