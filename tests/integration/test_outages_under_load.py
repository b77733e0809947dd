"""Redis, PostgreSQL or the object store away while requests come steadily to `fiblake up`.

Each is killed, or hangs, for some seconds, and is back. Answers are as docs/serving.md and
docs/keys.md tell: never a defect, none later than told, and all as before once it is back, without
a restart: one process lives through all of these tests.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from database import open_database
from database.migrating import upgrade
from lake.settings import Settings
from serving_layer.auth.managing import NewKey, create
from speed_layer.views import open_view
from tests.access import ACTOR, FOREIGN
from tests.asking import Answer, Asking, Request
from tests.live import NO_BARS, price, prices_of
from tests.parts import PostgresServer, RcloneServer, RedisServer, environment
from tests.served import served

OUTAGE_S = 10
SLOWEST_S = 12
"""Docs tell of 7 s at most; machines that test may be busy."""


class Part(Protocol):
    """A server that can be taken away."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class System:
    """`fiblake up`, on parts of its own.

    Attributes:
        url: Where it is.
        key: Which may do all.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.settings = settings
        self.key = self.new_key()

    def new_key(self) -> str:
        database = open_database(self.settings)
        now = dt.datetime.now(dt.UTC)
        made = create(database, NewKey("test", ("read", "live")), ACTOR, now)
        database.close()
        return made.secret

    def tell(self) -> None:
        """Let the view know of a price."""
        view = open_view(self.settings)
        view.put(NO_BARS, prices_of(price("AAPL", session=dt.datetime.now(dt.UTC).date())))
        view.close()

    def asking(self) -> Asking:
        return Asking(
            self.url,
            {
                "bars": Request("/v1/bars/AAPL?interval=13d&limit=2", self.key),
                "price": Request("/v1/prices/AAPL", self.key),
                "live": Request("/v1/live/AAPL", self.key),
                "stranger": Request("/v1/intervals", FOREIGN),
                "ready": Request("/health/ready"),
                "alive": Request("/health/live"),
            },
        )


@pytest.fixture(scope="module")
def redis_part() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outages")


@pytest.fixture(scope="module")
def s3_part(folder: Path) -> Iterator[RcloneServer]:
    """A store that outlasts a kill."""
    (folder / "s3").mkdir()
    server = RcloneServer(folder / "s3")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def system(
    folder: Path,
    sample_lake_folder: Path,
    redis_part: RedisServer,
    s3_part: RcloneServer,
    postgres_server: PostgresServer,
) -> Iterator[System]:
    settings = s3_part.settings(
        view="redis",
        redis_url=redis_part.url,
        database_url=postgres_server.new_database(),
        cache=str(folder / "cache"),
        state=str(folder / "state"),
        s3_retry_ms=200,
    )
    bucket = next((folder / "s3").iterdir())
    shutil.copytree(sample_lake_folder, bucket / "some" / "prefix", copy_function=shutil.copy2)
    database = open_database(settings)
    upgrade(database)
    database.close()
    with served(settings.lake, folder / "log", **environment(settings)) as url:
        system = System(url, settings)
        system.tell()
        yield system


def is_merged(answer: Answer) -> bool:
    return answer.status == 200 and answer.told["live"] == "merged"


def is_away(answer: Answer) -> bool:
    return answer.status == 200 and answer.told["live"] == "away"


def is_status(status: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status == status


def says(**expected: str) -> Callable[[Answer], bool]:
    """Return whether an answer of health says so of keys and limits."""
    return lambda answer: expected.items() <= answer.told["access"].items()


def is_as_always(asking: Asking) -> None:
    """Wait until all is as when nothing is away."""
    asking.until("bars", is_merged)
    asking.until("price", lambda answer: answer.told.get("source") == "live")
    asking.until("live", is_status(200))
    asking.until("stranger", is_status(401))
    asking.until("ready", is_status(200))
    asking.until("alive", says(database="ok", keys="ok", limits="redis"))


@contextmanager
def away(part: Part, how: str) -> Iterator[None]:
    """Take a part away for as long as the block goes on, and for some seconds at least."""
    began = time.monotonic()
    if how == "killed":
        part.kill()
    else:
        part.pause()
    try:
        yield
        time.sleep(max(0.0, began + OUTAGE_S - time.monotonic()))
    finally:
        if how == "killed":
            part.start()
        else:
            part.resume()


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_while_redis_is_away_the_lake_answers_and_says_so(
    system: System, redis_part: RedisServer, how: str
) -> None:
    with system.asking() as asking:
        is_as_always(asking)
        with away(redis_part, how):
            asking.until("bars", is_away)
            asking.until("price", lambda answer: answer.told.get("source") == "lake")
            refused = asking.until("live", is_status(503))
            asking.until("alive", says(limits="memory, while redis is away"))
        system.tell()
        is_as_always(asking)

    assert "The realtime view failed; the server's log says why." == refused.told["detail"]
    assert [{200}] * 4 == [asking.statuses(kind) for kind in ("bars", "price", "ready", "alive")]
    assert ({200, 503}, {401}) == (asking.statuses("live"), asking.statuses("stranger"))
    assert asking.slowest_s < SLOWEST_S


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_while_the_database_is_away_keys_that_were_read_work_on(
    system: System, postgres_server: PostgresServer, how: str
) -> None:
    with system.asking() as asking:
        is_as_always(asking)
        with away(postgres_server, how):
            asking.until("stranger", is_status(503))
            asking.until("alive", says(database="away", keys="kept"))
        is_as_always(asking)
        new = httpx.get(f"{system.url}/v1/intervals", headers={"X-API-Key": system.new_key()})

    assert 200 == new.status_code
    kinds = ("bars", "price", "live", "ready", "alive")
    assert [{200}] * 5 == [asking.statuses(kind) for kind in kinds]
    assert {401, 503} == asking.statuses("stranger")
    assert asking.slowest_s < SLOWEST_S


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_while_the_store_is_away_the_view_answers_and_the_lake_says_that_it_does_not(
    system: System, s3_part: RcloneServer, how: str
) -> None:
    with system.asking() as asking:
        is_as_always(asking)
        with away(s3_part, how):
            refused: Any = [asking.until(kind, is_status(503)) for kind in ("bars", "ready")]
            asking.until("live", is_status(200))
        is_as_always(asking)

    said = "The store of the lake failed; the server's log says why."
    assert [said] * 2 == [each.told["detail"] for each in refused]
    assert [{200}] * 3 == [asking.statuses(kind) for kind in ("live", "price", "alive")]
    assert {401} == asking.statuses("stranger")
    lake = [asking.statuses(kind) for kind in ("bars", "ready")]
    assert [{200, 503}] * 2 == lake
    assert asking.slowest_s < SLOWEST_S
