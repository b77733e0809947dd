"""What services measure of themselves, and the services, from the catalogues of the kernel."""

from __future__ import annotations

from lake.metrics import CATALOGUE
from lake.services import EMBEDDED, SERVICES
from reference.tables import code, table


def metrics() -> str:
    """Return the catalogue of metrics."""
    rows = [
        [
            code(each.name),
            each.kind,
            ", ".join(each.services),
            ", ".join(map(code, each.labels)) or "-",
            each.help,
        ]
        for each in CATALOGUE
    ]
    return table(["name", "kind", "who tells it", "labels", "what it says"], rows)


def services() -> str:
    """Return the services, and the commands that start them."""
    rows = [[each.name, code(" ".join(each.command)), each.about] for each in (*SERVICES, EMBEDDED)]
    return table(["service", "command", "what it does"], rows)
