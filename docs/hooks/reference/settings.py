"""The settings, from the fields of `lake.settings.Settings`."""

from __future__ import annotations

from typing import Any, Final

from lake.settings import Settings
from reference.tables import code, default_of, kind_of, table

_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "The lake": ("lake", "backups", "settling_", "history_", "cache", "s3_"),
    "Fetching": ("massive_", "flatfiles_", "fetch_"),
    "The live feed": ("feed_", "lateness_", "state"),
    "Streams": ("stream", "kinesis_"),
    "The realtime view": ("view", "redis_", "dynamodb_"),
    "Alerts and how they are told": (
        "alert_",
        "alerts_",
        "sns_",
        "webhook_",
        "delivery_",
        "destinations_",
        "notifications_",
    ),
    "The API and who may ask it": (
        "database_",
        "key",
        "token_",
        "keys_",
        "rate_",
        "connections_",
        "channels_",
        "cors_",
        "forwarded_",
        "max_",
    ),
    "Jobs on AWS Batch": ("batch_",),
}
_REST: Final = "Each process"


def settings() -> str:
    """Return all settings, as tables by what they are of."""
    fields = Settings.model_json_schema()["properties"]
    grouped: dict[str, list[list[str]]] = {title: [] for title in [*_GROUPS, _REST]}
    for name, schema in fields.items():
        grouped[_group_of(name)].append(_row(name, schema))
    heads = ["variable", "what it is", "allowed", "default"]
    return "\n\n".join(f"## {title}\n\n{table(heads, rows)}" for title, rows in grouped.items())


def _group_of(name: str) -> str:
    found = (title for title, starts in _GROUPS.items() if name.startswith(starts))
    return next(found, _REST)


def _row(name: str, schema: dict[str, Any]) -> list[str]:
    is_secret = any(each.get("writeOnly") for each in [schema, *schema.get("anyOf", ())])
    default = Settings.model_fields[name].get_default()
    shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
    allowed = "a secret" if is_secret else kind_of(schema)
    about = schema.get("description", "")
    return [
        code(f"FIBLAKE_{name.upper()}"),
        about,
        allowed,
        default_of(schema | {"default": shown}),
    ]
