"""The commands of keys and of their database, and which addresses `fiblake up` opens when."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from database.migrating import HEAD
from tests.command_line import FIBLAKE, Run
from tests.parts import PostgresServer, free_port

KEY = re.compile(r"fib_([0-9a-f]{10})_[0-9a-f]{48}\n")


def created(run: Run, *options: str) -> tuple[str, str]:
    """Return a new key, and its public part."""
    ran = run("keys", "create", "ci", "--scope", "read", *options)
    found = KEY.fullmatch(ran.out)
    assert found, ran
    said = f"{found[1]} is the key of ci; all of it is shown this once"
    assert (0, said) == (ran.code, ran.err.strip())
    return ran.out.strip(), found[1]


def test_a_key_is_shown_once_and_listed_without_its_secret(in_lake: Run) -> None:
    secret, public = created(in_lake, "--scope", "live", "--owner", "desk", "--expires", "90d")
    listed = in_lake("keys", "list")
    cells = listed.out.splitlines()[-1].split("  ")

    assert [public, "ci", "desk", "read live", "valid"] == [c.strip() for c in cells if c][:5]
    assert secret not in listed.out
    (told,) = json.loads(in_lake("keys", "list", "--json").out)["keys"]
    assert (public, ["read", "live"], None) == (told["key"], told["scopes"], told["used"])


def test_a_key_is_revoked(in_lake: Run) -> None:
    _, public = created(in_lake)

    assert (0, f"{public} of ci is revoked\n") == in_lake("keys", "revoke", public).said[:2]
    assert "revoked" in in_lake("keys", "list").out
    said = "error: 'nope' is no key's public part. Hint: fiblake keys list, or GET /v1/keys."
    assert (1, "", said) == in_lake("keys", "revoke", "nope").said


def test_a_new_key_as_json_has_all_of_it(in_lake: Run) -> None:
    ran = in_lake("keys", "create", "a", "--scope", "admin", "--json", "--expires", "12h")
    told = json.loads(ran.out)

    assert KEY.fullmatch(told["secret"] + "\n")
    assert ("a", ["admin"], "valid") == tuple(told["key"][n] for n in ("name", "scopes", "state"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--scope", "all"),
            "'all' is not a scope. Allowed: read, live, alerts, admin. Hint: as --scope read.",
        ),
        (
            ("--scope", "read", "--expires", "soon"),
            (
                "--expires 'soon' is neither. Allowed: days as 90d, hours as 12h, or an instant."
                " Hint: as --expires 90d, or --expires 2026-12-31T00:00:00Z."
            ),
        ),
        (
            ("--scope", "read", "--expires", "2020-01-01T00:00:00Z"),
            (
                "A key that expires at 2020-01-01T00:00:00Z would have by now."
                " Hint: name a later instant."
            ),
        ),
    ],
)
def test_what_is_no_key_is_said_to_be_none(
    in_lake: Run, options: tuple[str, ...], said: str
) -> None:
    assert (2, "", f"error: {said}") == in_lake("keys", "create", "a", *options).said


def test_a_key_has_what_was_kept_before_there_were_keys_only_where_that_is_said(
    in_lake: Run,
) -> None:
    refused = in_lake("keys", "create", " anyone", "--scope", "alerts")
    meant = in_lake("keys", "create", "anyone", "--scope", "alerts", "--owner", "anyone")

    said = "error: A key named 'anyone' would have all that was kept before there were keys."
    hint = 'Hint: choose another name; if it is meant: --owner anyone, or "owner": "anyone".'
    assert (2, "", f"{said} {hint}") == refused.said
    assert 0 == meant.code
    (key,) = json.loads(in_lake("keys", "list", "--json").out)["keys"]
    assert "anyone" == key["owner"]


def test_without_a_key_the_list_says_how_one_is_made(in_lake: Run) -> None:
    said = "there is no key yet: fiblake keys create NAME --scope read\n"

    assert (0, said, "") == in_lake("keys", "list").said


def test_the_database_is_looked_at_and_upgraded(in_lake: Run) -> None:
    before = in_lake("db", "status")
    upgraded = in_lake("db", "upgrade")
    after = json.loads(in_lake("db", "status", "--json").out)

    assert (1, f"at nothing; fiblake db upgrade brings it to {HEAD}") == (
        before.code,
        before.out.splitlines()[1],
    )
    assert (0, f"at {HEAD}, as this version needs it", "upgraded from nothing") == (
        upgraded.code,
        upgraded.out.splitlines()[1],
        upgraded.err.strip(),
    )
    assert (HEAD, HEAD) == (after["at"], after["head"])
    assert (0, "") == (in_lake("db", "upgrade").code, in_lake("db", "upgrade").err)


def test_a_server_that_is_behind_is_an_error_that_names_the_command(
    in_lake: Run, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.new_database()
    monkeypatch.setenv("FIBLAKE_DATABASE_URL", url)
    place = url.replace("fiblake@", "")

    for command in (("keys", "list"), ("up", "--port", "0")):
        said = f"error: The database {place} is at nothing, and not at {HEAD}."
        assert (1, "", f"{said} Hint: fiblake db upgrade.") == in_lake(*command).said
    assert 0 == in_lake("db", "upgrade").code
    created(in_lake)


@pytest.mark.parametrize(
    "url", ["mysql://u:hidden@host/db", "postgresql://u:hidden@host", "postgresql://u:hidden@:x/db"]
)
def test_what_is_no_url_of_a_database_is_told_without_the_password(
    in_lake: Run, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FIBLAKE_DATABASE_URL", url)
    ran = in_lake("keys", "list")

    assert 2 == ran.code
    assert ran.err.startswith("error: FIBLAKE_DATABASE_URL=*** cannot be: Value error, not a URL")
    assert "hidden" not in ran.err


def test_a_secret_of_tokens_that_is_too_short_is_refused(
    in_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_TOKEN_SECRET", "short")
    ran = in_lake("up", "--port", "0")

    assert (2, 0) == (ran.code, ran.err.count("short"))
    assert "has at least 32 bytes" in ran.err


def test_up_refuses_other_hosts_while_there_is_no_key(in_lake: Run) -> None:
    said = (
        "error: --host 0.0.0.0 lets others than this machine in, and no key was created yet."
        " Hint: fiblake keys create NAME --scope read --scope live."
    )

    assert (2, "", said) == in_lake("up", "--host", "0.0.0.0", "--port", "0").said  # noqa: S104 - it is refused


@contextmanager
def up(lake: Path, *options: str) -> Iterator[str]:
    """Yield the URL of a server, which ends well."""
    command = [str(FIBLAKE), "up", "--port", str(free_port()), "--lake", str(lake), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        said = it.stderr.readline()
        found = re.search(r"http://\S+/", said)
        assert found, said
        yield found[0].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - as it says
        it.send_signal(signal.SIGINT)
        assert ("", "", 0) == (*it.communicate(), it.returncode)


def test_up_takes_any_key_until_the_first_is_created_and_then_that_one(
    in_sample: Run, sample_lake_folder: Path
) -> None:
    with up(sample_lake_folder) as url:
        asked = f"{url}v1/symbols"
        before = [httpx.get(asked).status_code, httpx.get(f"{asked}?apiKey=any").status_code]
        key, _ = created(in_sample)
        while httpx.get(asked).status_code == 200:  # for two seconds at most
            pass
        after = [httpx.get(f"{asked}?apiKey={each}").status_code for each in ("any", key)]

    assert ([200, 200], [401, 200]) == (before, after)


def test_up_listens_to_all_once_there_is_a_key_and_then_asks_for_it(
    in_sample: Run, sample_lake_folder: Path
) -> None:
    key, _ = created(in_sample)

    with up(sample_lake_folder, "--host", "0.0.0.0") as url:  # noqa: S104 - with a key
        headers = {"Authorization": f"Bearer {key}"}
        assert 401 == httpx.get(f"{url}v1/symbols").status_code
        assert 200 == httpx.get(f"{url}v1/symbols", headers=headers).status_code
