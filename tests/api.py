"""An app to ask in this process, and what is a problem in form."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic_core import to_json

from fiblake import Lake
from serving_layer.app import create_app


class Api:
    """An app to ask, in this process."""

    def __init__(self, lake: Lake) -> None:
        self.app: FastAPI = create_app(lake.reader)

    def request(self, method: str, path: str, **parameters: object) -> httpx.Response:
        """Return the answer to a request."""
        return asyncio.run(self._request(method, path, parameters))

    def get(self, path: str, **parameters: object) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **parameters)

    def accepting(self, accept: str, path: str) -> httpx.Response:
        """Return the answer to a GET that accepts some forms alone."""
        return asyncio.run(self._send("GET", path, headers={"accept": accept}))

    def post(self, path: str, body: object, accept: str = "*/*") -> httpx.Response:
        """Return the answer to a JSON document."""
        # In ASCII: whatever a text holds can be sent.
        content, headers = json.dumps(body), {"Accept": accept, "Content-Type": "application/json"}
        return asyncio.run(self._send("POST", path, content=content, headers=headers))

    def bars(self, symbol: str, **parameters: object) -> list[dict[str, Any]]:
        """Return all bars of a symbol, page by page."""
        found: list[dict[str, Any]] = []
        asked = dict(parameters)
        while True:
            answer = self.get(f"/v1/bars/{symbol}", **asked).json()
            found += answer["bars"]
            if answer["next_cursor"] is None:
                return found
            asked["cursor"] = answer["next_cursor"]

    async def _request(self, method: str, path: str, asked: dict[str, object]) -> httpx.Response:
        parameters = {name: str(value) for name, value in asked.items()}
        return await self._send(method, path, params=parameters or None)

    async def _send(self, method: str, path: str, **asked: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://fiblake") as client:
            return await client.request(method, path, **asked)


@pytest.fixture
def api(sample_lake: Lake) -> Api:
    return Api(sample_lake)


def as_json(rows: object) -> Any:
    return json.loads(to_json(rows))


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Return a problem, once it is one in form."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("about:blank", answer.status_code) == (body["type"], body["status"])
    assert answer.headers["x-request-id"] == body.pop("trace")
    return body
