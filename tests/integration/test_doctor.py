"""What the doctor finds where a part is broken, on the real thing."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from batch_layer.local_vendor import LocalVendor
from database import Database, open_database
from database.migrating import upgrade
from fiblake import Lake
from fiblake.doctor import (
    machine,
    related,
    served,
    serviced,
    stored,
    streams,
    told,
    vending,
    viewed,
)
from fiblake.doctor.examining import examine
from fiblake.doctor.finding import Check, Finding, ok
from fiblake.doctor.patient import Patient, hurried
from lake.clock import SetClock
from lake.dynamodb import DynamoDBServer
from lake.health_server import HealthServer
from lake.settings import Settings
from serving_layer.app import create_app
from speed_layer.delivery.aws import sns_of
from speed_layer.delivery.topics import create_topics
from speed_layer.publisher import Health
from speed_layer.views import MemoryView
from speed_layer.views.choosing import open_view
from tests.access import MakeGuarded, serving
from tests.kinesis import running
from tests.live import NO_BARS, price, prices_of
from tests.moto_serially import REGION
from tests.outbox import NOW, add_destination, notify
from tests.parts import MotoServer, PostgresServer, RedisServer

ROOT = Path(__file__).parents[2]
AFTER_THE_SAMPLE = dt.datetime(2013, 3, 4, 12, tzinfo=dt.UTC)
"""The Monday after the last session of the sample."""

_PATIENCE_S = 30.0
"""Other tests may have the machine."""


def patient_of(*, now: dt.datetime = NOW, **settings: Any) -> Patient:
    chosen = hurried(Settings.model_validate(settings), _PATIENCE_S)
    return Patient(chosen, clock=SetClock(now), answer_s=_PATIENCE_S)


def found(
    checks: Iterable[Check], patience_s: float = 2 * _PATIENCE_S
) -> dict[str, tuple[str, str, str]]:
    """Return what checks find, by name: status, fact and hint."""
    findings = examine(list(checks), patience_s)
    return {each.check: (each.status, each.fact, each.hint) for each in findings}


def statuses(checks: Iterable[Check]) -> dict[str, str]:
    return {check: told[0] for check, told in found(checks).items()}


def test_what_hangs_or_breaks_hides_nothing_else() -> None:
    over = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("slow.first", "It is there.")
        over.wait(60)

    def breaks() -> Iterator[Finding]:
        yield ok("broken.first", "It is there.")
        raise ZeroDivisionError

    begun = time.monotonic()
    checks = [Check("slow", hangs), Check("broken", breaks), Check("well", lambda: [ok("w", "")])]
    seen = found(checks, 0.2)
    over.set()

    assert time.monotonic() - begun < 10
    assert {"slow.first", "slow", "broken.first", "broken", "w"} == seen.keys()
    assert ("fail", "fail") == (seen["slow"][0], seen["broken"][0])
    assert "ZeroDivisionError" in seen["broken"][1]


def test_a_lake_is_looked_at_and_a_folder_that_is_none_stays_as_it_is(
    own_sample_lake: Lake, tmp_path: Path
) -> None:
    lake = own_sample_lake.store.location
    fresh = statuses(stored.checks(patient_of(lake=lake, now=AFTER_THE_SAMPLE)))
    none = statuses(stored.checks(patient_of(lake=str(tmp_path / "none"))))

    wanted = ("there", "writable", "sessions", "daily_boundary", "silver", "gaps")
    assert {f"lake.{name}": "ok" for name in wanted} == fresh
    assert {"warn"} == set(none.values())
    assert not (tmp_path / "none").exists()


def test_a_boundary_that_is_late_fails_where_a_vendor_is_there_to_be_asked(
    own_sample_lake: Lake,
) -> None:
    lake = own_sample_lake.store.location
    day = dt.timedelta(days=1)
    late = {
        (days, key): found(
            stored.checks(patient_of(lake=lake, now=AFTER_THE_SAMPLE + days * day, massive_key=key))
        )["lake.daily_boundary"]
        for days in (1, 3)
        for key in (None, "key")
    }

    expected = {(1, None): "warn", (1, "key"): "warn", (3, None): "warn", (3, "key"): "fail"}
    assert expected == {case: told[0] for case, told in late.items()}
    assert "3 settled sessions are missing" in late[3, "key"][1]


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2013-03-01T08:59:59Z", False),
        ("2013-03-01T09:00:00Z", True),
        ("2013-03-02T00:59:59Z", True),
        ("2013-03-02T01:00:00Z", False),
        ("2013-03-02T15:00:00Z", False),
    ],
)
def test_the_market_is_open_in_extended_hours_of_sessions(
    sample_lake: Lake, now: str, *, is_open: bool
) -> None:
    lake = sample_lake.store.location
    patient = patient_of(lake=lake, now=dt.datetime.fromisoformat(now))

    assert is_open is patient.is_open()


def test_silver_that_is_stale_and_a_table_that_ends_are_told(
    own_sample_lake: Lake, bars_file: Path
) -> None:
    own_sample_lake.importer().import_files([bars_file])
    far = patient_of(
        lake=own_sample_lake.store.location, now=dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
    )
    seen = statuses(stored.checks(far))

    assert ("warn", "fail") == (seen["lake.silver"], seen["lake.sessions"])


def test_a_disk_that_fills_up_is_told_before_it_is_full(tmp_path: Path) -> None:
    patient = patient_of(state=str(tmp_path), cache="off", lake=str(tmp_path / "lake"))
    kinds = {"ok": (1, 1), "warn": (2**40, 1), "fail": (2**40, 2**40)}

    for status, (scarce, least) in kinds.items():
        seen = list(machine.disks(patient, scarce_mib=scarce, least_mib=least))
        assert ["machine.state", "machine.lake"] == [each.check for each in seen]
        assert {status} == {each.status for each in seen}


def test_a_database_that_is_behind_or_gone_is_told(postgres_settings: Settings) -> None:
    behind = found(related.checks(Patient(postgres_settings)))
    with closing(open_database(postgres_settings)) as database:
        upgrade(database)
    current = statuses(related.checks(Patient(postgres_settings)))
    server = PostgresServer()
    server.start()
    gone = Settings.model_validate({"database_url": server.url()})
    server.stop()

    assert ("fail", "fiblake db upgrade.") == behind["database.revision"][::2]
    names = ("there", "revision", "deliveries")
    expected = {f"database.{name}": "ok" for name in names} | {"database.keys": "warn"}
    assert expected == current
    assert {"database.there": "fail"} == statuses(related.checks(Patient(gone)))


def test_deliveries_that_were_given_up_on_are_told(own_database: Database) -> None:
    add_destination(own_database, "https://example.com/")
    notify(own_database, "al_1.1.1")
    waiting = found(related.checks(Patient(Settings())))["database.deliveries"]
    with own_database.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'dead'")
    dead = found(related.checks(Patient(Settings())))["database.deliveries"]

    assert ("ok", "1 deliveries wait, and 0 were given up on.") == waiting[:2]
    assert ("warn", "0 deliveries wait, and 1 were given up on.") == dead[:2]


def test_a_redis_that_may_forget_or_is_gone_is_told() -> None:
    server = RedisServer()
    policies = {"noeviction": "ok", "allkeys-lru": "warn"}
    patient = patient_of(view="redis", redis_url=server.url)
    for policy, status in policies.items():
        server.start("--maxmemory", "100mb", "--maxmemory-policy", policy)
        expected = {"view.redis": "ok", "view.eviction": status, "view.memory": "ok"}
        assert expected == statuses(viewed.checks(patient))
        server.stop()

    assert {"view.redis": "fail"} == statuses(viewed.checks(patient))


@pytest.mark.usefixtures("dynamodb_environment")
def test_a_table_that_lacks_or_never_forgets_is_told() -> None:
    settings = hurried(Settings(view="dynamodb", dynamodb_prefix="doctor-"))
    patient = Patient(settings)
    lacking = statuses(viewed.checks(patient))
    with closing(open_view(settings)) as view:
        view.create_tables()  # type: ignore[attr-defined]
    client = DynamoDBServer(settings).client
    off: Any = {"Enabled": False, "AttributeName": "ttl"}
    client.update_time_to_live(TableName="doctor-ticks", TimeToLiveSpecification=off)
    client.close()

    names = ("ticks", "bars", "connections")
    assert {f"view.doctor-{name}": "fail" for name in names} == lacking
    expected = dict(zip(names, ("warn", "ok", "fail"), strict=True))
    assert expected == {
        check.removeprefix("view.doctor-"): status
        for check, status in statuses(viewed.checks(patient)).items()
    }


def test_streams_that_lack_or_hang_are_told(own_sample_lake: Lake) -> None:
    with running() as server:
        told = server.settings(kinesis_events=server.stream(), kinesis_bars="none")
        patient = patient_of(**told, lake=own_sample_lake.store.location)
        seen = statuses(streams.checks(patient))
        assert {
            f"stream.{patient.settings.kinesis_events}": "ok",
            "stream.none": "fail",
            "stream.published": "warn",
        } == seen
        server.pause()
        events = next(iter(streams.checks(patient)))
        assert ["fail"] == [each.status for each in examine([events], 1)]
        server.resume()


def test_a_topic_that_lacks_or_that_nobody_hears_is_told(moto_server: MotoServer) -> None:
    where: dict[str, Any] = {
        "sns_endpoint": moto_server.url,
        "sns_region": REGION,
        "sns_access_key_id": "key",
        "sns_secret_access_key": "secret",
    }
    made = create_topics(Settings.model_validate(where), "doctor-")
    alerts = next(each.topic for each in made if each.kind == "alerts")
    with closing(sns_of(Settings.model_validate(where))) as sns:
        unheard = sns.create_topic(Name="doctor-unheard")["TopicArn"]
    seen = [
        statuses(told.checks(patient_of(**where, sns_alerts=topic)))["topic.alerts"]
        for topic in (alerts, unheard, f"{alerts}-none")
    ]

    assert ["ok", "warn", "fail"] == seen


def test_a_service_that_is_not_ready_or_not_there_is_told() -> None:
    health = Health(is_live=True, away={"view": "Redis does not answer"})
    with HealthServer(health) as server:
        patient = Patient(Settings(), services={"publisher": server.url, "feed": server.url + "0"})
        away = found(serviced.checks(patient))
        health.away.clear()
        well = statuses(serviced.checks(patient))

    said = "publisher is not ready: view: Redis does not answer."
    assert ("fail", said) == away["service.publisher"][:2]
    assert ("fail", "ok") == (away["service.feed"][0], well["service.publisher"])


def test_a_server_is_asked_as_users_ask_it(sample_lake: Lake, tmp_path: Path) -> None:
    view = MemoryView()
    view.put(NO_BARS, prices_of(price("AAPL")))
    patient = patient_of(lake=sample_lake.store.location)
    with serving(create_app(sample_lake.reader, view)) as host:
        asked = replace(patient, url=f"http://{host}", is_asked=True)
        well = found(served.checks(asked))
        other = replace(asked, settings=Settings(lake=str(tmp_path / "other")))
        elsewhere = found(served.checks(other))
    gone = statuses(served.checks(asked))
    nobody = statuses(served.checks(replace(asked, is_asked=False)))

    names = ("there", "clock", "version", "ready", "bars", "boundary", "stream")
    assert {f"api.{name}": "ok" for name in names} == {name: it[0] for name, it in well.items()}
    assert "AAPL at 1.0" in well["api.stream"][1]
    assert "fail" == elsewhere["api.boundary"][0]
    assert ({"api.there": "fail"}, {"api.there": "warn"}) == (gone, nobody)


def test_a_server_that_tells_a_session_again_is_on_its_eve_by_right(sample_lake: Lake) -> None:
    patient = patient_of(lake=sample_lake.store.location)
    replaying = create_app(sample_lake.reader, MemoryView(), told_again=dt.date(2013, 3, 1))
    with serving(replaying) as host:
        status, fact, *_ = found(served.checks(replace(patient, url=f"http://{host}")))[
            "api.boundary"
        ]

    expected = "It tells 2013-03-01 again, and takes the lake as it was before, up to 2013-02-28."
    assert ("ok", expected) == (status, fact)


def test_a_server_with_a_wrong_clock_without_a_feed_and_with_keys_is_told(
    sample_lake: Lake, make_guarded: MakeGuarded
) -> None:
    patient = patient_of(lake=sample_lake.store.location)
    late = [("Date", "Mon, 05 Jan 2026 12:00:00 GMT")]
    with serving(create_app(sample_lake.reader), date_header=False, headers=late) as host:
        wrong = statuses(served.checks(replace(patient, url=f"http://{host}")))
    guarded = make_guarded()
    with serving(guarded.app) as host:
        locked = replace(patient, url=f"http://{host}")
        keyless = statuses(served.checks(locked))
        settings = locked.settings.model_copy(update={"key": SecretStr(guarded.key("read").secret)})
        keyed = statuses(served.checks(replace(locked, settings=settings)))

    assert ("fail", "warn") == (wrong["api.clock"], wrong["api.stream"])
    assert ("warn", "warn") == (keyless["api.bars"], keyless["api.stream"])
    assert ("ok", "warn") == (keyed["api.bars"], keyed["api.stream"])


def test_a_vendor_is_asked_only_where_it_is_told_to(vendor: LocalVendor) -> None:
    here: dict[str, Any] = {"massive_url": vendor.url, "massive_key": vendor.access.key}
    patient = patient_of(**here, now=dt.datetime(2013, 3, 28, 22, tzinfo=dt.UTC))
    wrong = replace(patient, settings=patient.settings.model_copy(update={"massive_key": None}))
    refused = patient_of(**here | {"massive_key": "wrong"})
    seen = {
        name: statuses(vending.checks(replace(each, is_vendor_asked=asked)))["vendor.key"]
        for name, each, asked in (
            ("none", wrong, True),
            ("unasked", refused, False),
            ("refused", refused, True),
            ("accepted", patient, True),
        )
    }

    assert {"none": "warn", "unasked": "ok", "refused": "fail", "accepted": "ok"} == seen


def test_each_page_that_is_named_is_there() -> None:
    code = "".join(path.read_text() for path in (ROOT / "fiblake/doctor").glob("*.py"))
    named = set(re.findall(r'runbook\("([a-z-]+)"\)', code))
    parts = set(re.findall(r'Check\(f?"([a-z]+)\.', code))
    headings = set(
        re.findall(r"^## ([a-z]+)$", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE)
    )

    assert named
    assert set() == {name for name in named if not (ROOT / f"docs/runbook/{name}.md").exists()}
    assert parts == headings
