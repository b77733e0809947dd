"""How often one may ask: one contract for buckets in memory and in Redis, and the headers."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from lake.settings import Settings
from serving_layer.auth.buckets import Buckets, MemoryBuckets, Rate, Verdict
from serving_layer.auth.limits import Limits
from serving_layer.auth.redis_buckets import RedisBuckets
from tests.access import FOREIGN, Guarded, MakeGuarded
from tests.parts import RedisServer, free_port

SLOW = 1e-4
"""Requests a second: a test ends before the next one."""


@pytest.fixture(params=["memory", "redis"])
def buckets(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        yield MemoryBuckets()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    found = RedisBuckets(Settings(redis_url=SecretStr(server.url), redis_prefix=uuid.uuid4().hex))
    yield found
    found.close()


def test_a_bucket_holds_a_burst_and_then_nothing(buckets: Buckets) -> None:
    taken = [buckets.take("a", Rate(SLOW, 3)) for _ in range(4)]

    assert [True, True, True, False] == [each.is_allowed for each in taken]
    assert [(3, 2), (3, 1), (3, 0), (3, 0)] == [(each.limit, each.left) for each in taken]
    assert [0, 0, 0] == [each.retry_after_s for each in taken[:3]]
    assert taken[3].retry_after_s == pytest.approx(1 / SLOW, rel=0.1)
    assert taken[3].full_in_s == pytest.approx(3 / SLOW, rel=0.1)


def test_buckets_of_other_names_are_full(buckets: Buckets) -> None:
    for name in ("a", "b", "é: *"):
        assert [True, False] == [buckets.take(name, Rate(SLOW, 1)).is_allowed for _ in range(2)]


def test_a_bucket_is_refilled(buckets: Buckets) -> None:
    rate = Rate(per_second=20, burst=1)
    assert buckets.take("a", rate).is_allowed

    while not buckets.take("a", rate).is_allowed:
        pass


def test_a_bucket_never_gives_more_than_the_burst_and_what_time_brings(buckets: Buckets) -> None:
    rate = Rate(per_second=100, burst=20)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: buckets.take("a", rate).is_allowed, range(400)))
    passed_s = time.monotonic() - began

    # Redis counts microseconds of another clock.
    assert 20 <= sum(taken) <= 20 + 100 * (passed_s + 0.01)


def test_a_lower_burst_empties_a_fuller_bucket(buckets: Buckets) -> None:
    buckets.take("a", Rate(SLOW, 10))
    taken = buckets.take("a", Rate(SLOW, 2))

    assert (True, 2, 1) == (taken.is_allowed, taken.limit, taken.left)


def test_memory_forgets_what_is_full_again() -> None:
    buckets = MemoryBuckets(most=100)
    for number in range(1000):
        buckets.take(str(number), Rate(1e9, 1))

    assert len(buckets._held) <= 100  # noqa: SLF001 - what nobody else sees


def test_memory_is_bounded_whoever_asks_and_keeps_who_asked_last() -> None:
    buckets = MemoryBuckets(most=100)
    for number in range(1000):
        buckets.take(str(number), Rate(SLOW, 1))

    assert len(buckets._held) <= 100  # noqa: SLF001 - what nobody else sees
    assert not buckets.take("999", Rate(SLOW, 1)).is_allowed


def test_what_redis_keeps_of_a_bucket_expires(redis_server: RedisServer) -> None:
    buckets = RedisBuckets(Settings(redis_url=SecretStr(redis_server.url), redis_prefix="expiring"))
    buckets.take("a", Rate(10, 20))
    left_ms = redis.from_url(redis_server.url).pttl("expiring:rate:a")
    buckets.close()

    assert 0 < left_ms <= 1100


def test_each_answer_tells_how_often_one_may_ask(make_guarded: MakeGuarded) -> None:
    server = make_guarded(rate_key_per_second=SLOW, rate_key_burst=2)
    key = server.key("read").secret
    answers = [server.get(path, key) for path in ("/v1/symbols", "/v1/bars/NOPE", "/v1/symbols")]

    assert [200, 404, 429] == [each.status_code for each in answers]
    assert [("2", "1"), ("2", "0")] == [
        (each.headers["ratelimit-limit"], each.headers["ratelimit-remaining"])
        for each in answers[:2]
    ]
    assert int(answers[0].headers["ratelimit-reset"]) == pytest.approx(1 / SLOW, rel=0.1)
    assert int(answers[2].headers["retry-after"]) == pytest.approx(1 / SLOW, rel=0.1)
    told = answers[2].json()
    assert ("Too Many Requests", "wait as Retry-After says.") == (told["title"], told["hint"])
    assert told["detail"].endswith(" asks too often. Allowed: 2 requests at once.")


def test_one_key_s_requests_are_not_another_s(make_guarded: MakeGuarded) -> None:
    server = make_guarded(rate_key_per_second=SLOW, rate_key_burst=1)
    one, other = server.key("read"), server.key("read")

    asked = [server.get("/v1/symbols", each.secret).status_code for each in (one, one, other)]
    assert [200, 429, 200] == asked


def test_a_token_s_requests_are_its_key_s(make_guarded: MakeGuarded) -> None:
    server = make_guarded(rate_key_per_second=SLOW, rate_key_burst=2)
    key = server.key("read").secret
    token = server.request("POST", "/v1/token", key).json()["token"]

    assert [200, 429] == [server.get("/v1/symbols", each).status_code for each in (token, key)]


def test_an_address_that_guesses_keys_is_refused_before_the_database_is_asked(
    make_guarded: MakeGuarded,
) -> None:
    server = make_guarded(rate_address_per_second=SLOW, rate_address_burst=3)
    key = server.key("read").secret
    answers = [server.get("/v1/symbols", each) for each in (FOREIGN, FOREIGN, "", key)]

    assert [401, 401, 401, 429] == [each.status_code for each in answers]
    assert (
        "This address asks too often. Allowed: 3 requests at once." == (answers[3].json()["detail"])
    )
    assert 200 == server.get("/health/live").status_code


def limits_of(server: Guarded) -> str:
    told: str = server.get("/health/live").json()["access"]["limits"]
    return told


def until(said: str, server: Guarded, key: str) -> None:
    while limits_of(server) != said:
        assert server.get("/v1/symbols", key).status_code in {200, 429}


@pytest.mark.parametrize("chosen", [{"rate_store": "redis"}, {"view": "redis"}])
def test_processes_count_together_in_redis(
    make_guarded: MakeGuarded, own_redis: RedisServer, chosen: dict[str, str]
) -> None:
    settings = {"rate_key_per_second": SLOW, "rate_key_burst": 1, "redis_url": own_redis.url}
    one, other = (make_guarded(**settings, **chosen) for _ in range(2))
    key = one.key("read").secret

    assert [200, 429] == [each.get("/v1/symbols", key).status_code for each in (one, other)]
    assert ["redis", "redis"] == [limits_of(one), limits_of(other)]


def test_while_redis_is_away_each_process_counts_for_itself_and_health_tells(
    make_guarded: MakeGuarded, own_redis: RedisServer
) -> None:
    server = make_guarded(
        rate_store="redis", redis_url=own_redis.url, rate_key_per_second=SLOW, rate_key_burst=2
    )
    key = server.key("read").secret
    ask: Callable[[], int] = lambda: server.get("/v1/symbols", key).status_code  # noqa: E731
    assert [200, 200, 429] == [ask(), ask(), ask()]

    own_redis.stop()
    assert [200, 200, 429] == [ask(), ask(), ask()]
    assert "memory, while redis is away" == limits_of(server)

    own_redis.start()
    until("redis", server, key)


def test_a_redis_that_was_never_there_keeps_nobody_out(make_guarded: MakeGuarded) -> None:
    server = make_guarded(rate_store="redis", redis_url=f"redis://127.0.0.1:{free_port()}")

    assert 200 == server.get("/v1/symbols", server.key("read").secret).status_code


class Asked:
    """Counts how often Redis is asked."""

    def __init__(self, buckets: Any) -> None:
        self.times = 0
        self._buckets = buckets

    def take(self, name: str, rate: Rate) -> Verdict:
        self.times += 1
        verdict: Verdict = self._buckets.take(name, rate)
        return verdict

    def close(self) -> None:
        self._buckets.close()


def test_of_many_requests_few_wait_for_a_redis_that_hangs(own_redis: RedisServer) -> None:
    settings = Settings(rate_store="redis", redis_url=SecretStr(own_redis.url))
    workers = ThreadPoolExecutor(4)
    limits = Limits(settings, workers)
    shared = limits._shared = Asked(limits._shared)  # type: ignore[assignment]  # noqa: SLF001

    async def count(times: int) -> tuple[float, int]:
        before, began = shared.times, time.monotonic()
        await asyncio.gather(*(limits.of_address(str(each)) for each in range(times)))
        return time.monotonic() - began, shared.times - before

    async def come_back() -> None:
        while limits.is_degraded:
            await limits.of_address("a")

    asyncio.run(count(2))
    own_redis.pause()
    first_s, first = asyncio.run(count(200))
    later = [asyncio.run(count(200)) for _ in range(20)]
    own_redis.resume()
    asyncio.run(asyncio.wait_for(come_back(), 30))
    limits.close()
    workers.shutdown()

    # One after the other, four at a time, they would take 12 seconds.
    assert first_s < 6
    assert first <= 8  # four that began when it was there, and perhaps as many before these fail
    assert sum(times for _, times in later) <= 2 + sum(passed_s for passed_s, _ in later)


def test_a_request_waits_for_being_counted_no_longer_than_it_should() -> None:
    settings = Settings(rate_store="redis")
    hangs = threading.Event()
    workers = ThreadPoolExecutor(4)
    limits = Limits(settings, workers)
    for _ in range(4):
        workers.submit(hangs.wait)  # as for a name that nobody resolves
    taken = asyncio.run(limits.of_address("a"))
    is_degraded = limits.is_degraded
    hangs.set()
    workers.shutdown()
    limits.close()

    assert taken.is_allowed
    assert is_degraded
