"""The commands of destinations and deliveries, and that of topics."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from database import Database
from database.audit import latest
from database.tables import DELIVERIES
from tests.command_line import Run, write
from tests.moto_serially import REGION
from tests.outbox import deliveries, notify
from tests.parts import MotoServer
from tests.receiving import SECRET

URL = "https://hooks.example.com/alerts/7"
ADDING = ("alerts", "destinations", "add", "phone", "--url", URL, "--secret-file", "secret")


def add(run: Run, name: str = "phone", *options: str) -> None:
    ran = run(*_adding(name), *options)
    assert (0, f"{name} of anyone is told at {URL}\n", "") == (ran.code, ran.out, ran.err)


def _adding(name: str = "phone", url: str = URL) -> tuple[str, ...]:
    file = write("secret", f"{SECRET}\n")
    return ("alerts", "destinations", "add", name, "--url", url, "--secret-file", file)


def test_destinations_are_added_listed_and_removed(run: Run, own_database: Database) -> None:
    add(run)
    add(run, "home")
    listed = run("alerts", "destinations", "list")
    told = run("alerts", "destinations", "list", "--json")
    removed = run("alerts", "destinations", "remove", "phone")

    assert ["name", "kind", "url", "created"] == listed.out.splitlines()[0].split()
    assert [["log", "log"], ["home", "webhook", URL], ["phone", "webhook", URL]] == [
        line.split()[:3] for line in listed.out.splitlines()[2:]
    ]
    (log, home, _) = json.loads(told.out)["destinations"]
    assert {"name": "log", "kind": "log", "url": None, "created": None} == log
    assert {"name", "kind", "url", "created"} == set(home)
    assert SECRET not in listed.out + told.out + told.err
    assert (0, "phone is removed\n") == (removed.code, removed.out)
    with own_database.read() as connection:
        entries = latest(connection, 3)
    assert ["destination removed", "destination added", "destination added"] == [
        each.action for each in entries
    ]
    assert entries[0].actor.startswith("command:")
    assert SECRET not in repr(entries)


def test_a_secret_is_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    options = ("--url", URL, "--secret-file", "-", "--owner", "me", "--json")
    ran = run("alerts", "destinations", "add", "phone", *options)

    assert 0 == ran.code
    assert ("phone", URL) == tuple(json.loads(ran.out)[name] for name in ("name", "url"))
    assert SECRET not in ran.out
    assert URL not in run("alerts", "destinations", "list").out
    assert URL in run("alerts", "destinations", "list", "--owner", "me").out


def test_an_empty_list_of_deliveries_says_so(run: Run) -> None:
    assert (0, "there is no such delivery\n") == run("alerts", "deliveries").said[:2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("alerts", "deliveries", "--state", "lost"),
            2,
            "--state 'lost' is none. Allowed: waiting, delivered, dead.",
        ),
        (("alerts", "destinations", "remove", "phone"), 1, "'anyone' has no destination 'phone'."),
        (("alerts", "redeliver", "al_1.1.1"), 1, "'anyone' has no firing 'al_1.1.1'."),
        (("alerts", "redeliver", "\udcff"), 1, r"'anyone' has no firing '\udcff'."),
        (("alerts", "redeliver", "al_1.1.1", "--owner", ""), 1, "'' has no firing 'al_1.1.1'."),
        (("alerts", "destinations", "remove", "\udcff"), 1, r"has no destination '\udcff'."),
        (("alerts", "destinations", "list", "--owner", ""), 2, "--owner '' is none. Allowed: 1"),
        (("alerts", "destinations", "remove", "x", "--owner", ""), 2, "--owner '' is none."),
        ((*ADDING, "--owner", "a" * 500), 2, "--owner 'aaaaaaa"),
        ((*ADDING, "--owner", ""), 2, "--owner '' is none."),
        (("alerts", "deliveries", "--owner", "\udcff"), 2, r"--owner '\udcff' is none."),
        (("alerts", "redeliver", "x", "--owner", "a\nb"), 2, r"--owner 'a\nb' is none."),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    write("secret", SECRET)
    ran = run(*arguments)

    assert (code, 1) == (ran.code, ran.err.count("\n"))
    assert said in ran.err
    assert "" == ran.out


def test_a_destination_that_cannot_be_is_refused(run: Run) -> None:
    inner = run(*_adding(url="https://10.0.0.1/x"))
    named = run(*_adding("log"))
    Path("secret").write_text("hunter2\n")
    option = ("--url", URL, "--secret-file", "secret")
    secret = run("alerts", "destinations", "add", "phone", *option)
    lacking = run("alerts", "destinations", "add", "phone", "--url", URL, "--secret-file", "none")
    Path("binary").write_bytes(b"\xff\xfe")
    option = ("--url", URL, "--secret-file", "binary")
    binary = run("alerts", "destinations", "add", "phone", *option)

    assert 2 == inner.code == named.code == secret.code == binary.code
    assert "10.0.0.1 is not an address of the public internet" in inner.err
    assert "FIBLAKE_WEBHOOK_ALLOW" in inner.err
    assert "'log' is a destination that is there for everybody" in named.err
    assert "not the secret of a webhook" in secret.err
    assert "hunter2" not in secret.err
    assert (1, "error: none: No such file or directory.") == (lacking.code, lacking.err.strip())
    assert "binary is not a file of text" in binary.err


def test_a_secret_in_whatever_place_is_not_told_back(run: Run) -> None:
    refused = [
        run(*_adding(url=SECRET)),
        run(*_adding(url=f"https://example.com/{SECRET}")),
        run(*_adding(SECRET)),
        run("alerts", "destinations", "add", "phone", "--url", URL, "--secret-file", SECRET),
        run("alerts", "destinations", "remove", SECRET),
        run("alerts", "deliveries", "--state", SECRET),
    ]

    assert [2, 2, 2, 1, 1, 2] == [each.code for each in refused]
    assert [] == [each for each in refused if "MfKQ" in each.out + each.err or not each.err]


def test_an_inner_destination_may_be_where_it_is_allowed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_WEBHOOK_ALLOW", "10.0.0.0/8")

    assert 0 == run(*_adding(url="http://10.0.0.1/x")).code
    monkeypatch.setenv("FIBLAKE_WEBHOOK_ALLOW", "10.0.0.0/33")
    assert (
        "FIBLAKE_WEBHOOK_ALLOW='10.0.0.0/33' cannot be: Value error, not networks"
        in run(*_adding()).err
    )


def test_the_dead_are_listed_and_delivered_again(run: Run, own_database: Database) -> None:
    notify(own_database, "al_1.1.1", "al_1.1.2", to=("phone",), owner="anyone")
    notify(own_database, "al_2.1.1", owner="you")
    with own_database.write() as connection:
        dead = {"state": "dead", "error": "404 Not Found", "attempts": 15, "due": None}
        is_first = DELIVERIES.c.notification.in_(["al_1.1.1", "al_2.1.1"])
        connection.execute(update(DELIVERIES).where(is_first).values(dead))
    listed = run("alerts", "deliveries", "--state", "dead")
    everyone = json.loads(
        run("alerts", "deliveries", "--state", "dead", "--everyone", "--json").out
    )
    again = run("alerts", "redeliver", "al_1.1.1", "--destination", "phone")

    (row,) = listed.out.splitlines()[2:]
    assert ["al_1.1.1", "phone", "dead", "15", "404", "Not", "Found"] == row.split()
    assert ["al_1.1.1", "al_2.1.1"] == [each["notification"] for each in everyone["deliveries"]]
    assert 0 == again.code
    assert "waiting" in again.out
    assert "al_1.1.1 is due again to 1 of its destinations" in again.err
    assert ("waiting", 0) == (
        deliveries(own_database, "al_1.1.1")["phone"].state,
        deliveries(own_database, "al_1.1.1")["phone"].attempts,
    )
    assert "Allowed: phone" in run("alerts", "redeliver", "al_1.1.1", "--destination", "x").err


def test_news_that_are_nobody_s_are_listed_and_delivered_again(
    run: Run, own_database: Database
) -> None:
    notify(own_database, "news_1", to=("log",), owner="", kind="news")
    notify(own_database, "al_1.1.1", owner="anyone")
    listed = json.loads(run("alerts", "deliveries", "--owner", "", "--json").out)
    again = run("alerts", "redeliver", "news_1", "--owner", "")

    assert ["news_1"] == [each["notification"] for each in listed["deliveries"]]
    assert (0, "news_1 is due again to 1 of its destinations\n") == (again.code, again.err)


def test_topics_are_created_by_command(
    run: Run, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"endpoint": moto_server.url, "region": REGION, "access_key_id": "key"}
    for name, value in {**settings, "secret_access_key": "secret"}.items():
        monkeypatch.setenv(f"FIBLAKE_SNS_{name.upper()}", value)
    first = run("topics", "create", "--prefix", "command-")
    again = run("topics", "create", "--prefix", "command-", "--json")
    alerts, news = json.loads(again.out)["topics"]

    assert (0, 0) == (first.code, again.code)
    assert [
        f"alerts: {alerts['topic']}, and all of it in {alerts['queue']}",
        f"news: {news['topic']}, and all of it in {news['queue']}",
    ] == first.out.splitlines()
    assert f"FIBLAKE_SNS_ALERTS={alerts['topic']}" in first.err
    assert f"FIBLAKE_SNS_NEWS={news['topic']}" in first.err
    assert alerts["topic"].endswith(":command-alerts")


def test_what_is_no_topic_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_SNS_ALERTS", "fiblake-alerts")
    ran = run("topics", "create")

    assert 2 == ran.code
    assert "FIBLAKE_SNS_ALERTS='fiblake-alerts' cannot be" in ran.err
    assert "not the ARN of a topic, as arn:aws:sns:" in ran.err
