"""Tables of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of Markdown; what its cells hold is Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def code(value: object) -> str:
    """Return a value as it is written, between backticks; nothing: a dash."""
    text = str(value)
    return f"`{text}`" if text else "-"


def kind_of(schema: dict[str, Any]) -> str:
    """Return what a JSON Schema allows, in a few words of Markdown."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(each) for each in schema["enum"])
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(kind_of(each) for each in choices if each.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    told = str(schema.get("format") or schema.get("type") or "any")
    return " ".join([told, *_bounds(schema)])


def is_optional(schema: dict[str, Any]) -> bool:
    """Return whether null is allowed."""
    return any(each.get("type") == "null" for each in schema.get("anyOf", ()))


def default_of(schema: dict[str, Any]) -> str:
    """Return what is taken where nothing is given."""
    if schema.get("default") is None:
        return "none"
    default = schema["default"]
    return code(str(default).lower() if isinstance(default, bool) else default)


def _bounds(schema: dict[str, Any]) -> list[str]:
    told = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return [f"{sign} {schema[name]:,g}" for name, sign in told.items() if name in schema]


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
