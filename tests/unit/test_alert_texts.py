"""What firings say, and how they are named."""

from __future__ import annotations

import pytest

from tests.alerting import ABOVE, BELOW, OPEN, SECOND_US, closes, firings, prices, rule_of, texts


def test_what_holds_by_its_hysteresis_alone_is_told_so() -> None:
    held = {**ABOVE, "hysteresis_percent": 2}
    rule = rule_of({"kind": "all", "of": [held, {**ABOVE, "level": 98.5, "relation": "crosses"}]})

    assert ["AAPL 98.40 above 98.00 (100.00 less 2%); AAPL crossed down 98.50 at 98.40"] == texts(
        rule, prices(101, 98.4)
    )


@pytest.mark.parametrize(
    ("than", "text"),
    [
        ({"level": 180}, "AAPL 13d closed 182.10 above 180.00"),
        ({"range": 2}, "AAPL 13d closed 182.10 above 179.55, prior 2-bar high 179.55"),
        ({"average": 2}, "AAPL 13d closed 182.10 above 179.275, prior 2-bar average 179.275"),
    ],
)
def test_a_close_tells_what_it_was_above(than: dict[str, float], text: str) -> None:
    rule = rule_of({"kind": "close", "interval": "13d", "relation": "above", "than": than})

    assert [text] == texts(rule, closes(179, 179.55, 182.1))


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({**ABOVE, "level": 180}, "AAPL 182.10 above 180.00"),
        ({**BELOW, "level": 190}, "AAPL 180.00 below 190.00"),
        ({**ABOVE, "level": 0.000125}, "AAPL 180.00 above 0.000125"),
        ({**ABOVE, "level": 180.5, "relation": "crosses"}, "AAPL crossed up 180.50 at 182.10"),
    ],
)
def test_a_price_tells_how_it_lies(when: dict[str, object], text: str) -> None:
    assert [text] == texts(rule_of(when), prices(180, 182.1))[-1:]


def test_a_firing_is_named_by_alert_revision_and_number() -> None:
    fired = firings(rule_of(ABOVE), prices(101, 99, 102.5))

    assert ["al_1.1.1", "al_1.1.2"] == [each.id for each in fired]
    assert (102.5, OPEN + 2 * SECOND_US, "AAPL") == (
        *(fired[1].price, fired[1].time, fired[1].symbol),
    )
