"""The command `fiblake alerts dry-run`: its documented session, its forms, and what it refuses."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from fiblake import Lake
from tests.api import Api
from tests.command_line import Run, write

DOCS = Path(__file__).parents[2] / "docs/alert-dry-run.md"
UP = {"kind": "price", "relation": "crosses_up", "level": 450.0}
RULE: dict[str, Any] = {"symbol": "AAPL", "repeat": True, "when": UP}


def rule_file(**said: Any) -> str:
    return write("rule.json", json.dumps({**RULE, **said}))


def test_the_documented_session_prints_what_it_shows(in_sample: Run) -> None:
    text = DOCS.read_text("utf-8")
    (rule,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    ((command, shown),) = re.findall(r"```console\n\$ fiblake (.*?)\n(.*?)```", text, re.DOTALL)
    write("breakout.json", rule)

    ran = in_sample(*shlex.split(command))

    assert (0, shown, "") == ran.said


def test_json_is_what_the_api_answers(in_sample: Run, sample_lake: Lake) -> None:
    ran = in_sample("alerts", "dry-run", rule_file(), "--from", "2012-01-01", "--json")
    answer = Api(sample_lake).post("/v1/alerts/dry-run?start=2012-01-01", RULE).json()

    assert answer == json.loads(ran.out)
    assert 0 == ran.code
    assert answer["fired"] == len(answer["firings"]) > 1


def test_a_rule_is_read_from_standard_input(
    in_sample: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file = in_sample("alerts", "dry-run", rule_file(), "--to", "2012-06-29")
    given = io.TextIOWrapper(io.BytesIO(json.dumps(RULE).encode()))
    monkeypatch.setattr(sys, "stdin", given)

    ran = in_sample("alerts", "dry-run", "-", "--to", "2012-06-29")

    assert by_file == ran
    assert ran.out.startswith("AAPL would have fired ")


def test_what_else_is_to_be_known_is_a_note(in_sample: Run) -> None:
    once = in_sample("alerts", "dry-run", rule_file(repeat=False), "--from", "2012-01-01")
    over = in_sample("alerts", "dry-run", rule_file(expires="2005-01-01T00:00:00Z"))
    young = in_sample(
        "alerts", "dry-run", rule_file(symbol="GOOG"), "--from", "2004-08-18", "--to", "2004-08-20"
    )

    assert once.out.startswith("AAPL would have fired 1 time: 2012-01-03 to 2013-03-01")
    assert 'it fires once: with "repeat": true it would again' == once.err.strip()
    assert "it expired 2005-01-01T00:00:00Z: from then on nothing fires" == over.err.strip()
    assert (
        "GOOG would have fired 0 times: 2004-08-18 to 2004-08-20, 3 sessions at 1d, 8 seen\n"
        == young.out
    )
    assert "1 of 3 sessions have no prices" == young.err.strip()


REFUSED = [
    (["--from", "2013-01-01", "--to", "2012-01-01"], 2, "The start 2013-01-01 is after the end"),
    (["--from", "1999-01-04"], 2, "The lake has daily bars from 2000-03-01 on"),
    (["--from", "today"], 2, "'today' is not a date. Allowed: YYYY-MM-DD"),
    (["--resolution", "1h"], 2, "'1h' is not a resolution. Allowed: 1d, 1m, ticks."),
    (["--resolution", "1m"], 1, "holds no 1m bars yet. Hint: fiblake fetch minutes"),
    (["--resolution", "ticks"], 1, "No events are recorded in"),
]


@pytest.mark.parametrize(("asked", "code", "told"), REFUSED)
def test_what_cannot_be_is_one_error(
    in_sample: Run, asked: list[str], code: int, told: str
) -> None:
    ran = in_sample("alerts", "dry-run", rule_file(), *asked)

    assert (code, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: ")
    assert told in " ".join(ran.err.split())


def test_a_rule_that_is_none_is_one_error(in_sample: Run) -> None:
    unknown = in_sample("alerts", "dry-run", rule_file(symbol="NOPE"))
    bad = in_sample("alerts", "dry-run", write("bad.json", '{"symbol": "AAPL"}'))
    absent = in_sample("alerts", "dry-run", "absent.json")

    assert 1 == unknown.code
    assert unknown.err.startswith("error: NOPE: no such symbol in the lake")
    assert 2 == bad.code
    assert bad.err.startswith("error: This is not a rule: when: Field required.")
    assert 1 == absent.code
    assert absent.err.startswith("error: absent.json: No such file or directory.")
