"""Settings and a database's password in Secrets Manager: read, overridden, rotated, and refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from database import Database
from database.migrating import upgrade
from lake.errors import DatabaseUnavailableError, MisuseError, SecretError
from lake.settings import Settings, read_settings
from tests.batch import ROLE
from tests.moto_serially import REGION
from tests.parts import MotoServer, PostgresServer, free_port


class Secrets:
    """Secrets Manager of the moto server, and what a test does in it."""

    def __init__(self, server: MotoServer) -> None:
        self.client: Any = boto3.client(
            "secretsmanager",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106 - the test's own
        )

    def new(self, held: object) -> str:
        """Return the ARN of a new secret; what is no text is written as JSON."""
        name = f"fiblake/{uuid.uuid4().hex}"
        text = held if isinstance(held, str) else json.dumps(held)
        return str(self.client.create_secret(Name=name, SecretString=text)["ARN"])

    def change(self, secret: str, held: object) -> None:
        self.client.put_secret_value(SecretId=secret, SecretString=json.dumps(held))


@pytest.fixture
def secrets(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    """Secrets Manager, and an environment in which fiblake finds it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name, value in ROLE.items():
        monkeypatch.setenv(name, value)
    made = Secrets(moto_server)
    with closing(made.client):
        yield made


def test_settings_are_read_from_a_secret_and_the_environment_goes_before_it(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {
        "FIBLAKE_MASSIVE_KEY": "k-1",
        "FIBLAKE_VIEW_DAYS": 9,
        "FIBLAKE_LAKE": "s3://held/lake",
        "FIBLAKE_LOG_LEVEL": "error",
    }
    monkeypatch.setenv("FIBLAKE_SECRET", secrets.new(held))
    monkeypatch.setenv("FIBLAKE_VIEW_DAYS", "3")

    told = read_settings()
    named = read_settings(lake="here")

    assert told.massive_key is not None
    assert ("k-1", 3, "s3://held/lake", "error") == (
        told.massive_key.get_secret_value(),
        told.view_days,
        told.lake,
        told.log_level,
    )
    assert "here" == named.lake
    assert "k-1" not in repr(told)


def test_a_secret_is_found_by_its_name_too(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = secrets.new({"FIBLAKE_LAKE": "s3://held/lake"})
    monkeypatch.setenv("FIBLAKE_SECRET", secrets.client.describe_secret(SecretId=arn)["Name"])

    assert "s3://held/lake" == read_settings().lake


def test_an_arn_tells_the_region(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_SECRET", secrets.new({"FIBLAKE_VIEW_DAYS": "2"}))
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert 2 == read_settings().view_days


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("no JSON: pa55", "is no object of JSON whose values are texts or numbers"),
        ('["pa55"]', "is no object of JSON whose values are texts or numbers"),
        ('{"FIBLAKE_LAKE": {"a": "pa55"}}', "is no object of JSON whose values are texts"),
        ('{"FIBLAKE_COLOUR": "pa55"}', "has 'FIBLAKE_COLOUR', which is no setting"),
        ('{"massive_key": "pa55"}', "has 'massive_key', which is no setting"),
        ('{"FIBLAKE_SECRET": "pa55"}', "has 'FIBLAKE_SECRET', which is no setting"),
        ('{"FIBLAKE_VIEW_DAYS": "pa55"}', "FIBLAKE_VIEW_DAYS=*** cannot be: "),
    ],
)
def test_what_a_secret_cannot_hold_is_refused_and_never_told(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch, held: str, said: str
) -> None:
    monkeypatch.setenv("FIBLAKE_SECRET", secrets.new(held))

    with pytest.raises(MisuseError) as refused:
        read_settings()

    assert said in str(refused.value)
    assert "pa55" not in str(refused.value)


def test_a_secret_that_is_not_there_is_an_error_that_names_it(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secrets.client is not None
    monkeypatch.setenv("FIBLAKE_SECRET", "fiblake/none")

    with pytest.raises(SecretError, match=r"fiblake/none cannot be read.*Hint: check its name"):
        read_settings()


def test_who_reaches_no_secrets_manager_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("FIBLAKE_SECRET", "fiblake/settings")

    with pytest.raises(SecretError, match=r"cannot be read: .*Hint: check AWS_REGION"):
        read_settings()


def test_an_empty_name_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_SECRET", "")

    with pytest.raises(MisuseError, match="FIBLAKE_SECRET='' cannot be"):
        read_settings()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rediss://cache:6379/0", "rediss://:a%2Fb%40c@cache:6379/0"),
        ("rediss://user@cache/1?x=y", "rediss://user:a%2Fb%40c@cache/1?x=y"),
    ],
)
def test_redis_password_is_put_into_its_url(url: str, expected: str) -> None:
    told = Settings(redis_url=SecretStr(url), redis_password=SecretStr("a/b@c"))

    assert expected == told.redis_address
    assert url == Settings(redis_url=SecretStr(url)).redis_address


def test_redis_has_one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_REDIS_URL", "redis://:one@cache:6379/0")
    monkeypatch.setenv("FIBLAKE_REDIS_PASSWORD", "two")

    with pytest.raises(MisuseError, match=r"FIBLAKE_REDIS_PASSWORD=\*\*\* cannot be: .*already"):
        read_settings()


def test_the_secret_of_a_database_needs_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIBLAKE_DATABASE_SECRET", "fiblake/database")

    with pytest.raises(MisuseError, match="it needs FIBLAKE_DATABASE_URL"):
        read_settings()


class Account:
    """A user of PostgreSQL who needs a password, and a database of its own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.user = f"u{uuid.uuid4().hex}"
        admin = server.new_database()
        self._name = admin.rpartition("/")[2]
        self.url = f"postgresql://127.0.0.1:{server.port}/{self._name}"
        self.rotate("first", verb="CREATE")
        self._run(sql.SQL("ALTER DATABASE {} OWNER TO {}"), self._name, self.user)

    def rotate(self, password: str, verb: str = "ALTER") -> None:
        """Change the password, as RDS does: open connections stay."""
        statement = sql.SQL(f"{verb} ROLE {{}} LOGIN PASSWORD {{}}")
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(self.user), sql.Literal(password)))

    def _run(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))


@pytest.fixture(scope="module")
def asking_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that asks everyone but its superuser for a password."""
    server = PostgresServer()
    server.start()
    access = server.folder / "data/pg_hba.conf"
    access.write_text(
        "host all fiblake 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n", "utf-8"
    )
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.fixture
def account(asking_server: PostgresServer) -> Account:
    return Account(asking_server)


def test_a_password_that_is_rotated_needs_no_restart(
    secrets: Secrets,
    account: Account,
    database_of: Callable[[Settings], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("database.password._ASKED_ANEW_S", 0)
    secret = secrets.new({"username": account.user, "password": "first"})
    settings = Settings(database_url=SecretStr(account.url), database_secret=secret)
    database = database_of(settings)
    upgrade(database)
    with database.read() as connected:
        account.rotate("second")
        secrets.change(secret, {"username": account.user, "password": "second"})
        # The one that is open stays open, and a new one beside it knows the new password.
        with database.read() as another:
            assert account.user == another.exec_driver_sql("SELECT current_user").scalar()
        assert 1 == connected.exec_driver_sql("SELECT 1").scalar()

    with database_of(settings).read() as fresh:
        assert 1 == fresh.exec_driver_sql("SELECT 1").scalar()


def test_a_password_that_does_not_hold_is_an_error_without_it(
    secrets: Secrets, account: Account, database_of: Callable[[Settings], Database]
) -> None:
    secret = secrets.new({"username": account.user, "password": "pa55word"})
    database = database_of(Settings(database_url=SecretStr(account.url), database_secret=secret))

    with (
        pytest.raises(DatabaseUnavailableError, match="authentication failed") as refused,
        database.read(),
    ):
        pass

    assert "pa55word" not in str(refused.value)


def test_while_secrets_manager_is_away_the_password_that_is_known_holds(
    secrets: Secrets,
    account: Account,
    database_of: Callable[[Settings], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("database.password._KEPT_S", 0)
    secret = secrets.new({"username": account.user, "password": "first"})
    settings = Settings(database_url=SecretStr(account.url), database_secret=secret)
    database = database_of(settings)
    with database.read():
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        with database.read() as another:
            assert 1 == another.exec_driver_sql("SELECT 1").scalar()

    with (
        pytest.raises(DatabaseUnavailableError, match="cannot be read"),
        database_of(settings).read(),
    ):
        pass


def test_a_secret_without_a_password_is_refused(
    secrets: Secrets, account: Account, database_of: Callable[[Settings], Database]
) -> None:
    secret = secrets.new({"username": account.user})
    database = database_of(Settings(database_url=SecretStr(account.url), database_secret=secret))

    with pytest.raises(MisuseError, match="lacks password"), database.read():
        pass
