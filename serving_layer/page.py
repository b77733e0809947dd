"""The chart page as one file, to open with no server: its answers are within."""

from __future__ import annotations

import gzip
from base64 import b64encode
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from lake.interval import SESSION_INTERVALS
from serving_layer import routes
from serving_layer.app import WEB
from serving_layer.query import Adjustment, BarsQuery

if TYPE_CHECKING:
    from lake.interval import Interval
    from serving_layer.reader import Reader

_FAST: Final = 3
_ADJUSTMENTS: Final[tuple[Adjustment, ...]] = ("split", "raw")  # those it has buttons for
_STYLE: Final = "web/chart.css"
_SCRIPTS: Final = (
    "web/vendor/lightweight-charts/lightweight-charts.standalone.production.js",
    "web/chart.js",
)


def self_contained_page(reader: Reader) -> str:
    """Return the chart page with all bars of all symbols within.

    Meant for a handful of symbols: the file grows with the bars.

    Raises:
        EmptyLakeError: If the lake has no bars.
    """
    page = (WEB / "index.html").read_text("utf-8")
    style = f"<style>\n{_asset(_STYLE)}</style>"
    page = _put_in(page, f'<link rel="stylesheet" href="{_STYLE}">', style)
    packed = b64encode(gzip.compress(to_json(_answers(reader)), _FAST, mtime=0)).decode()
    answers = f'<script id="answers" type="application/gzip;base64">{packed}</script>\n'
    for script in _SCRIPTS:
        # A script ends at the first </script>, wherever it stands.
        code = _asset(script).replace("</script", "<\\/script")
        page = _put_in(page, f'<script src="{script}"></script>', f"<script>\n{code}</script>")
    return page.replace("</head>", f"{answers}</head>", 1)


def _answers(reader: Reader) -> dict[str, object]:
    """Return the API's answer to each request that the page makes, by its path."""
    answers: dict[str, object] = {
        "v1/intervals": routes.intervals(),
        "v1/symbols?query=": routes.symbols(reader, limit=routes.MAX_LIMIT),
    }
    for interval in SESSION_INTERVALS:
        for adjustment in _ADJUSTMENTS:
            answers |= _bars_answers(reader, interval, adjustment)
    return answers


def _bars_answers(reader: Reader, interval: Interval, adjustment: Adjustment) -> dict[str, object]:
    """Return the answers for all symbols, from one query."""
    symbols = tuple(symbol.symbol for symbol in reader.symbols())
    query = BarsQuery(symbols=symbols, interval=interval, adjustment=adjustment)
    rows = reader.bars(query).to_pylist()
    limit = routes.MAX_LIMIT
    asked = f"interval={interval}&adjustment={adjustment}&limit={limit}"
    return {
        f"v1/bars/{symbol}?{asked}": routes.bars_answer(
            reader, replace(query, symbols=(symbol,)), list(of_symbol), limit=limit
        )
        for symbol, of_symbol in groupby(rows, itemgetter("symbol"))
    }


def _asset(path: str) -> str:
    return (WEB.parent / path).read_text("utf-8")


def _put_in(page: str, mark: str, content: str) -> str:
    if page.count(mark) != 1:
        msg = f"the page must hold {mark} once"
        raise ValueError(msg)
    return page.replace(mark, content)
