"""A start of the Flink job from what was prepared for it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from lake.session import SessionTable
from speed_layer import flink_job
from tests.flink import Job, lines_of
from tests.parts import missing
from tests.trading import trade

SESSION = dt.date(2026, 3, 9)
LOADED = re.compile(r"\b(\S+) source: (.*)")
PLANNER = ("org.apache.calcite.", "org.apache.flink.table.planner.")
OURS = ("fiblake.",)


@pytest.mark.usefixtures("flink")
def test_classes_of_the_planner_and_of_the_job_come_from_the_archive(
    tmp_path: Path, sessions: SessionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not flink_job.is_prepared():
        missing("a prepared start of Flink", flink_job.HINT)
    told = tmp_path / "told"
    monkeypatch.setenv("JVM_ARGS", f"-Xlog:class+load:file={told}")
    job = Job(tmp_path / "job", sessions, SESSION, SESSION)
    job.write(lines_of([trade(SESSION, "10:00:00"), trade(SESSION, "10:10:00")]))
    job.run()
    found = LOADED.findall(told.read_text("utf-8"))
    for package, least in ((PLANNER, 3_000), (OURS, 10)):
        sources = [source for name, source in found if name.startswith(package)]
        archived = [source for source in sources if source.startswith("shared objects file")]

        assert len(sources) > least
        assert len(archived) > 0.9 * len(sources)


def test_what_was_prepared_of_a_jar_that_has_gone_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, jars, path = (tmp_path / name for name in ("classes.jsa", "jars", "flink.jar"))
    for name, place in (("ARCHIVE", archive), ("JARS", jars), ("CLASS_PATH", path)):
        monkeypatch.setattr(flink_job, name, place)
    archive.touch()
    assert not flink_job.is_prepared()  # as earlier versions left it
    path.touch()
    jars.mkdir()
    (tmp_path / "own.jar").touch()
    (jars / "own.jar").symlink_to(tmp_path / "own.jar")
    assert flink_job.is_prepared()
    (tmp_path / "own.jar").unlink()
    assert not flink_job.is_prepared()
