"""The chart page as one file, to open with no server: its answers are within."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc
from pydantic_core import to_json

from lake.interval import SESSION_INTERVALS
from serving_layer import routes
from serving_layer.app import WEB
from serving_layer.merged import MergedReader
from serving_layer.query import Adjustment, BarsQuery

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from lake.interval import Interval
    from serving_layer.reader import Reader

_FAST: Final = 3
_ADJUSTMENTS: Final[tuple[Adjustment, ...]] = ("split", "raw", "all")  # those it has buttons for
_STYLES: Final = ("web/page.css", "web/chart.css", "web/watchlist.css", "web/alerts.css")
_LIBRARY: Final = "web/vendor/lightweight-charts/lightweight-charts.standalone.production.js"
_MAIN: Final = "main.js"
_IMPORT: Final = re.compile(r'^(import (?:.* from )?")(\.{1,2}/[a-z/]+\.js)(?=";$)', re.MULTILINE)
_FOLDERS: Final = ("", "alerts")
"""Those of the page's modules."""


def self_contained_page(reader: Reader) -> str:
    """Return the chart page with all bars of all symbols within.

    Meant for a handful of symbols: the file grows with the bars.

    Raises:
        EmptyLakeError: If the lake has no bars.
    """
    page = (WEB / "index.html").read_text("utf-8")
    for style in _STYLES:
        link = f'<link rel="stylesheet" href="{style}">'
        page = _put_in(page, link, f"<style>\n{_asset(style)}</style>")
    # A script ends at the first </script>, wherever it stands.
    library = _asset(_LIBRARY).replace("</script", "<\\/script")
    page = _put_in(page, f'<script src="{_LIBRARY}"></script>', f"<script>\n{library}</script>")
    main = f'<script type="module" src="web/{_MAIN}"></script>'
    page = _put_in(page, main, _modules())
    packed = b64encode(gzip.compress(_answers(reader), _FAST, mtime=0)).decode()
    answers = f'<script id="answers" type="application/gzip;base64">{packed}</script>\n'
    return page.replace("</head>", f"{answers}</head>", 1)


def _modules() -> str:
    """Return the page's modules, each as a URL that holds it, under names that all of them import.

    A browser loads no module from beside a file.
    """
    paths = (path for folder in _FOLDERS for path in sorted((WEB / folder).glob("*.js")))
    modules = {
        _name_of(path): f"data:text/javascript;base64,{b64encode(_module(path).encode()).decode()}"
        for path in paths
    }
    imports = json.dumps({"imports": modules})
    return (
        f'<script type="importmap">{imports}</script>\n'
        f'<script type="module">import "page/{_MAIN}";</script>'
    )


def _name_of(path: Path) -> str:
    return f"page/{path.resolve().relative_to(WEB.resolve()).as_posix()}"


def _module(path: Path) -> str:
    """Return a module that imports others by their names."""

    def named(found: re.Match[str]) -> str:
        return f"{found[1]}{_name_of(path.parent / found[2])}"

    return _IMPORT.sub(named, path.read_text("utf-8"))


def _answers(reader: Reader) -> bytes:
    """Return the API's answer to each request that the page makes, by its path, as JSON."""
    answers = {
        "v1/intervals": to_json(routes.intervals_answer(SESSION_INTERVALS, live=False)),
        "v1/symbols?query=": to_json({"symbols": reader.symbols()[: routes.MAX_LIMIT]}),
    }
    for interval in SESSION_INTERVALS:
        for adjustment in _ADJUSTMENTS:
            answers |= _bars_answers(reader, interval, adjustment)
    return b"{" + b",".join(to_json(path) + b":" + body for path, body in answers.items()) + b"}"


def _bars_answers(reader: Reader, interval: Interval, adjustment: Adjustment) -> dict[str, bytes]:
    """Return the answers for all symbols, from one query."""
    query = BarsQuery(symbols=None, interval=interval, adjustment=adjustment)
    found = MergedReader(reader).found(query)
    limit = routes.MAX_LIMIT
    asked = f"interval={interval}&adjustment={adjustment}&limit={limit}"
    listings = reader.listings(each.symbol for each in reader.symbols())
    return {
        f"v1/bars/{symbol}?{asked}": routes.bars_answer(
            MergedReader(reader),
            replace(query, symbols=(symbol,)),
            replace(found, bars=_of_listing(found.bars, listing)),
        )
        for symbol, listing in listings.items()
    }


def _of_listing(bars: pa.Table, listing: str) -> pa.Table:
    return bars.filter(pc.equal(bars["listing"], listing))


def _asset(path: str) -> str:
    return (WEB.parent / path).read_text("utf-8")


def _put_in(page: str, mark: str, content: str) -> str:
    if page.count(mark) != 1:
        msg = f"the page must hold {mark} once"
        raise ValueError(msg)
    return page.replace(mark, content)
