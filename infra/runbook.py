"""The heads of the runbook's pages, and their index, as the table of alarms has them.

`python -m infra.runbook` writes them anew into `docs/runbook`; the rest of each page is a person's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.alarms import ALARMS, TOGETHER, Alarm, Together

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_SECTION: Final = "## What it means\n"
"""What follows a page's head."""
_MISSING: Final = {
    "breaching": "No data rings, too.",
    "notBreaching": "No data is no alarm.",
    "ignore": "No data leaves it as it was.",
}
_URGENCY: Final = {"page": "Look now", "notice": "Look on the next working day"}
_INDEX: Final = """\
# Runbook

What to do when an alarm rings: one page an alarm. CloudWatch's alarms and Prometheus's rules
(`observability/alerts.yaml`) are made of one table, `infra/alarms`. `page`: someone looks now;
`notice`: on the next working day. Those that ring together ring as `flow` or `serving`, once.

In commands, `SIZE` is `prod` or `dev`, and `URL` is where the API answers. To restart a service, as
`feed`: `aws ecs update-service --cluster fiblake-SIZE --service feed --force-new-deployment`, or in
compose `docker compose restart feed`. Each may be killed at any moment.

The exchange's nights, holidays and early closes are no alarms. Alarms of lag and of queues are
content when nothing flows; `feed-silent` looks at `fiblake_market_open`, which follows the
exchange's own calendar; `feed-away` rings at any hour, since a feed that is away at night is away
at 04:00 too. In CloudWatch, what jobs tell has no system's name in it: two systems that share an
account share what `backup-old`, `differences` and `rows-rejected` watch.

| alarm | | what is wrong |
| --- | --- | --- |
"""


def head(alarm: Alarm | Together) -> str:
    """Return the part of an alarm's page that is before its first section."""
    if isinstance(alarm, Together):
        return (
            f"# {alarm.slug}\n\n{alarm.says} **{_URGENCY['page']}.**\n\n"
            "Rings while one of its alarms does.\n\n"
        )
    sizes = " and ".join(f"`{size}`" for size in alarm.sizes)
    return (
        f"# {alarm.slug}\n\n{alarm.says} **{_URGENCY[alarm.severity]}.**\n\n"
        f"Of systems of the size {sizes}. Rings when `{alarm.when}`. {_MISSING[alarm.missing]}\n\n"
    )


def index() -> str:
    """Return the page that lists all of them."""
    return _INDEX + "".join(_rows())


def _rows() -> Iterator[str]:
    for together in TOGETHER:
        yield f"| [{together.slug}]({together.slug}.md) | page | {together.says} |\n"
    for alarm in ALARMS:
        yield f"| [{alarm.slug}]({alarm.slug}.md) | {alarm.severity} | {alarm.says} |\n"


def _write(folder: Path) -> None:
    for alarm in (*ALARMS, *TOGETHER):
        page = folder / f"{alarm.slug}.md"
        body = page.read_text("utf-8").partition(FIRST_SECTION)[2]
        page.write_text(head(alarm) + FIRST_SECTION + body, "utf-8")
    (folder / "index.md").write_text(index(), "utf-8")


if __name__ == "__main__":
    _write(Path(__file__).parent.parent / "docs" / "runbook")
