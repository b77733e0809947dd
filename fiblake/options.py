"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

LakeOption = Annotated[
    str | None,
    typer.Option("--lake", help="A folder or s3://bucket/prefix. [FIBLAKE_LAKE, else data]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
