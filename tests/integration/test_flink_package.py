"""The application that the managed service takes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from lake.errors import FlinkError
from lake.exchange import encode_sessions
from lake.keys import SESSIONS
from lake.session import SessionTable
from lake.store import LocalStore
from lake.wire import encode_events
from speed_layer import flink_job
from tests.clocked import WallClock
from tests.days import calendar, made_day
from tests.flink import Job
from tests.live_system import command
from tests.trading import micros

CONNECTOR = "org/apache/flink/connector/kinesis/table/KinesisDynamicTableFactory.class"


def _jar(folder: Path, *names: str) -> Path:
    path = folder / "made.jar"
    with zipfile.ZipFile(path, "w") as jar:
        for name in names:
            jar.writestr(name, b"")
    return path


def test_a_package_holds_what_the_job_needs(tmp_path: Path) -> None:
    jar = _jar(tmp_path, CONNECTOR)
    made = flink_job.package("session\n", tmp_path / "job.zip", jar=jar)
    with zipfile.ZipFile(made) as package:
        names = package.namelist()
        assert b"session\n" == package.read("sessions.csv")
        assert jar.read_bytes() == package.read("lib/fiblake-flink.jar")
    statements = [f"sql/{path.name}" for path in sorted(flink_job.PROJECT.glob("sql/*.sql"))]
    others = ["lib/fiblake-flink.jar", "requirements.txt", "sessions.csv"]
    assert ["job.py", *others, *statements] == names


def test_a_package_of_the_same_is_the_same(tmp_path: Path) -> None:
    jar = _jar(tmp_path, CONNECTOR)
    first = flink_job.package("session\n", tmp_path / "1.zip", jar=jar).read_bytes()
    os.utime(jar, (0, 0))
    assert first == flink_job.package("session\n", tmp_path / "2.zip", jar=jar).read_bytes()


def test_a_jar_without_the_connector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlinkError, match="lacks the Kinesis connector"):
        flink_job.package("session\n", tmp_path / "job.zip", jar=_jar(tmp_path))


def test_a_missing_jar_is_told_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FlinkError, match=r"Hint: make \.venv-flink/ready"):
        flink_job.package("session\n", tmp_path / "job.zip", jar=tmp_path / "none.jar")


@pytest.mark.usefixtures("connector")
def test_what_is_packaged_runs_as_flink_runs_it(tmp_path: Path) -> None:
    day = made_day(3, 20)
    wall = WallClock(tmp_path / "clock")
    wall.advance(micros(day.hours.dusk))
    store = LocalStore(tmp_path / "lake")
    store.put(SESSIONS, encode_sessions(calendar()))
    target, application = tmp_path / "job.zip", tmp_path / "application"

    packed = command(wall, "flink", "package", target, "--lake", tmp_path / "lake")
    with zipfile.ZipFile(target) as package:
        package.extractall(application)
    (tmp_path / "job").mkdir()
    job = Job(tmp_path / "job", calendar(), day.session, day.session)
    job.write(encode_events(day.tape))
    (job.folder / "sessions.csv").write_bytes((application / "sessions.csv").read_bytes())
    flink = flink_job.home() / "bin/flink"
    how = ["run", "-t", "local", "-pyclientexec", str(flink_job.PYTHON), "-py", "job.py"]
    ran = subprocess.run(
        [str(flink), *how, "--jarfile", "lib/fiblake-flink.jar", *job.arguments()],
        cwd=application,
        env=os.environ | {"FLINK_LOG_DIR": str(tmp_path / "logs")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == packed.code
    assert [application / "lib/fiblake-flink.jar"] == list(application.rglob("*.jar"))
    assert 0 == ran.returncode, ran.stderr
    assert 3 == job.rows()[0].filter(interval="1d", state="final")["symbol"].n_unique()


def test_the_hours_of_a_short_session_end_early(sessions: SessionTable) -> None:
    short = dt.date(2026, 11, 27)
    rows = csv.DictReader(io.StringIO(flink_job.sessions_csv(sessions, short, short)))
    at = {name: dt.datetime(2026, 11, 27, hour, tzinfo=dt.UTC) for name, hour in _HOURS.items()}
    at["open"] += dt.timedelta(minutes=30)
    at["dusk"] += dt.timedelta(days=1)
    told = {name: str(micros(instant)) for name, instant in at.items()}
    assert [{"session": "2026-11-27", **told}] == list(rows)


_HOURS = {"dawn": 9, "open": 14, "close": 18, "dusk": 1}
