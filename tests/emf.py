"""Lines of the embedded metric format, held to AWS's specification of it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]

_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
_UNIT = {"enum": ["Seconds", "Bytes", "Count", "None"]}
_METRIC = {"required": ["Name", "Unit"], "properties": {"Name": _TEXT, "Unit": _UNIT}}
_DIRECTIVE = {
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": _TEXT,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "maxItems": 30, "items": _TEXT},
        },
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": _METRIC},
    },
}
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": _DIRECTIVE},
            },
        }
    },
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number"]},
            {"type": "array", "maxItems": 100, "items": {"type": "number"}},
        ]
    },
}
"""What the specification says of a line."""
_MOST_BYTES = 256 * 1024


def must_be_emf(text: str) -> dict[str, Any]:
    """Return what a line tells, once it is one that CloudWatch takes metrics from."""
    line: dict[str, Any] = json.loads(text)
    jsonschema.validate(line, EMF)
    assert len(text.encode()) < _MOST_BYTES
    return line


def emf_values(log: str) -> dict[tuple[str, ...], Any]:
    """Return what the lines in a log tell, by metric and the values of its dimensions."""
    found = {}
    for text in log.splitlines():
        if '"_aws"' in text:
            line = must_be_emf(text)
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            labels = [line[name] for name in directive["Dimensions"][0]]
            for metric in directive["Metrics"]:
                found[metric["Name"], *labels] = line[metric["Name"]]
    return found
