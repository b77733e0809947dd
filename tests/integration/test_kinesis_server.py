"""The Kinesis server of tests is what others rely on: found by name and ARN, on loopback alone."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from tests.kinesis import KinesisServer, arn


def test_a_stream_is_found_by_its_name_and_by_its_arn(kinesis_server: KinesisServer) -> None:
    name = kinesis_server.stream(shards=2)

    with closing(kinesis_server.client()) as client:
        by_name = client.list_shards(StreamName=name)["Shards"]
        by_arn = client.list_shards(StreamARN=arn(name))["Shards"]

    assert 2 == len(by_name)
    assert by_name == by_arn


def test_it_speaks_tls_with_a_certificate_of_its_own(kinesis_server: KinesisServer) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(kinesis_server.tls_url, context=trusting)

    answer.value.close()
    assert 404 == answer.value.code


def test_a_split_and_a_merge_change_the_open_shards(kinesis_server: KinesisServer) -> None:
    name = kinesis_server.stream(shards=1)
    kinesis_server.split(name, kinesis_server.open_shards(name)[0])
    split = kinesis_server.open_shards(name)
    kinesis_server.merge(name, *split)

    assert ["shardId-000000000001", "shardId-000000000002"] == split
    assert ["shardId-000000000003"] == kinesis_server.open_shards(name)
