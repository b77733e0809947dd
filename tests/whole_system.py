"""The whole of production on this machine: every service a process, every part a real server.

    vendor ──► feed ──► Kinesis ──► engine ──► Kinesis ──┬─► publisher ──► Redis ──► two APIs
    (socket,    └──► S3 (moto)     (Flink)               └─► alerts ──► webhooks, SNS ──► SQS
     REST)                                                       └──► PostgreSQL ◄── APIs

Commands are those of `lake.services`. Who starts a service again that ended is a container's host;
here `Kept` is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import httpx
import polars as pl
import pytest

from lake import keys
from lake.coverage import gaps, price_hours
from lake.exchange import encode_sessions
from lake.instant import microseconds
from lake.live import BARS_SCHEMA
from lake.recorded import all_recorded, coverage_of
from lake.services import ALERTS, API, API_PORT, ENGINE, FEED, PUBLISHER, Service
from lake.settings import Settings
from lake.store import ObjectStore, open_store
from speed_layer.covering import all_bars
from speed_layer.views.redis import RedisView
from tests.batch import ROLE
from tests.command_line import Ran
from tests.days import Day, calendar
from tests.deployed import deploy_tables, deploy_topics
from tests.feeding import identities
from tests.keeping import LONG_S, Gate, Kept
from tests.kinesis import KinesisServer
from tests.live_system import LATENESS_US, ROOT, Vendor, VendorOf
from tests.moto_serially import REGION
from tests.parity.through import COLUMNS, KEY
from tests.parts import MotoServer, PostgresServer, RedisServer, environment, free_port

APIS: Final = ("api-1", "api-2")
_PREFIX: Final = "drill-view-"
"""Of tables."""
_SECOND_US: Final = 10**6
_LOOK_S: Final = 0.3


@dataclass(frozen=True)
class Parts:
    """The servers that stand for AWS's."""

    moto: MotoServer
    kinesis: KinesisServer
    redis: RedisServer
    postgres: PostgresServer


class WholeSystem:
    """All of it, while it is entered.

    Args:
        folder: For its logs and its services' state.
        parts: The servers, which run.
        vendor: Whom the feed listens to.
        days: That it sells.
        others: More settings.

    Attributes:
        store: The lake.
        services: By name.
        urls: Of each API.
        health_urls: Of each other service's health.
        key: Of the API, with all scopes.
        queue: Of SQS, that gets all alerts told to SNS.
    """

    def __init__(
        self, folder: Path, parts: Parts, vendor: Vendor, days: Sequence[Day], **others: Any
    ) -> None:
        self.folder, self.parts, self.vendor, self.days = folder, parts, vendor, days
        self._settings = self._made_settings(others)
        self.store: ObjectStore = open_store(self._settings)
        self.store.put(keys.SESSIONS, encode_sessions(calendar()))
        self.services: dict[str, Kept] = {}
        self.urls: dict[str, str] = {}
        self.health_urls: dict[str, str] = {}
        self.gate = Gate()
        vendor.socket.faults = self.gate
        self.key = self.queue = ""

    def __enter__(self) -> Self:
        self.settle_clock()
        self._prepare()
        for service in (ENGINE, FEED, PUBLISHER, ALERTS):
            self._keep(service.name, service)
        for name in APIS:
            self._keep(name, API)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.services.values():
            with suppress(subprocess.TimeoutExpired):
                each.stop()

    def stop(self) -> dict[str, int]:
        """End all services, and return their exit codes."""
        codes = {name: each.stop() for name, each in self.services.items()}
        self.services.clear()
        return codes

    @property
    def settings(self) -> Settings:
        """Of all services alike."""
        return self._settings

    def environment(self, service: str = "command") -> dict[str, str]:
        """Return the environment of a service, or of a command."""
        variables = environment(self._settings)
        variables["FIBLAKE_STATE"] = str(self.folder / f"state-{service}")
        variables["FIBLAKE_CACHE"] = str(self.folder / f"cache-{service}")
        variables["AWS_ENDPOINT_URL_DYNAMODB"] = self.parts.moto.url
        return os.environ | ROLE | {"AWS_DEFAULT_REGION": REGION} | variables

    def run(self, *arguments: str, module: str = "tests.clocked", **variables: str) -> Ran:
        """Run a command of `fiblake` by the clock of the market, as one that is done once."""
        python = [sys.executable, "-m", module]
        clock = [str(self.vendor.wall.path)] if module == "tests.clocked" else []
        done = subprocess.run(
            [*python, *clock, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=self.environment() | variables,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: str, **how: str) -> Ran:
        """Run one that must not fail."""
        ran = self.run(*arguments, **how)
        assert 0 == ran.code, (arguments, ran.err)
        return ran

    def doctor(self) -> dict[str, str]:
        """Return what the doctor finds: of each check whether it is well."""
        services = [f"{name}={url}" for name, url in self.health_urls.items()]
        named = [part for each in services for part in ("--service", each)]
        asked = ["doctor", self.urls[APIS[0]], *named, "--seconds", "120", "--json"]
        ran = self.run(*asked, FIBLAKE_KEY=self.key)
        told = json.loads(ran.out)
        assert ran.code == (0 if told["healthy"] else 1), ran.err
        return {each["check"]: each["status"] for each in told["findings"]}

    def said(self) -> str:
        """Return the end of what each service said."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.stem}\n{log.read_text()[-3000:]}" for log in logs)

    def traces(self) -> dict[str, set[str]]:
        """Return by which hops each price went that is followed, as all logs together tell."""
        hops: dict[str, set[str]] = {}
        for log in self.folder.glob("*.log"):
            for line in log.read_text().splitlines():
                if '"hop"' in line:
                    told = json.loads(line)
                    hops.setdefault(told["trace"], set()).add(told["hop"])
        return hops

    def health(self, service: str) -> dict[str, Any]:
        """Return what a service tells of itself; nothing before it can."""
        try:
            told: dict[str, Any] = httpx.get(f"{self.health_urls[service]}/health/ready").json()
        except (httpx.TransportError, ValueError):
            return {}
        return told

    def ask(self, api: str, path: str, **asked: str) -> httpx.Response:
        """Return what an API answers."""
        shown = {"Authorization": f"Bearer {self.key}"}
        return httpx.get(f"{self.urls[api]}{path}", params=asked, headers=shown, timeout=30)

    def put(self, method: str, path: str, document: Mapping[str, Any]) -> Any:
        """Change something by the first API, and return its answer."""
        shown, url = {"Authorization": f"Bearer {self.key}"}, self.urls[APIS[0]]
        answer = httpx.request(method, f"{url}{path}", json=document, headers=shown, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()

    def wait(
        self, holds: Callable[[], bool], what: str = "", why: Callable[[], object] = str
    ) -> None:
        """Wait until something holds; `why` tells, in the end, why it does not."""
        deadline = time.monotonic() + LONG_S
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} does not hold: {why()}\n{self.said()}")
            time.sleep(_LOOK_S)

    def wait_until_ready(self) -> None:
        """Wait until all services do what they are there for, whatever was done to them."""
        for name in self.health_urls:
            self.wait(partial(self._is_ready, name), f"{name} is ready")
        for name in APIS:
            self.wait(partial(self._answers, name), f"{name} is live")

    def sell(self, until: int) -> None:
        """Let the market go on to so many events, and wait for that."""
        self.gate.until = until
        self.wait(lambda: self.vendor.market.told >= until, f"{until} events are sold")
        self.settle_clock()

    def settle_clock(self) -> None:
        """Let the clock be at a whole second: a stream tells its time by milliseconds."""
        wall = self.vendor.wall
        wall.advance(wall.now_us() // _SECOND_US * _SECOND_US + _SECOND_US)

    def let_it_be_over(self, day: Day) -> None:
        """Let all events of a day be recorded, and it be so late that all its bars are final."""
        all_of_it = set(identities(day.tape))
        self.wait(lambda: all_of_it <= self._recorded(day), "all events are recorded")
        self.wait(self._is_idle, "the feed is idle")
        self.vendor.wall.advance(microseconds(day.hours.dusk) + 2 * LATENESS_US)
        self.wait(lambda: self._is_covered(day), f"{day.session} is recorded to its end")

    def bars(self, day: Day) -> pl.DataFrame:
        """Return the bars of a day that the view has, in order of `KEY`."""
        with closing(RedisView(self._settings)) as view:
            held = all_bars(view).filter(pl.col("open").is_not_null(), session=day.session)
        told = held.filter(pl.col("state") == "final") if held.height else held
        return told.select(pl.col(name).cast(BARS_SCHEMA[name]) for name in COLUMNS).sort(KEY)

    def _is_idle(self) -> bool:
        told = self.health("feed")
        return bool(told) and told["subscribed"] and not told["counts"].get("filling")

    def _recorded(self, day: Day) -> set[tuple[object, ...]]:
        return set(identities(all_recorded(self.store, "massive", day.session)))

    def _is_covered(self, day: Day) -> bool:
        told = coverage_of(self.store, "massive", day.session, "trade")
        return not gaps([told], price_hours(day.hours), day.bars["symbol"])

    def _is_ready(self, name: str) -> bool:
        return bool(self.health(name).get("ready"))

    def _answers(self, name: str) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.urls[name]}/health/live").is_success
        return False

    def _prepare(self) -> None:
        """Do what is done once: tables, topics, a key, and what was before the first day."""
        topics = deploy_topics(self.parts.moto, "drill-")
        deploy_tables(self.parts.moto, _PREFIX)
        self.queue = topics["alerts"].queue
        told = {"sns_alerts": topics["alerts"].topic, "dynamodb_prefix": _PREFIX}
        self._settings = self._settings.model_copy(update=told)
        with ThreadPoolExecutor() as pool:
            imported = pool.submit(self._import)
            self.done("db", "upgrade")
            scopes = [
                part for each in ("read", "live", "alerts", "admin") for part in ("--scope", each)
            ]
            made = self.done("keys", "create", "drill", *scopes, "--json")
            self.key = json.loads(made.out)["secret"]
            imported.result()

    def _import(self) -> None:
        """Let the lake have daily bars of the sessions before the first day."""
        table = calendar()
        first = table.ordinal(self.days[0].session)
        assert first is not None
        sessions = pl.DataFrame({"date": [str(table[each]) for each in range(first - 8, first)]})
        names = ("symbol", "open", "high", "low", "close", "volume")
        path = self.folder / "before.csv"
        sessions.join(self.days[0].bars.select(names), how="cross").write_csv(path)
        self.done("import", str(path))
        self.done("resample")

    def _keep(self, name: str, service: Service) -> None:
        command = [*service.command[1:]]
        own: dict[str, str] = {}
        if service is API:
            port = str(free_port())
            command = [port if each == str(API_PORT) else each for each in command]
            self.urls[name] = f"http://127.0.0.1:{port}"
        else:
            port = str(free_port())
            own = {"FIBLAKE_HEALTH_PORT": port}
            self.health_urls[name] = f"http://127.0.0.1:{port}"
        python = [sys.executable, "-m", "tests.clocked", str(self.vendor.wall.path)]
        self.services[name] = Kept(partial(self._start, name, [*python, *command], own))

    def _start(
        self, name: str, command: Sequence[str], own: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=self.environment(name) | own
            )

    def _made_settings(self, others: Mapping[str, Any]) -> Settings:
        parts, vendor = self.parts, self.vendor
        streams = {
            name: parts.kinesis.stream(shards=shards)
            for name, shards in (("kinesis_events", 2), ("kinesis_bars", 1))
        }
        told = {
            **parts.kinesis.settings(**streams),
            "view": "redis",
            "redis_url": parts.redis.url,
            "connections_store": "dynamodb",
            "database_url": parts.postgres.new_database(),
            "sns_endpoint": parts.moto.url,
            "sns_region": REGION,
            "sns_access_key_id": "key",
            "sns_secret_access_key": "secret",
            "massive_key": "local-key",
            "massive_reader": "own",
            "massive_socket": vendor.socket.url,
            "massive_url": vendor.rest.url,
            "feed_land_seconds": 0.5,
            "webhook_allow": "127.0.0.0/8",
            "delivery_timeout_seconds": 5,
            "delivery_retry_seconds": 0.1,
            "delivery_longest_retry_seconds": 1,
            "delivery_attempts": 1000,
            "log_format": "json",
            "trace_one_in": 4,
            **others,
        }
        return parts.moto.settings(**told)


WholeOf = Callable[..., WholeSystem]


@pytest.fixture
def whole_system_of(
    vendor_of: VendorOf, kinesis_server: KinesisServer, tmp_path: Path
) -> Iterator[WholeOf]:
    """Start a whole system that sells days, one after the other; all of it ends with the test."""
    with ExitStack() as stack:

        def start(*days: Day, **others: Any) -> WholeSystem:
            servers = MotoServer(), RedisServer(), PostgresServer()
            for server in servers:
                server.start()
                stack.callback(server.stop)
            moto, redis, postgres = servers
            vendor = vendor_of(days[-1], pl.concat([day.tape for day in days]))
            parts = Parts(moto, kinesis_server, redis, postgres)
            system = stack.enter_context(WholeSystem(tmp_path, parts, vendor, days, **others))
            system.wait_until_ready()
            return system

        yield start
