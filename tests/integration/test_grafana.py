"""The dashboard, and what Prometheus scrapes: held to the catalogue and to the services."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]

from infra.grafana import ROWS, dashboard
from lake.metrics import CATALOGUE
from lake.services import HEALTH_PORT, SERVICES
from tests.parts import missing

FOLDER: Final = Path(__file__).parents[2] / "observability"
_NAMED: Final = re.compile(r"[a-z][a-z_]*_[a-z_]+(?=[{\[)]|$)")
_SCRAPED: Final = {service.name for service in SERVICES}
QUERIES: Final = [
    query.promql for panels in ROWS.values() for panel in panels for query in panel.queries
]


@pytest.fixture
def checker() -> str:
    found = shutil.which("promtool")
    if found is None:
        missing("promtool", "apt-get install prometheus")
    return found


def checked(checker: str, what: str, path: Path) -> str:
    """Return what Prometheus' own tool says of a file that it finds right."""
    command = [checker, "check", what, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def test_the_file_is_what_is_made() -> None:
    assert dashboard() == json.loads((FOLDER / "grafana/fiblake.json").read_text())


def test_each_metric_that_is_scraped_is_shown_and_no_other() -> None:
    shown = {name for query in QUERIES for name in _NAMED.findall(query)}

    told = {
        f"{each.name}_bucket" if each.kind == "histogram" else each.name
        for each in CATALOGUE
        if _SCRAPED & set(each.services)
    }
    assert told == {name for name in shown if name.startswith("fiblake")}
    of_processes = {name for name in shown if name.startswith("process")}
    assert {"process_cpu_seconds_total", "process_open_fds"} < of_processes


def test_panels_have_places_of_their_own_and_the_source_that_is_provisioned() -> None:
    panels = dashboard()["panels"]
    cells = [
        (x, y)
        for each in panels
        for x in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for y in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]

    assert len(cells) == len(set(cells))
    assert len(panels) == len({each["id"] for each in panels})
    assert {source["uid"]} == {
        target["datasource"]["uid"] for each in panels for target in each.get("targets", ())
    }


def test_prometheus_can_read_each_query(checker: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    said = checked(checker, "rules", path)

    assert f"{len(QUERIES)} rules found" in said


def test_prometheus_scrapes_each_service_and_knows_the_rules(checker: str) -> None:
    path = FOLDER / "prometheus.yaml"
    (job,) = read("prometheus.yaml")["scrape_configs"]
    (found,) = job["dns_sd_configs"]

    said = checked(checker, "config", path)

    assert "1 rule files found" in said
    assert (_SCRAPED, HEALTH_PORT) == (set(found["names"]), found["port"])
