"""What the page about alerts says of rules is so."""

from __future__ import annotations

import json
import re

import pytest

from lake.alerts.rule import Rule, parse_rule, rule_document
from tests.bench.timing import ROOT

PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")
RULES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", RULES)
def test_each_rule_of_the_page_is_one(text: str) -> None:
    rule = parse_rule(text)

    assert rule == parse_rule(rule_document(rule))
    assert json.loads(text)["symbol"] == rule.symbol


def test_each_field_of_a_rule_is_told() -> None:
    assert 4 == len(RULES)
    assert [] == [name for name in Rule.model_fields if f"`{name}`" not in PAGE]
