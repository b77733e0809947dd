"""What lets the Flink job start soon: its classes, loaded and checked once.

Flink keeps its planner in a jar within a jar, which is unpacked and loaded anew at each start. Here
it is unpacked once, into a folder of jars that stands for Flink's own (Flink allows for it), with
the job's jar beside it. A short run of the job leaves an archive of all classes that it loaded, and
of all of that jar. The JVM passes over an archive that is not of the same Java and the same jars:
it is only slower then.

Source: https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html, "Dynamic Archive";
        https://nightlies.apache.org/flink/flink-docs-release-2.3/docs/dev/configuration/advanced/
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lake.errors import FlinkError
from speed_layer import flink_job
from speed_layer.flink_health import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOADER: Final = "flink-table-planner-loader-*.jar"
_PLANNER: Final = "flink-table-planner.jar"
_LONGEST_S: Final = 600.0


def prepare(sessions: str) -> Path:
    """Make what lets the job start soon, in place of what is there, and return the archive.

    Args:
        sessions: As `flink_job.sessions_csv` returns them.

    Raises:
        FlinkError: If the job cannot be run, or Java leaves no archive.
    """
    flink_job.need_all()
    shutil.rmtree(flink_job.START, ignore_errors=True)
    _unpack(flink_job.JARS)
    _name(sorted(flink_job.JARS.iterdir()), flink_job.CLASS_PATH)
    archive = flink_job.ARCHIVE
    with tempfile.TemporaryDirectory(prefix="fiblake-") as told:
        work = Path(told)
        (work / "events").mkdir()
        (work / "sessions.csv").write_text(sessions, "utf-8")
        places = {name: str(work / name) for name in ("events", "bars", "corrections", "rejects")}
        arguments = [part for name, place in places.items() for part in (f"--{name}", place)]
        arguments += ["--sessions", str(work / "sessions.csv"), "--state", str(work / "state")]
        arguments += ["--rest-port", str(free_port()), "--loaded", "--load-all"]
        flink_job.run(
            arguments,
            logs=work / "logs",
            timeout_s=_LONGEST_S,
            environment=flink_job.started_by(f"-XX:ArchiveClassesAtExit={archive}"),
        )
    if not archive.exists():
        fact = f"Java wrote no archive of its classes to {archive}."
        raise FlinkError(fact, hint="`java -Xshare:dump` makes what it has to begin with.")
    return archive


def _unpack(jars: Path) -> None:
    jars.mkdir(parents=True)
    own = flink_job.home() / "lib"
    for jar in sorted(own.glob("*.jar")):
        if not jar.match(_LOADER):
            (jars / jar.name).symlink_to(jar)
    with zipfile.ZipFile(next(own.glob(_LOADER))) as loader:
        loader.extract(_PLANNER, jars)
    (jars / flink_job.JAR.name).symlink_to(flink_job.JAR)


def _name(jars: Sequence[Path], path: Path) -> None:
    """Write a jar that holds nothing, and names others in their order."""
    line = "Class-Path: " + " ".join(os.path.relpath(jar, path.parent) for jar in jars)
    # A manifest's lines are of 72 bytes at most; those that go on begin with a space.
    parts = [line[:70], *(line[begin : begin + 69] for begin in range(70, len(line), 69))]
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n" + "\n ".join(parts) + "\n")
