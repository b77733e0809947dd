"""The routes of the API, from the app's own OpenAPI document."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from database import open_database
from lake.clock import SystemClock
from lake.settings import Settings
from lake.store import LocalStore
from reference.tables import code, default_of, is_optional, kind_of, table
from serving_layer.app import create_app
from serving_layer.auth import Access
from serving_layer.reader import Reader
from serving_layer.stream.registry import MemoryConnections, allowed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

_TITLES: Final = {
    "bars": "Bars",
    "prices": "Prices",
    "live": "Live bars",
    "reference": "Reference data",
    "backtest": "Backtests",
    "alerts": "Alerts",
    "keys": "Keys",
    "health": "Health",
    "massive": "Massive's dialect",
    "alpaca": "Alpaca's dialect",
    "tradingview": "TradingView's dialect",
}


def routes() -> str:
    """Return every route with its parameters, its body and its answers."""
    document = _document()
    by_tag: dict[str, list[str]] = {tag: [] for tag in _TITLES}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            tag = (told.get("tags") or ["health"])[0]
            by_tag.setdefault(tag, []).append(_route(path, method, told))
    parts = [
        f"## {_TITLES.get(tag, tag.capitalize())}\n\n" + "\n\n".join(routes)
        for tag, routes in by_tag.items()
        if routes
    ]
    return "\n\n".join([*parts, "## Documents", *_documents(document)])


def _document() -> dict[str, Any]:
    """Return the OpenAPI document of a server with all that it may have."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(lake=f"{folder}/lake", state=f"{folder}/state", cache="off")
        reader = Reader(LocalStore(Path(folder) / "lake"), SystemClock())
        with closing(
            Access(open_database(settings), settings, SystemClock(), is_open_before_keys=True)
        ) as access:
            connections = MemoryConnections(allowed_by(settings), "site")
            app = create_app(reader, access=access, connections=connections)
            return app.openapi()


def _route(path: str, method: str, told: dict[str, Any]) -> str:
    parts = [f"### {method.upper()} {path}", told.get("description", "")]
    if "security" not in told:
        parts.append("Needs no key.")
    if told.get("parameters"):
        rows = [_parameter(each) for each in told["parameters"]]
        parts.append(table(["parameter", "in", "allowed", "default", "what it is"], rows))
    if "requestBody" in told:
        bodies = told["requestBody"]["content"].items()
        parts += [f"Body, `{media}`: {kind_of(body['schema'])}." for media, body in bodies]
    parts.append(_answers(told["responses"]))
    return "\n\n".join(part for part in parts if part)


def _parameter(each: dict[str, Any]) -> list[str]:
    schema = each.get("schema", {})
    default = "needed" if each.get("required") else default_of(schema)
    about = each.get("description") or schema.get("description", "")
    return [code(each["name"]), each["in"], kind_of(schema), default, about]


def _answers(responses: dict[str, Any]) -> str:
    """Return what is answered where all is well, and the statuses of problems."""
    good = {status: told for status, told in responses.items() if status.startswith("2")}
    lines = []
    for status, told in good.items():
        content = told.get("content", {})
        forms = [
            f"`{media}`" + (f" {kind_of(body['schema'])}" if body.get("schema") else "")
            for media, body in content.items()
        ]
        lines.append(f"Answers {status}" + (": " + ", ".join(forms) if forms else "") + ".")
    problems = [status for status in responses if status not in good]
    if problems:
        lines.append(f"Problems: {', '.join(problems)}.")
    return " ".join(lines)


def _documents(document: dict[str, Any]) -> Iterator[str]:
    """Yield the documents that routes take and answer with, each with its fields."""
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        needed = schema.get("required", [])
        rows = [
            [code(field), kind_of(of), _presence(field, of, needed), of.get("description", "")]
            for field, of in schema.get("properties", {}).items()
        ]
        about = schema.get("description", "").partition("\n\n")[0]
        fields = table(["field", "kind", "", "what it is"], rows) if rows else kind_of(schema)
        yield f"### {name}\n\n{about}\n\n{fields}"


def _presence(field: str, schema: dict[str, Any], needed: list[str]) -> str:
    if "default" in schema:
        return f"default {default_of(schema)}"
    return ("may be null" if is_optional(schema) else "always") if field in needed else "optional"
