"""The command line: what it prints, where, and its exit code (0 done, 1 failed, 2 misused)."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from base64 import b64decode
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest

from fiblake import Lake
from lake.settings import read_settings
from tests.command_line import (
    COLUMNS,
    Ran,
    Run,
    process,
    write,
)

LAST_13D = f"""{COLUMNS}
AAPL,13d,2013-02-19,461.1,462.73,429.98,430.47,143797000.0,,,9,2013-03-01,forming,0
IBM,13d,2013-02-19,200.6,203.123,197.51,202.91,33163500.0,,,9,2013-03-01,forming,0
"""


def test_reports_as_json_carry_the_numbers(in_sample: Run) -> None:
    status = json.loads(in_sample("status", "--json").out)
    resampled = json.loads(in_sample("resample", "--json").out)

    assert ("2013-03-01", 12_154) == (status["boundary"], status["bronze"]["bars"])
    assert [4052, 2435, 1521, 938, 585, 361] == [each["bars"] for each in status["silver"]]
    assert ([], 84) == (resampled["rebuilt"], resampled["partitions"])


def test_resampling_rebuilds_what_is_stale_or_forced(run: Run, own_sample_lake: Lake) -> None:
    where = ("--lake", own_sample_lake.store.location)
    again = run("resample", *where)
    forced = run("resample", "--interval", "13d", "--force", *where)
    shared = run("resample", "--share", "1/7", "--force", *where)

    assert again.out.startswith("resampled: nothing to do, 84 partitions are up to date through 2")
    assert "into 938 bars, 14 of 14 partitions through 2013-03-01 (" in forced.out
    assert " bars, 12 of 12 partitions through 2013-03-01 (" in shared.out
    assert [(0, "")] * 3 == [(each.code, each.err.strip()) for each in (again, forced, shared)]


def test_bars_are_printed_or_written_in_each_form(in_sample: Run) -> None:
    asked = ("bars", "ibm", "AAPL", "--interval", "13d", "--start", "2013-02-18", "--format")
    rows = pl.read_csv(LAST_13D.encode(), try_parse_dates=True)

    assert Ran(0, LAST_13D, "") == in_sample(*asked, "csv")
    assert LAST_13D == pl.DataFrame(json.loads(in_sample(*asked, "json").out)).write_csv()
    assert Ran(0, "", "") == in_sample(*asked, "parquet", "--output", "o.parquet")
    assert rows.to_dicts() == pl.read_parquet("o.parquet").to_dicts()
    lines = in_sample(*asked, "table").out.split("\n")
    assert COLUMNS.split(",") == lines[0].split()
    assert "AAPL 13d 2013-02-19 461.1000 462.7300" == " ".join(lines[2].split()[:5])


def test_the_ending_of_the_output_tells_the_form(in_sample: Run) -> None:
    in_sample("bars", "AAPL", "IBM", "--interval=13d", "--start=2013-02-18", "--output=o.csv")

    assert LAST_13D == Path("o.csv").read_text("utf-8")


SHARES = "Allowed: INDEX/OF with INDEX from 0 to OF - 1, as 2/16."
OFFERED = "is not an interval offered here. Allowed:"
DATE = "is not a date. Allowed: YYYY-MM-DD, as 2012-12-31."
INSTANT = (
    "is not an instant. Allowed: ISO 8601 with an offset or Z, as 2026-01-05T21:00:00Z. "
    "Hint: the end of a day is 23:59:59Z; in a URL + is written %2B."
)
ORDER = "The start 2013-01-02 is after the end 2013-01-01."
LOCATION = "is not a lake's location. Allowed: a folder or s3://bucket/prefix."
IS_FILE = "a lake is a folder or s3://bucket/prefix. Hint: name another folder with --lake."
EMPTY = "Hint: fiblake import FILE, or fiblake import --sample."
NOPE = "NOPE: no such symbol in the lake {lake}. Hint: it has AAPL, FB, GOOG, IBM, MSFT."
KNEW_NOTHING = (
    "The lake {lake} knew no bars at 2005-01-05T21:00:00Z: the first came at 2026-01-05T12:00:00Z. "
    "Hint: known_at is when the lake learnt of bars; start and end are when they traded."
)
INTRADAY, FIBONACCI = "5m, 15m, 1h, 2h, 4h", "3d, 5d, 8d, 13d, 21d, 34d"
REFUSED = [
    ("bars NOPE", 1, NOPE),
    (
        "bars AAPL --interval 7d",
        2,
        f"'7d' {OFFERED} 1m, {INTRADAY}, 1d, {FIBONACCI}.",
    ),
    (
        "resample --interval 1d",
        2,
        f"'1d' {OFFERED} {INTRADAY}, {FIBONACCI}.",
    ),
    ("resample --share 3/3", 2, f"'3/3' is not a share. {SHARES}"),
    ("bars AAPL --start 2013-02-30", 2, f"'2013-02-30' {DATE}"),
    ("bars AAPL --adjustment some", 2, "'some' is not an adjustment. Allowed: raw, split, all."),
    ("bars AAPL --known-at 2026-01-05", 2, f"'2026-01-05' {INSTANT}"),
    ("bars AAPL --known-at 2005-01-05T21:00:00Z", 1, KNEW_NOTHING),
    ("compact --lake none", 1, f"The lake none holds no daily bars. {EMPTY}"),
    ("bars AAPL --start 2013-01-02 --end 2013-01-01", 2, ORDER),
    ("bars FB --output no/o.csv", 1, "Could not write no/o.csv: No such file or directory."),
    ("status --lake ftp://x", 2, f"'ftp://x' {LOCATION}"),
    ("status --lake file", 2, f"file is a file; {IS_FILE}"),
    ("status --lake none", 1, f"The lake none holds no daily bars. {EMPTY}"),
    ("bars AAPL --lake none", 1, f"The lake none is empty. {EMPTY}"),
    ("bars ''", 2, "No symbol was given. Hint: name one or more, as AAPL."),
    ("bars AAPL --start 2013-W09-5", 2, f"'2013-W09-5' {DATE}"),
    ("status --lake ''", 2, f"'' {LOCATION}"),
]


@pytest.mark.parametrize(("line", "code", "told"), REFUSED)
def test_a_command_that_cannot_be_says_why(
    in_sample: Run, sample_lake_folder: Path, line: str, code: int, told: str
) -> None:
    write("file", "")
    expected = f"error: {told.format(lake=sample_lake_folder)}"

    assert (code, "", expected) == in_sample(*shlex.split(line)).said


def test_the_option_goes_before_the_environment_and_that_before_data(
    in_sample: Run, run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "boundary 2013-03-01" in in_sample("status").out
    assert f"The lake {lake.store.location} " in run("status", "--lake", lake.store.location).err
    monkeypatch.delenv("FIBLAKE_LAKE")
    assert "error: The lake data holds no" in run("status").err


def test_a_setting_that_cannot_be_is_named_and_secrets_are_masked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIBLAKE_S3_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr(read_settings()) + str(read_settings())
    monkeypatch.setenv("FIBLAKE_LOG_LEVEL", "loud")
    allowed = "Input should be 'debug', 'info', 'warning' or 'error'."
    told = f"error: FIBLAKE_LOG_LEVEL='loud' cannot be: {allowed}\n"
    assert Ran(2, "", told) == run("status")


def test_the_installed_command_keeps_data_and_errors_apart(sample_lake_folder: Path) -> None:
    asked = ("bars", "AAPL", "IBM", "--interval", "13d", "--start", "2013-02-18", "--format", "csv")

    assert Ran(0, f"fiblake {version('fiblake')}\n", "") == process("--version")
    assert Ran(0, LAST_13D, "") == process(*asked, "--lake", sample_lake_folder)
    assert Ran(1, "", f"error: The lake data is empty. {EMPTY}\n") == process("bars", "AAPL")
    assert (2, "", True) == ((bad := process("bars")).code, bad.out, "Missing argument" in bad.err)


def test_the_demo_writes_a_page_with_all_answers_within_and_then_has_nothing_to_do(
    in_lake: Run, lake: Lake
) -> None:
    first, second = in_lake("demo"), in_lake("demo", "--page", "again.html")
    page = Path("fiblake-demo.html").read_text("utf-8")

    assert (0, 0) == (first.code, second.code)
    assert "imported 12,154 rows: 12,154 added" in first.out
    assert f"\nchart page: {Path('fiblake-demo.html').resolve().as_uri()}\n" in first.out
    assert f"\nnothing to do: {lake.store.location} is up to date\n" in second.out
    assert page == Path("again.html").read_text("utf-8")
    assert [] == re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', page)
    packed = re.findall(r'<script id="answers" [^>]+>([^<]+)</script>', page)
    answers = json.loads(gzip.decompress(b64decode(packed[0])))
    shown = answers["v1/bars/IBM?interval=13d&adjustment=split&limit=50000"]["bars"][-1]
    assert ("2013-02-19", 202.91, "forming") == (shown["start"], shown["close"], shown["state"])


QUALITY = """lake {lake}
accepted 12,154 of 12,154 rows, 100.000 %: the promise of more than 99.9 % is kept

source         kind    rows  rejected   accepted  sessions below
─────────────  ────  ──────  ────────  ─────────  ──────────────
stocks.csv.gz  file  12,154         0  100.000 %               0

bars of 3,270 sessions, 2000-03-01 to 2013-03-01:

symbols vanished: none

closes more than 1.5 times apart, and no split says why: 1
symbol     session     from       to  ratio  as a split of
──────  ──────────  ───────  ───────  ─────  ─────────────
AAPL    2000-09-29  53.5000  25.7500  0.481            2:1

splits that closes do not show: none

runs of sessions without volume: none

symbols with gaps: none

pairs of symbols with the same bars: none

looked at in """


def test_quality_is_told_in_text_and_in_json(in_sample: Run, sample_lake_folder: Path) -> None:
    text, report = in_sample("quality"), json.loads(in_sample("quality", "--json").out)

    assert (0, "") == (text.code, text.err)
    assert text.out.startswith(QUALITY.format(lake=sample_lake_folder))
    assert (12_154, 100.0, True) == (
        *(report["counts"]["rows"], report["counts"]["percent"], report["is_kept"]),
    )
    assert 1 == report["findings"]["jumps"]["count"]
    assert "2000-09-29" == report["findings"]["jumps"]["first"][0]["session"]


def test_quality_is_narrowed_down(in_sample: Run) -> None:
    alone = json.loads(in_sample("quality", "--source", "stocks.csv.gz", "--json").out)
    later = json.loads(in_sample("quality", "--start", "2001-01-01", "--json").out)
    unknown = in_sample("quality", "--source", "massive")
    told = "error: No source 'massive' brought anything of these sessions. Known: stocks.csv.gz."

    assert (None, 12_154) == (alone["findings"], alone["counts"]["rows"])
    assert 0 == later["findings"]["jumps"]["count"]
    assert (2, "", told) == unknown.said


def test_of_rejected_rows_quality_tells_the_reasons_and_the_sessions(in_lake: Run) -> None:
    rows = [f"S{number},2013-01-02,1,1,1,1,{number - 1}" for number in range(12)]
    few = [f"A,2012-05-{day:02},1,1,1,0,1" for day in (*range(1, 5), *range(7, 12), 14, 15, 16)]
    header = "symbol,date,open,high,low,close,volume"
    in_lake("import", write("a.csv", "\n".join([header, *rows, *few, "A,2013"])))

    told = in_lake("quality")

    assert 0 == told.code
    assert "accepted 11 of 25 rows, 44.000 %: the promise of more than 99.9 % is broken" in told.out
    assert "price is not positive    12\nmalformed line            1\n" in told.out
    assert "2012-05-01 price is not positive 1 1 0.000 %" in " ".join(told.out.split())
    assert "... and 3 more: --json" in told.out
