"""A small lake with a past, and rules that are tried on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fiblake import Lake
from lake.alerts.rule import parse_rule
from lake.session import SessionTable
from serving_layer.alerts.dry_run import DryRun, DryRuns
from tests.dry_runs import Market, filled, made_up, rule_of, runs_of

HIGH = {"kind": "close", "interval": "13d", "relation": "above", "than": {"range": 1}}
UP = {"kind": "price", "relation": "above", "level": 50.0}
FIVE = {"kind": "close", "interval": "5m", "relation": "above", "than": {"level": 50.0}}


@pytest.fixture(scope="session")
def past_market(sessions: SessionTable) -> Market:
    return made_up(sessions, 1)


@pytest.fixture(scope="session")
def past_lake(
    blank_lake: Path, tmp_path_factory: pytest.TempPathFactory, past_market: Market
) -> Lake:
    folder = tmp_path_factory.mktemp("asked") / "lake"
    shutil.copytree(blank_lake, folder)
    return filled(folder, past_market)


@pytest.fixture(scope="session")
def past_runs(past_lake: Lake) -> DryRuns:
    return runs_of(past_lake)


def run(runs: DryRuns, condition: dict[str, Any], *asked: Any, **said: Any) -> DryRun:
    symbol = said.pop("symbol", "PLAIN")
    return runs.run(parse_rule(rule_of(condition, symbol, **said)), *asked)
