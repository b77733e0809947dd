"""The Flink job as the rest of fiblake sees it: run in a mini cluster, packed for a managed one.

The job is a project of its own, in `speed_layer/flink`, with an environment of its own: PyFlink
pins what the rest has newer. So it is started as a process, and told of sessions by a file.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
import subprocess
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lake.errors import FlinkError
from lake.hours import timetable
from lake.instant import microseconds

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from lake.session import SessionTable

PROJECT: Final = Path(__file__).parent / "flink"
PYTHON: Final = PROJECT.parents[1] / ".venv-flink/bin/python"
JAR: Final = PROJECT / "target/fiblake-flink.jar"
START: Final = PYTHON.parents[1] / "start"
"""What `flink_start` prepared, if it did."""
JARS: Final = START / "jars"
CLASS_PATH: Final = START / "lib/flink.jar"
"""Names those jars in their order: PyFlink would name them in that of the file system."""
ARCHIVE: Final = START / "classes.jsa"
HINT: Final = "make .venv-flink/ready."
_CONNECTOR: Final = "org/apache/flink/connector/kinesis/table/KinesisDynamicTableFactory.class"
_EDGES: Final = ("dawn", "open", "close", "dusk")
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip can tell: the same package for the same content."""
_STOP_S: Final = 30
_HOT_ALONE: Final = (
    "-XX:Tier4InvocationThreshold=500000",
    "-XX:Tier4MinInvocationThreshold=60000",
    "-XX:Tier4CompileThreshold=1500000",
    "-XX:Tier4BackEdgeThreshold=4000000",
)
"""A hundred times what the JVM has: its second compiler leaves alone what is warm only at a start.

What each event runs through is as hot as that after some hundred thousand events.
"""


def sessions_csv(table: SessionTable, first: dt.date, last: dt.date) -> str:
    """Return the hours of the sessions in [first, last], both inclusive, as the job reads them.

    Returns:
        A CSV of session, dawn, open, close and dusk; instants in microseconds since 1970.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["session", *_EDGES])
    for day in timetable(table, first, last).days:
        instants = (microseconds(getattr(day, name)) for name in _EDGES)
        writer.writerow([day.session.isoformat(), *instants])
    return text.getvalue()


def run(
    arguments: Sequence[str],
    *,
    logs: Path,
    timeout_s: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run the job in a mini cluster until its input ends.

    Args:
        arguments: As `job.py --help` tells them.
        logs: Where Flink logs to; a folder.
        timeout_s: After how long it is stopped; None: never.
        environment: What the job's environment has beside this one.

    Returns:
        The milliseconds that it took, without the start of the cluster; 0 where it only explains.

    Raises:
        FlinkError: If it cannot start, failed, or took longer.
    """
    with running(arguments, logs=logs, environment=environment) as process:
        try:
            told = process.communicate(timeout=timeout_s)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            fact = f"The Flink job has not ended within {timeout_s:g} s."
            raise FlinkError(fact, hint=f"see {logs}.") from None
    said = [line for line in told.splitlines() if line and not line.startswith("\t")]
    if process.returncode:
        fact = f"The Flink job failed: {said[-1] if said else process.returncode}"
        raise FlinkError(fact, hint=f"see {logs}.")
    return int(said[-1]) if said and said[-1].isdecimal() else 0


def last_checkpoint(state: Path) -> Path | None:
    """Return the last checkpoint that is whole, of whichever run of the job; None: there is none.

    Args:
        state: The folder of checkpoints, as the job's `--state`.
    """
    # Flink writes what a checkpoint consists of last of all.
    written = [(path.stat().st_mtime_ns, path.parent) for path in state.glob("*/chk-*/_metadata")]
    return max(written)[1] if written else None


@contextmanager
def running(
    arguments: Sequence[str], *, logs: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process of a job in a mini cluster; it is stopped at the end of the block.

    It ends with this process, even where that is killed.

    Raises:
        FlinkError: If it cannot start.
    """
    need_all()
    logs.mkdir(parents=True, exist_ok=True)
    prepared = started_by(f"-XX:SharedArchiveFile={ARCHIVE}") if is_prepared() else {}
    variables = _environment({**prepared, **(environment or {})})
    own = ["--tied", *(["--loaded"] if prepared else [])]
    theirs, ours = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [str(PYTHON), str(PROJECT / "job.py"), *own, *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables | {"FLINK_LOG_DIR": str(logs)},
            start_new_session=True,  # Flink's JVM is a process of its own, and outlives its parent
        )
    finally:
        os.close(theirs)
    try:
        yield process
    finally:
        _stop(process)
        os.close(ours)


def package(sessions: str, target: Path, *, jar: Path = JAR) -> Path:
    """Write the application for the Managed Service for Apache Flink, and return its path.

    Args:
        sessions: As `sessions_csv` returns them.
        target: The zip to write.
        jar: What Maven made.

    Raises:
        FlinkError: If the jar is missing, or lacks the Kinesis connector.
    """
    if not jar.exists():
        fact = f"{jar} is missing."
        raise FlinkError(fact, hint=HINT)
    if not has_connector(jar):
        fact = "The jar of the Flink job lacks the Kinesis connector: Maven could not get it."
        raise FlinkError(fact, hint="docs/flink.md tells how to build it from its source.")
    files = {
        "job.py": PROJECT / "job.py",
        "requirements.txt": PROJECT / "requirements.txt",
        f"lib/{JAR.name}": jar,
        **{f"sql/{path.name}": path for path in sorted(PROJECT.glob("sql/*.sql"))},
    }
    content = {name: path.read_bytes() for name, path in files.items()}
    content["sessions.csv"] = sessions.encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(content):
            made.writestr(_entry(name), content[name])
    return target


def has_connector(jar: Path = JAR) -> bool:
    """Return whether the jar that Maven made holds Flink's Kinesis connector."""
    with zipfile.ZipFile(jar) as made:
        return _CONNECTOR in made.namelist()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def home() -> Path:
    """Return where PyFlink has Flink itself."""
    return next(PYTHON.parents[1].glob("lib/python3*/site-packages/pyflink"))


def is_prepared() -> bool:
    """Return whether there is a start that was prepared, of jars that are all there."""
    return all(each.exists() for each in (ARCHIVE, CLASS_PATH, *JARS.glob("*")))


def started_by(option: str) -> dict[str, str]:
    """Return the variables of a start from the jars that were prepared, by an option of the JVM."""
    own = home()
    return {
        # Without it PyFlink looks for all of these itself, whatever is told of them.
        "FLINK_HOME": str(own),
        "FLINK_LIB_DIR": str(CLASS_PATH.parent),
        "FLINK_OPT_DIR": str(own / "opt"),
        "FLINK_PLUGINS_DIR": str(own / "plugins"),
        # The JVM says much of classes that it does not archive.
        "JVM_ARGS": f"{option} -Xlog:cds=off",
    }


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's variables and some more; options of the JVM are added to ours."""
    # No function of the job is Python's: a server for such ones would start with it, and slowly.
    told = {**os.environ, "_python_worker_execution_mode": "process", **more}
    options = [each["JVM_ARGS"] for each in (more, os.environ) if "JVM_ARGS" in each]
    return told | {"JVM_ARGS": " ".join([*_HOT_ALONE, *options])}


def need_all() -> None:
    """Look for what the job needs.

    Raises:
        FlinkError: If some of it is missing.
    """
    for there, what, hint in (
        (PYTHON.exists(), "PyFlink's environment", HINT),
        (JAR.exists(), "The jar of the Flink job", HINT),
        (shutil.which("java"), "Java", "apt-get install openjdk-17-jdk-headless."),
    ):
        if not there:
            fact = f"{what} is missing."
            raise FlinkError(fact, hint=hint)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(_STOP_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
