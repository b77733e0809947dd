"""The pages and their parts: small, and from no other server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serving_layer.app import WEB
from tests.api import Api

KINDS = {".js": "text/javascript", ".css": "text/css"}
PARTS = sorted(
    path.relative_to(WEB)
    for path in WEB.rglob("*")
    if path.suffix in KINDS and "vendor" not in path.parts
)


def resources(page: str) -> list[str]:
    """Return what a page loads: scripts, styles, icons; not the links one may follow."""
    found = re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"', page)
    return [url for url in found if not url.startswith("data:")]


@pytest.mark.parametrize(("page", "loaded"), [("/", 6), ("/docs", 3), ("/redoc", 2)])
def test_a_page_loads_nothing_from_elsewhere(api: Api, page: str, loaded: int) -> None:
    answer = api.get(page)
    urls = resources(answer.text)

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert loaded == len(urls)
    assert [] == [url for url in urls if "//" in url]
    assert [200] * loaded == [api.get(f"/{url.lstrip('/')}").status_code for url in urls]
    scripts = re.sub(r"<a .*?</a>", "", answer.text, flags=re.DOTALL)
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)", scripts)


@pytest.mark.parametrize("path", PARTS, ids=str)
def test_the_pages_parts_are_small_of_their_kind_and_name_no_other_server(
    api: Api, path: Path
) -> None:
    part = api.get(f"/web/{path.as_posix()}")

    kind = f"{KINDS[path.suffix]}; charset=utf-8"
    assert (200, kind) == (part.status_code, part.headers["content-type"])
    assert [] == re.findall(r"https?://(?!www\.(w3\.org/2000/svg|tradingview\.com))", part.text)
    assert len(part.text.splitlines()) < 400
