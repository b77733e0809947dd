"""Requests that come steadily, and what becomes of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: of which kind of request, when that was sent, and how long it took."""

    kind: str
    sent: float
    took_s: float
    status: int
    told: Any


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a path, by a key or none."""

    path: str
    key: str = ""


class Asking:
    """Sends requests at a steady rate, one kind after the other, however long answers take.

    Args:
        url: Of the server.
        requests: By kind.
        per_second: How many, of all kinds together.
    """

    def __init__(self, url: str, requests: Mapping[str, Request], per_second: float = 10) -> None:
        self.answers: list[Answer] = []
        self._url = url
        self._requests = requests
        self._pause_s = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def statuses(self, kind: str) -> set[int]:
        """Return the statuses of the answers to a kind of request."""
        return {each.status for each in self.answers if each.kind == kind}

    @property
    def slowest_s(self) -> float:
        """How long the slowest answer took."""
        return max(each.took_s for each in self.answers)

    def until(self, kind: str, holds: Callable[[Answer], bool]) -> Answer:
        """Wait for an answer to a request that is sent from now on, and that is as it should be."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            for each in reversed(self.answers):
                if each.kind == kind and each.sent > began and holds(each):
                    return each
            time.sleep(0.05)
        last = [each for each in self.answers if each.kind == kind][-3:]
        msg = f"{kind} is not as it should be: {last}"
        raise AssertionError(msg)

    async def _ask(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE_S) as client:
            tasks = set()
            while not self._stop.is_set():
                for kind, request in self._requests.items():
                    tasks.add(asyncio.create_task(self._answer(client, kind, request)))
                    await asyncio.sleep(self._pause_s)
            await asyncio.gather(*tasks)

    async def _answer(self, client: httpx.AsyncClient, kind: str, request: Request) -> None:
        headers = {"X-API-Key": request.key} if request.key else {}
        sent = time.monotonic()
        answer = await client.get(request.path, headers=headers)
        took_s = time.monotonic() - sent
        self.answers.append(Answer(kind, sent, took_s, answer.status_code, answer.json()))
