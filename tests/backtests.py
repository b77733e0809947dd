"""Questions to backtests, and what their indicators are by definition."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tests.api import Api


def recomputed(name: str, rows: list[dict[str, Any]]) -> list[float | None]:
    """An indicator by its definition, bar after bar."""
    kind, _, period = name.partition("_")
    n = int(period)
    closes = [row["close"] for row in rows]
    changes = [after - before for before, after in pairwise(closes)]
    if kind == "sma":
        means = [float(np.mean(closes[at - n + 1 : at + 1])) for at in range(n - 1, len(closes))]
        return [None] * min(n - 1, len(closes)) + means
    if kind == "returns":
        gained = [after / before - 1 for before, after in zip(closes, closes[n:], strict=False)]
        return [None] * min(n, len(closes)) + gained
    if kind == "ema":
        return smoothed(closes, n, 2 / (n + 1))
    if kind == "atr":
        return smoothed(true_ranges(rows), n, 1 / n)
    gains = smoothed([max(change, 0) for change in changes], n, 1 / n)
    losses = smoothed([max(-change, 0) for change in changes], n, 1 / n)
    return [None] + [
        None if gain is None or loss is None else 100 * gain / (gain + loss)
        for gain, loss in zip(gains, losses, strict=True)
    ]


def smoothed(values: list[float], n: int, weight: float) -> list[float | None]:
    found: list[float | None] = [None] * len(values)
    last = 0.0
    for at, value in enumerate(values):
        if at == n - 1:
            last = float(np.mean(values[:n]))
        elif at >= n:
            last = (1 - weight) * last + weight * value
        if at >= n - 1:
            found[at] = last
    return found


def true_ranges(rows: list[dict[str, Any]]) -> list[float]:
    first = [rows[0]["high"] - rows[0]["low"]]
    return first + [
        max(now["high"], before["close"]) - min(now["low"], before["close"])
        for before, now in pairwise(rows)
    ]


def assert_near(expected: list[float | None], found: list[float | None]) -> None:
    assert [each is None for each in expected] == [each is None for each in found]
    wanted, told = ([each for each in side if each is not None] for side in (expected, found))
    np.testing.assert_allclose(told, wanted, rtol=1e-9, atol=1e-9)


def post(api: Api, path: str, body: dict[str, Any], accept: str = "*/*") -> Any:
    return api.post(f"/v1/backtest/{path}", body, accept)
