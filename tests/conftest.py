"""What tests share: an isolated environment, a clock, lakes, and real servers."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.exchange import compute_sessions
from lake.session import SessionTable
from lake.settings import Settings
from lake.store import LocalStore
from tests.batch import DEFINITION, QUEUE, ROLE, Batch
from tests.fault_proxy import FaultProxy
from tests.moto_serially import REGION
from tests.parts import MotoServer, RcloneServer, environment

pytest_plugins = [
    "tests.vendor",
    "tests.fetching",
    "tests.kinesis",
    "tests.live",
    "tests.browser",
    "tests.flink",
    "tests.live_system",
    "tests.databases",
    "tests.access",
    "tests.dialects",
    "tests.dialect_streams",
    "tests.receiving",
    "tests.whole_system",
    "tests.api",
    "tests.merged",
    "tests.past_lake",
    "tests.embedded_alerts",
    "tests.alert_page",
    "tests.streaming",
    "tests.watching",
    "tests.sending",
    "tests.alerts",
    "tests.backups",
]

# How long an example takes says more of the machine than of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the user's reaches a test, and no test writes where the user works."""
    for name in list(os.environ):
        if name.startswith(("FIBLAKE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FIBLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FIBLAKE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    structlog.reset_defaults()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture(scope="session")
def sessions() -> SessionTable:
    """The sessions of NYSE to the end of 2026."""
    return compute_sessions(dt.date(2026, 12, 31))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


@pytest.fixture
def lake(tmp_path: Path, clock: SetClock, blank_lake: Path) -> Lake:
    """An empty lake that has its session table already: to make one takes a second."""
    shutil.copytree(blank_lake, tmp_path / "lake")
    return Lake(tmp_path / "lake", clock=clock)


@pytest.fixture(scope="session")
def blank_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blank") / "lake"
    Lake(folder, clock=SetClock(NOW)).importer().sessions()
    return folder


@pytest.fixture(scope="session")
def sample_lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, imported and resampled; not to be written to."""
    folder = tmp_path_factory.mktemp("sample") / "lake"
    lake = Lake(folder, clock=SetClock(NOW))
    lake.import_sample()
    lake.resample()
    return folder


@pytest.fixture
def sample_lake(sample_lake_folder: Path, clock: SetClock) -> Lake:
    """The sample, imported and resampled, to read from."""
    return Lake(sample_lake_folder, clock=clock)


@pytest.fixture
def own_sample_lake(sample_lake_folder: Path, tmp_path: Path, clock: SetClock) -> Lake:
    """A copy of the sample lake, to write to."""
    # Fingerprints are times of modification: a copy must keep them to be the same lake.
    shutil.copytree(sample_lake_folder, tmp_path / "lake", copy_function=shutil.copy2)
    return Lake(tmp_path / "lake", clock=clock)


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Write lines to a file and return its path."""

    def write(*lines: str, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def bars_file(csv_file: Callable[..., Path], sessions: SessionTable) -> Path:
    """Two listings and four months."""
    span = sessions.ordinals(dt.date(2012, 3, 1), dt.date(2012, 6, 29))
    rows = [f"{name},{sessions[each]},10,12,9,11,100" for name in ("A", "B") for each in span]
    return csv_file("symbol,date,open,high,low,close,volume", *rows)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """A server that honours conditional writes as S3 does."""
    server = MotoServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def batch(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """AWS Batch, and an environment in which fiblake finds it, its queue and its definition."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name, value in ROLE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FIBLAKE_BATCH_QUEUE", QUEUE)
    monkeypatch.setenv("FIBLAKE_BATCH_DEFINITION", DEFINITION)
    return Batch(moto_server)


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    """A server that checks signatures, and passes over conditions."""
    server = RcloneServer(tmp_path_factory.mktemp("rclone"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fault_proxy(moto_server: MotoServer) -> Iterator[FaultProxy]:
    """A server in front of moto that counts requests and lets some of them fail."""
    with FaultProxy(moto_server.url) as proxy:
        yield proxy


@pytest.fixture
def open_lake(monkeypatch: pytest.MonkeyPatch, clock: SetClock) -> Callable[[Settings], Lake]:
    """Open a lake as a user does, by the environment; a test's processes have it too."""

    def open_(settings: Settings) -> Lake:
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        return Lake(clock=clock)

    return open_


@pytest.fixture
def s3_lake(
    moto_server: MotoServer,
    fault_proxy: FaultProxy,
    open_lake: Callable[[Settings], Lake],
    blank_lake: Path,
) -> Lake:
    """An empty lake on S3, behind `fault_proxy`, that has its session table already."""
    lake = open_lake(moto_server.settings(s3_endpoint=fault_proxy.url))
    lake.store.put(keys.SESSIONS, (blank_lake / keys.SESSIONS).read_bytes())
    fault_proxy.forget()
    return lake
