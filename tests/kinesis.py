"""A Kinesis server that tests start: kinesis-local, which Flink's own connector can read too.

It speaks JSON and CBOR, over TLS and without, and finds streams by name and by ARN. It grows slow
with what it retains (2,000 puts a second of one record at first, 200 at 50,000 records), so tests
keep streams small. `make test` installs it into `tests/kinesis_local/node_modules`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.deployed import stream_properties
from tests.parts import free_port, missing

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

REGION = "us-east-1"
ACCOUNT = "000000000000"
KEY_ID = "key"
SECRET = "secret"  # noqa: S105 - the test's own
_PACKAGE = Path(__file__).parent / "kinesis_local/node_modules/kinesis-local"
_LOOPBACK = Path(__file__).parent / "kinesis_local/loopback.cjs"
_START_S = 60
_MOST = 500
_LEAST_HOURS = 24
_CHANGES = ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT")


class KinesisServer:
    """The server, in a process of its own; what it held is lost when it stops.

    Attributes:
        url: Where it listens without TLS.
        tls_url: Where it listens with TLS; its certificate is its own.
    """

    def __init__(self) -> None:
        self._port, self._tls_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.tls_url = f"https://127.0.0.1:{self._tls_port}"

    def start(self) -> None:
        """Start it, on the same ports each time, and wait until it answers."""
        node = shutil.which("node")
        if node is None:
            missing("Node.js", "apt-get install nodejs")
        if not _PACKAGE.is_dir():
            missing("kinesis-local", "make emulators (it needs npm)")
        self._process = subprocess.Popen(
            [node, "--require", str(_LOOPBACK), "main.js"],
            cwd=_PACKAGE,  # where it finds its certificate
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process, at once."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers none."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> KinesisClient:
        """Return a client, for the test to close."""
        return client_of(self.url)

    def stream(self, *, shards: int = 1, name: str = "") -> str:
        """Return the name of a new, empty stream that may be written to.

        It keeps records for as long as the stream of events that is deployed, but has fewer shards.
        """
        name = name or f"stream-{uuid.uuid4().hex}"
        told = stream_properties("events")
        with closing(self.client()) as client:
            client.create_stream(
                StreamName=name,
                ShardCount=shards,
                StreamModeDetails={"StreamMode": told["StreamModeDetails"]["StreamMode"]},
            )
            _wait_until_active(client, name)
            if told["RetentionPeriodHours"] > _LEAST_HOURS:  # which a new stream has
                client.increase_stream_retention_period(
                    StreamName=name, RetentionPeriodHours=told["RetentionPeriodHours"]
                )
        return name

    def split(self, name: str, shard: str) -> None:
        """Split a shard of a stream in the middle of its keys, and wait until that is done."""
        with closing(self.client()) as client:
            found = client.list_shards(StreamName=name)["Shards"]
            keys = next(each["HashKeyRange"] for each in found if each["ShardId"] == shard)
            middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2 + 1
            client.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(middle))
            _wait_until_active(client, name)

    def merge(self, name: str, shard: str, adjacent: str) -> None:
        """Merge two shards whose keys adjoin, and wait until that is done."""
        with closing(self.client()) as client:
            client.merge_shards(StreamName=name, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
            _wait_until_active(client, name)

    def open_shards(self, name: str) -> list[str]:
        """Return the shards that may be written to, in order of their keys."""
        with closing(self.client()) as client:
            found = client.list_shards(StreamName=name)["Shards"]
        still = [
            each for each in found if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        still.sort(key=lambda each: int(each["HashKeyRange"]["StartingHashKey"]))
        return [each["ShardId"] for each in still]

    def put(self, name: str, lines: Sequence[bytes], keys: Sequence[str]) -> None:
        """Put lines into a stream, each by a partition key."""
        records = [
            {"Data": line, "PartitionKey": key} for line, key in zip(lines, keys, strict=True)
        ]
        with closing(self.client()) as client:
            for at in range(0, len(records), _MOST):
                client.put_records(StreamName=name, Records=records[at : at + _MOST])  # type: ignore[arg-type]

    def put_to_each(self, name: str, line: bytes) -> None:
        """Put a line into every shard of a stream that may be written to."""
        with closing(self.client()) as client:
            for shard in client.list_shards(StreamName=name)["Shards"]:
                if "EndingSequenceNumber" not in shard["SequenceNumberRange"]:
                    by = shard["HashKeyRange"]["StartingHashKey"]
                    client.put_record(
                        StreamName=name, Data=line, PartitionKey="-", ExplicitHashKey=by
                    )

    def by_shard(self, name: str) -> list[tuple[str, list[bytes]]]:
        """Return the records of each shard of a stream, in order."""
        with closing(self.client()) as client:
            shards = [shard["ShardId"] for shard in client.list_shards(StreamName=name)["Shards"]]
            return [(shard, _records(client, name, shard)) for shard in sorted(shards)]

    def lines(self, name: str) -> list[bytes]:
        """Return all records of a stream, shard by shard."""
        return [line for _, lines in self.by_shard(name) for line in lines]

    def settings(self, **others: Any) -> dict[str, Any]:
        """Return the settings of fiblake that lead to it, `others` among them."""
        return {
            "stream": "kinesis",
            "kinesis_endpoint": self.url,
            "kinesis_region": REGION,
            "kinesis_access_key_id": KEY_ID,
            "kinesis_secret_access_key": SECRET,
            "kinesis_retry_ms": 1,
            **others,
        }

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KINESIS_MOCK_PLAIN_PORT": str(self._port),
            "KINESIS_MOCK_TLS_PORT": str(self._tls_port),
            "AWS_REGION": REGION,
            "AWS_ACCOUNT_ID": ACCOUNT,
            "LOG_LEVEL": "ERROR",
            "SHARD_LIMIT": "1000",
            **{f"{change}_DURATION": "1ms" for change in _CHANGES},
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        with closing(self.client()) as client:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    pytest.fail("kinesis-local ended while it started", pytrace=False)
                with suppress(BotoCoreError, ClientError):
                    client.list_streams()
                    return
                time.sleep(0.1)
        pytest.fail(f"kinesis-local did not answer within {_START_S} s", pytrace=False)


def client_of(url: str) -> KinesisClient:
    """Return a client of a server, for the test to close; it tries nothing again."""
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def arn(stream: str) -> str:
    """Return the ARN by which Flink finds a stream of the server's."""
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"


@contextmanager
def running() -> Iterator[KinesisServer]:
    """Yield a server of one's own, which is stopped at the end of the block."""
    server = KinesisServer()
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def kinesis_server() -> Iterator[KinesisServer]:
    """A server that tests share, each with streams of its own."""
    with running() as server:
        yield server


def _records(client: KinesisClient, name: str, shard: str) -> list[bytes]:
    found = client.get_shard_iterator(
        StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    iterator, lines = found["ShardIterator"], []
    while iterator:
        answer = client.get_records(ShardIterator=iterator)
        lines += [record["Data"] for record in answer["Records"]]
        iterator = answer.get("NextShardIterator", "") if answer["Records"] else ""
    return lines


def _wait_until_active(client: KinesisClient, name: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        told = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        if told["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.01)
    pytest.fail(f"{name} did not become active within {_START_S} s", pytrace=False)
