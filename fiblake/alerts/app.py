"""The commands `fiblake alerts`: the group, and the schema of rules."""

from __future__ import annotations

import orjson
import typer

from lake.alerts.rule import Rule

app = typer.Typer(
    name="alerts",
    help="Rules that tell when a price or a bar is as they say: kept, tried on history, told.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def root() -> None:
    """Rules that tell when a price or a bar is as they say."""


@app.command("schema")
def schema_() -> None:
    """Print what a rule may say, as JSON Schema."""
    typer.echo(orjson.dumps(Rule.model_json_schema(), option=orjson.OPT_INDENT_2))
