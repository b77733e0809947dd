"""The rules by which Prometheus alerts, made of the table of alarms.

`python -m infra.rules > observability/alerts.yaml` writes them anew; a test holds that file to
them. What AWS alone measures, and what jobs and functions tell, Prometheus does not see: such
alarms have no rule.

Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from infra.alarms import ALARMS, Alarm, Told
from lake.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCRAPED: Final = frozenset(service.name for service in SERVICES)
_HEAD: Final = """\
# Made of infra/alarms: python -m infra.rules > observability/alerts.yaml
groups:
  - name: fiblake
    rules:
"""


def promql(alarm: Alarm) -> str:
    """Return what Prometheus evaluates for an alarm; empty where it does not see that."""
    if alarm.promql is not None:
        return alarm.promql
    told = [each for each in alarm.signals if isinstance(each, Told)]
    if alarm.expression or not _SCRAPED & {each.service for each in told}:
        return ""
    first = told[0]  # the others are of the same metric and labels, told by other services
    labels = ",".join(f'{label}="{value}"' for label, value in first.labels)
    selected = f"{first.metric.name}{{{labels}}}" if labels else first.metric.name
    if first.metric.kind == "counter":
        window = max(alarm.period_s, 300)
        return f"sum(increase({selected}[{window}s])) {alarm.comparison} {alarm.threshold:g}"
    most = "min" if alarm.comparison == "<" else "max"
    wrong = f"{most}({selected}) {alarm.comparison} {alarm.threshold:g}"
    return f"{wrong} or absent({selected})" if alarm.missing == "breaching" else wrong


def rules(alarms: Iterable[Alarm] = ALARMS) -> str:
    """Return the rules of all alarms that Prometheus can see, as a rule file's YAML."""
    return _HEAD + "\n".join(line for alarm in alarms for line in _rule(alarm)) + "\n"


def _rule(alarm: Alarm) -> Iterator[str]:
    expression = promql(alarm)
    if not expression:
        return
    # A counter's window is in its expression already, and has to be wrong once.
    is_counted = any(
        isinstance(each, Told) and each.metric.kind == "counter" for each in alarm.signals
    )
    lasting = 0 if is_counted else alarm.lasting_s
    yield f"      - alert: {alarm.slug}"
    yield f"        expr: {json.dumps(expression)}"
    yield f"        for: {lasting}s"
    yield "        labels:"
    yield f"          severity: {alarm.severity}"
    yield "        annotations:"
    yield f"          summary: {json.dumps(alarm.says)}"
    yield f"          runbook: {alarm.runbook}"


if __name__ == "__main__":
    sys.stdout.write(rules())
