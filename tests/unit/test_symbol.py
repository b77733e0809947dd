import pytest

from lake.symbol import canonical


@pytest.mark.parametrize("spelling", ["BRK.B", "BRK/B", "BRK-B", "BRK B", " brk_b "])
def test_a_class_of_shares_has_one_spelling(spelling: str) -> None:
    assert canonical(spelling) == "BRK.B"


@pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD", "ES=F", "BAC-PL", "BF.B", "3M-A", "^GSPC"])
def test_what_is_no_class_of_shares_stays(symbol: str) -> None:
    assert canonical(symbol) == symbol
