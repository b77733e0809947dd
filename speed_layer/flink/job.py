"""The Flink job: events of a stream into live bars, late statements and rejects.

It runs in a mini cluster, on a Flink cluster (`flink run -py`) and on the Managed Service for
Apache Flink, which tells the same options as runtime properties of the group `fiblake`.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment

HERE: Final = Path(__file__).resolve().parent
PROPERTIES: Final = Path("/etc/flink/application_properties.json")
"""Where the managed service puts the runtime properties."""
NOWHERE: Final = "nowhere"
_FUNCTIONS: Final = {
    "EVENT_SYMBOL": "EventSymbol",
    "EVENT_TIME": "EventTime",
    "LIVE_BARS": "LiveBars",
}
_JARS: Final = ("lib/fiblake-flink.jar", "target/fiblake-flink.jar")
_MINUTE_US: Final = 60_000_000
_MOST_LATENESS_S: Final = 8 * 3600 - 15 * 60
"""From dusk to dawn, less a margin: what is late is never of the session that trades."""


def main(arguments: list[str]) -> None:
    """Run the job until its input ends, or for ever; tell the milliseconds that it took."""
    options = parse(arguments or managed(PROPERTIES))
    if options.tied:
        threading.Thread(target=end_with_parent, daemon=True).start()
    tables = TableEnvironment.create(
        EnvironmentSettings.new_instance()
        .in_streaming_mode()
        .with_configuration(configuration(options))
        .build()
    )
    if options.load_all and (jar := job_jar()):
        load_all(jar)
    for name, kind in _FUNCTIONS.items():
        tables.execute_sql(f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS 'fiblake.flink.{kind}'")
    for statement in definitions(options):
        tables.execute_sql(statement)
    together = tables.create_statement_set()
    for statement in insertions():
        together.add_insert_sql(statement)
    if options.explain:
        sys.stdout.write(together.explain())
        return
    client = together.execute().get_job_client()
    took_ms = client.get_job_execution_result().result().get_net_runtime()
    sys.stdout.write(f"{took_ms}\n")


def end_with_parent() -> None:
    """End with the process at the other end of standard input, however that ends.

    Flink's own process does likewise with this one.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options that arguments tell."""
    parser = argparse.ArgumentParser(prog="job.py", description=__doc__)
    told = parser.add_argument
    told("--events", required=True, help="a folder of lines of JSON, or a Kinesis stream's ARN")
    for name in ("bars", "corrections", "rejects"):
        told(f"--{name}", default=NOWHERE, help="a folder, a Kinesis stream's ARN, or nowhere")
    told("--sessions", type=Path, default=HERE / "sessions.csv", help="the hours of sessions")
    told("--kind", default="trade", choices=["trade", "second", "minute"])
    told("--lateness-s", type=_lateness, default=900)
    told("--parallelism", type=int, help="as the cluster has it, where not told")
    told("--state", type=Path, help="folder of checkpoints, where the cluster has none")
    told("--checkpoint-ms", type=int, default=10_000)
    told("--restore", help="the checkpoint or savepoint to go on from")
    told("--claim", action="store_true", help="remove that one once there is a newer one")
    told("--backend", choices=["hashmap", "rocksdb"], help="as the cluster has it, where not told")
    told("--attempts", type=int, help="how often it starts again; as the cluster has it, else")
    told("--follow-ms", type=int, help="look for new files so often, and never end")
    told("--position", default="TRIM_HORIZON", choices=["TRIM_HORIZON", "LATEST"])
    told("--endpoint", help="of a Kinesis that is not Amazon's")
    told("--tied", action="store_true", help="end when standard input does")
    told("--rest-port", type=int, help="of the mini cluster's REST, on this machine alone")
    told("--loaded", action="store_true", help="the jar is among Flink's own")
    told("--load-all", action="store_true", help="load all classes of the jar, for an archive")
    told("--explain", action="store_true", help="tell the plan, and do not run")
    return parser.parse_args(arguments)


def managed(path: Path) -> list[str]:
    """Return the managed service's runtime properties as arguments; none where there are none."""
    if not path.exists():
        return []
    groups = json.loads(path.read_text("utf-8"))
    found = next((each for each in groups if each["PropertyGroupId"] == "fiblake"), None)
    told = found["PropertyMap"] if found else {}
    return [part for name, value in told.items() for part in (f"--{name}", value)]


def configuration(options: argparse.Namespace) -> Configuration:
    """Return how Flink is to run."""
    chosen = {
        "pipeline.name": "fiblake live bars",
        "pipeline.object-reuse": "true",
        "pipeline.global-job-parameters": parameters(options),
        # A shard that is silent, as one that is closed, holds up no other.
        "table.exec.source.idle-timeout": "60 s",
        "table.local-time-zone": "UTC",
    }
    jar = job_jar()
    if jar is not None and not options.loaded:
        chosen["pipeline.jars"] = jar.as_uri()
    if options.parallelism:
        chosen["parallelism.default"] = str(options.parallelism)
    if options.state:
        chosen |= {
            "execution.checkpointing.interval": f"{options.checkpoint_ms} ms",
            "execution.checkpointing.storage": "filesystem",
            "execution.checkpointing.dir": options.state.resolve().as_uri(),
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        }
    if options.attempts is not None:
        chosen |= {
            "restart-strategy.type": "fixed-delay" if options.attempts else "none",
            "restart-strategy.fixed-delay.attempts": str(options.attempts),
        }
    if options.rest_port:
        chosen |= {
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": str(options.rest_port),
        }
    if options.backend:
        chosen["state.backend.type"] = options.backend
    if options.restore:
        chosen["execution.state-recovery.path"] = options.restore
        if options.claim:
            chosen["execution.state-recovery.claim-mode"] = "CLAIM"
    made = Configuration()
    for name, value in chosen.items():
        made.set_string(name, value)
    return made


def job_jar() -> Path | None:
    """Return the jar of the functions and connectors, where there is one beside this file."""
    return next((HERE / name for name in _JARS if (HERE / name).exists()), None)


def load_all(jar: Path) -> None:
    """Load what classes of a jar can be: an archive of loaded classes has them then."""
    loader = get_gateway().jvm.java.lang.Thread.currentThread().getContextClassLoader()
    with zipfile.ZipFile(jar) as packed:
        names = [name for name in packed.namelist() if name.endswith(".class")]
    for name in names:
        # Some are of libraries that are not there.
        with suppress(Py4JJavaError):
            loader.loadClass(name.removesuffix(".class").replace("/", "."))


def parameters(options: argparse.Namespace) -> str:
    """Return what the functions ask for, as Flink writes a map."""
    told = {
        "fiblake.sessions": sessions(options.sessions),
        "fiblake.lateness-us": str(options.lateness_s * 1_000_000),
        "fiblake.kind": options.kind,
        "fiblake.in-step": str(is_stream(options.events)).lower(),
    }
    return ",".join(f"'{name}:{value}'" for name, value in told.items())


def sessions(path: Path) -> str:
    """Return the hours of sessions as `fiblake.flink.Hours` reads them.

    Args:
        path: A CSV of session (a date), dawn, open, close and dusk (microseconds since 1970).
    """
    with path.open(newline="", encoding="utf-8") as file:
        return "_".join(_session(row) for row in csv.DictReader(file))


def _session(row: dict[str, str]) -> str:
    day = (dt.date.fromisoformat(row["session"]) - dt.date(1970, 1, 1)).days
    dawn, *edges = (int(row[name]) // _MINUTE_US for name in ("dawn", "open", "close", "dusk"))
    return "/".join(str(part) for part in (day, dawn, *(edge - dawn for edge in edges)))


def definitions(options: argparse.Namespace) -> list[str]:
    """Return the statements that define tables and views."""
    return [
        sql("events", options=source(options)),
        sql("bars", options=sink(options.bars, options, "json", partition=True)),
        *(
            sql("lines", table=name, options=sink(getattr(options, name), options, "raw"))
            for name in ("corrections", "rejects")
        ),
        sql("told"),
    ]


def insertions() -> list[str]:
    """Return the statements that move rows; they are one job."""
    return [
        sql("insert_bars"),
        sql("insert_lines", table="corrections", kind=literal("late")),
        sql("insert_lines", table="rejects", kind=literal("poison")),
    ]


def source(options: argparse.Namespace) -> str:
    """Return the options of the table of events."""
    place = options.events
    if not is_stream(place):
        chosen = {"connector": "filesystem", "path": place, "format": "raw"}
        if options.follow_ms:
            chosen["source.monitor-interval"] = f"{options.follow_ms} ms"
        return pairs(chosen)
    return pairs(
        stream(place, options)
        | {
            "connector": "kinesis-by-shard",
            "format": "raw",
            "source.init.position": options.position,
            "source.reader.type": "POLLING",
            "source.shard.discovery.interval": "5 s",
            "source.reader.empty-records-fetch-interval": "250 ms",
        }
    )


def sink(place: str, options: argparse.Namespace, form: str, *, partition: bool = False) -> str:
    """Return the options of a table that is written to, and by what its stream is partitioned."""
    if place == NOWHERE:
        return f"WITH ({pairs({'connector': 'blackhole'})})"
    told = {"format": form}
    if form == "json":
        told["json.encode.ignore-null-fields"] = "true"
    if not is_stream(place):
        # A file is there for readers once a checkpoint is, which may close it only when it is old.
        told |= {
            "connector": "filesystem",
            "path": place,
            "sink.rolling-policy.rollover-interval": f"{options.checkpoint_ms} ms",
            "sink.rolling-policy.check-interval": f"{options.checkpoint_ms} ms",
        }
        return f"WITH ({pairs(told)})"
    told = stream(place, options) | told | {"sink.flush-buffer.timeout": "200"}
    if options.endpoint:
        told["sink.http-client.protocol.version"] = "HTTP1_1"
    by = "PARTITIONED BY (`symbol`) " if partition else ""
    return f"{by}WITH ({pairs(told)})"


def stream(arn: str, options: argparse.Namespace) -> dict[str, str]:
    """Return where a stream is."""
    chosen = {"connector": "kinesis", "stream.arn": arn, "aws.region": arn.split(":")[3]}
    if options.endpoint:
        chosen["aws.endpoint"] = options.endpoint
        # A server on this machine has signed its certificate itself.
        if urlsplit(options.endpoint).hostname in {"localhost", "127.0.0.1", "::1"}:
            chosen["aws.trust.all.certificates"] = "true"
    return chosen


def is_stream(place: str) -> bool:
    """Return whether a place is a stream, and not a folder."""
    return place.startswith("arn:")


def sql(name: str, **values: str) -> str:
    """Return a statement of `sql/`, with values that are SQL already."""
    return Template((HERE / "sql" / f"{name}.sql").read_text("utf-8")).substitute(values)


def pairs(options: dict[str, str]) -> str:
    """Return the options of a table."""
    return ", ".join(f"{literal(name)} = {literal(value)}" for name, value in options.items())


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _lateness(text: str) -> int:
    seconds = int(text)
    if not 0 < seconds <= _MOST_LATENESS_S:
        allowed = f"must be from 1 to {_MOST_LATENESS_S} seconds"
        raise argparse.ArgumentTypeError(allowed)
    return seconds


if __name__ == "__main__":
    main(sys.argv[1:])
