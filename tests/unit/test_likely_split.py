"""Which split a jump in price may be."""

from __future__ import annotations

import pytest

from batch_layer.quality.likely_split import likely_split


@pytest.mark.parametrize(
    ("ratio", "split"),
    [
        (0.5, "2:1"),
        (0.51, "2:1"),
        (25.75 / 53.5, "2:1"),
        (2 / 3 * 1.04, "3:2"),
        (0.345, "3:1"),
        (0.05, "20:1"),
        (8.0, "1:8"),
        (8.3, "1:8"),
        (1.5, "2:3"),
        (2.5, "2:5"),
        (0.45, None),
        (1.8, None),
        (1e4, None),
    ],
)
def test_a_ratio_within_five_percent_of_a_usual_split_is_likely_it(
    ratio: float, split: str | None
) -> None:
    assert split == likely_split(ratio)
