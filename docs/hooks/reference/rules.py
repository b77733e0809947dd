"""What a rule of an alert may say, from the model that reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lake.alerts.rule import Rule
from reference.tables import code, default_of, kind_of, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def rules() -> str:
    """Return the fields of a rule and of each condition, and the schema itself."""
    schema = Rule.model_json_schema()
    documents = {"Rule": schema, **schema["$defs"]}
    text = json.dumps(schema, indent=2)
    whole = "## The schema\n\n```json\n" + text + "\n```"
    return "\n\n".join([*_fields(documents), whole])


def _fields(documents: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, schema in documents.items():
        needed = schema.get("required", [])
        rows = [
            [code(field), kind_of(of), _default(field, of, needed), of.get("description", "")]
            for field, of in schema.get("properties", {}).items()
        ]
        about = schema.get("description", "").partition("\n\n")[0]
        heads = ["field", "allowed", "default", "what it is"]
        yield f"## {name}\n\n{about}\n\n{table(heads, rows)}"


def _default(field: str, schema: dict[str, Any], needed: list[str]) -> str:
    return "needed" if field in needed else default_of(schema)
