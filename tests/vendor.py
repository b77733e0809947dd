"""The local vendor as tests use it: a small made-up market, for sale at a free port.

`vendor_lake_folder`  a generated lake of 200 symbols, 2012-01-03 to 2013-03-28; made once
`vendor`              a vendor that sells it, and forgets everything after the test
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import boto3
import httpx
import pytest
from botocore.config import Config
from polygon import RESTClient
from types_boto3_s3 import S3Client

from batch_layer.local_vendor import LocalVendor
from fiblake import Lake
from lake.clock import SetClock
from lake.store import LocalStore

SYMBOLS: Final = 200
FIRST: Final = dt.date(2012, 1, 3)
LAST: Final = dt.date(2013, 3, 28)
_CLOCK: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def vendor_lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that the vendor sells; not to be written to."""
    folder = tmp_path_factory.mktemp("vendor") / "lake"
    Lake(folder, clock=SetClock(_CLOCK)).generate(SYMBOLS, start=FIRST, end=LAST)
    return folder


@pytest.fixture
def vendor(vendor_lake_folder: Path) -> Iterator[LocalVendor]:
    with LocalVendor(LocalStore(vendor_lake_folder)) as vendor:
        yield vendor


def official_client(vendor: LocalVendor, key: str | None = None, retries: int = 0) -> RESTClient:
    """Massive's own client, as it comes."""
    return RESTClient(api_key=key or vendor.access.key, base=vendor.url, retries=retries)


def s3_client(
    vendor: LocalVendor, *, key_id: str | None = None, secret: str | None = None
) -> S3Client:
    """boto3's client, as it comes, but for that it asks once."""
    return boto3.client(
        "s3",
        endpoint_url=vendor.url,
        region_name="us-east-1",
        aws_access_key_id=key_id or vendor.access.access_key_id,
        aws_secret_access_key=secret or vendor.access.secret_access_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def ask(vendor: LocalVendor, path: str, *, key: str | None = None) -> httpx.Response:
    """Ask the REST for a path, with nothing in between."""
    headers = {"Authorization": f"Bearer {key or vendor.access.key}"}
    return httpx.get(f"{vendor.url}{path}", headers=headers, timeout=60)
