"""How often a lake on S3 is asked: bounded, however many partitions there are."""

from __future__ import annotations

from fiblake import Lake
from lake.interval import FIBONACCI
from tests.fault_proxy import FaultProxy

LISTINGS = (
    *(f"silver/interval={interval}/" for interval in FIBONACCI),
    *("meta/silver/", "bronze/daily/", "bronze/daily_history/", "meta/bronze/daily/"),
    "bronze/minute/",
)
DOCUMENTS = ("two indexes", "session table", "splits", "listings", "boundary")


def test_a_run_with_nothing_to_do_lists_and_does_not_look_at_each_object(
    s3_lake: Lake, fault_proxy: FaultProxy
) -> None:
    s3_lake.import_sample()
    s3_lake.resample()
    fault_proxy.forget()

    report = s3_lake.resample()

    assert () == report.rebuilt
    assert 84 == report.partitions
    assert 0 == fault_proxy.counts["HEAD"]
    assert len(LISTINGS) == fault_proxy.counts["LIST"]
    assert fault_proxy.counts["GET"] <= 1 + len(DOCUMENTS)
    # The first run after an import may keep a copy of the manifests; the one after it may not.
    fault_proxy.forget()
    s3_lake.resample()
    assert 0 == fault_proxy.counts["PUT"]


def test_a_lost_index_is_made_anew_of_what_it_tells(s3_lake: Lake) -> None:
    s3_lake.import_sample()
    s3_lake.resample()
    s3_lake.store.put("meta/index/silver.json", b"torn {")

    assert () == s3_lake.resample().rebuilt
    assert s3_lake.store.get("meta/index/silver.json").data.startswith(b"{")
