"""The command line: what it prints, where, and its exit code (0 done, 1 failed, 2 misused)."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import shlex
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import structlog

from fiblake import Lake
from fiblake.cli import main
from lake.settings import read_settings

FIBLAKE = Path(sys.executable).with_name("fiblake")
HEADER = "symbol,date,open,high,low,close,volume"
GOOD = f"{HEADER}\nAAPL,2013-01-02,10,12,9,11,1000\n"
NAMELESS = "date,open,high,low,close,volume\n2013-01-02,10,12,9,11,1000\n"
SPLITS = "symbol,effective,ratio\nA,2013-01-02,2:1\n"
DIVIDENDS = "symbol,ex_date,amount\nA,2013-01-02,0.25\n"
COLUMNS = (
    "symbol,interval,start,open,high,low,close,volume,vwap,trades,sessions,through,state,revision"
)
THE_BAR = f"{COLUMNS}\nAAPL,1d,2013-01-02,10.0,12.0,9.0,11.0,1000.0,,,1,2013-01-02,final,0\n"
LAST_13D = f"""{COLUMNS}
AAPL,13d,2013-02-19,461.1,462.73,429.98,430.47,143797000.0,,,9,2013-03-01,forming,0
IBM,13d,2013-02-19,200.6,203.123,197.51,202.91,33163500.0,,,9,2013-03-01,forming,0
"""


@dataclass(frozen=True)
class Ran:
    """What came of a command; `said` has no blank lines at the ends of standard error."""

    code: Any
    out: str
    err: str

    @property
    def said(self) -> tuple[Any, str, str]:
        return self.code, self.out, self.err.strip()


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `fiblake` with arguments, in this process."""

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fiblake", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        return Ran(stop.value.code, *capsys.readouterr())

    yield call
    # Logs would go on to this test's standard error.
    structlog.reset_defaults()


@pytest.fixture
def in_lake(run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `fiblake` on an empty lake that has its session table."""
    monkeypatch.setenv("FIBLAKE_LAKE", lake.store.location)
    return run


@pytest.fixture
def in_sample(run: Run, sample_lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `fiblake` on the sample, to read from."""
    monkeypatch.setenv("FIBLAKE_LAKE", str(sample_lake_folder))
    return run


def write(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def contents(folder: str | Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def process(*arguments: str | Path) -> Ran:
    done = subprocess.run([FIBLAKE, *arguments], capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


READABLE = {
    "gzip": ("a.csv.gz", gzip.compress(GOOD.encode()), ""),
    "tabs": ("a.txt", GOOD.replace(",", "\t"), ""),
    "semicolons": ("a.csv", GOOD.replace(",", ";"), ""),
    "byte order mark": ("a.csv", "\ufeff" + GOOD, ""),
    "mixed case": ("a.csv", GOOD.replace("AAPL", " aaPl "), ""),
    "spellings": ("a.csv", GOOD.replace(HEADER, "Ticker,Trade Date,o,HIGH,Low Price,last,Vol"), ""),
    "columns": ("a.csv", GOOD.replace("symbol,date", "who,when"), "--columns symbol=who,date=when"),
    "symbol": ("a.csv", NAMELESS, "--symbol aapl"),
    "American dates": ("a.csv", GOOD.replace("2013-01-02", "1/2/2013"), "--date-format %m/%d/%Y"),
}


@pytest.mark.parametrize(("name", "content", "options"), READABLE.values(), ids=READABLE)
def test_a_file_is_read_however_it_is_written(
    in_lake: Run, name: str, content: str | bytes, options: str
) -> None:
    code, out, err = in_lake("import", write(name, content), *shlex.split(options)).said

    assert (0, "silver is stale now: fiblake resample") == (code, err)
    assert re.fullmatch(r"imported 1 rows: 1 added \(.* s, .* rows/s\)\n", out)
    assert Ran(0, THE_BAR, "") == in_lake("bars", "aapl", "--format", "csv")


def test_parquet_is_imported(in_lake: Run) -> None:
    pl.read_csv(GOOD.encode(), try_parse_dates=True).write_parquet("a.parquet")

    assert in_lake("import", "a.parquet").code == 0
    assert Ran(0, THE_BAR, "") == in_lake("bars", "AAPL", "--format", "csv")


def test_columns_that_say_nothing_are_noted(in_lake: Run) -> None:
    lines = GOOD.splitlines()
    path = write("a.csv", f"{lines[0]},Adj Close,Note\n{lines[1]},3,x\n")

    assert in_lake("import", path).out.startswith("a.csv: ignored Adj Close, Note\nimported 1 rows")
    assert Ran(0, THE_BAR, "") == in_lake("bars", "AAPL", "--format", "csv")


FILES: dict[str, str | bytes] = {
    "a.csv": GOOD,
    "empty.csv": "",
    "header.csv": HEADER,
    "cut.csv.gz": gzip.compress(GOOD.encode() * 500)[:-12],
    "plain.csv.gz": GOOD,
    "utf16.csv": GOOD.encode("utf-16"),
    "utf16.csv.gz": gzip.compress(GOOD.encode("utf-16")),
    "a.xlsx": "PK",
    "few.csv": "symbol,date,open\nA,2013-01-02,1\n",
    "nameless.csv": NAMELESS,
    "two.csv": "ticker," + GOOD,
    "us.csv": GOOD.replace("2013-01-02", "01/02/2013"),
    "s.csv": SPLITS,
    "zero.csv": SPLITS.replace("2:1", "0:1"),
    "open.csv": SPLITS.replace("2:1", "2:"),
    "word.csv": SPLITS.replace("2:1", "two"),
    "day.csv": SPLITS.replace("2013-01-02", "2013/01/02"),
    "twice.csv": SPLITS + "A,2013-01-02,3:1\n",
    "ragged.csv": SPLITS.replace("2:1", "2:1,x"),
    "d.csv": DIVIDENDS,
    "minus.csv": DIVIDENDS.replace("0.25", "-1"),
    "many.csv": DIVIDENDS.replace("0.25", "lots"),
    "both.csv": DIVIDENDS + "A,2013-01-02,0.5\n",
}
NO_FILE = "no.csv does not exist. Hint: check the path."
CUT = "Compressed file ended before the end-of-stream marker was reached."
CUT_GZIP = f"cut.csv.gz is truncated or damaged: {CUT} Hint: fetch the file again."
GZIP = "is not a gzip file: Not a gzipped file (b'sy'). Hint: check its ending."
ENDINGS = "Allowed: .csv, .csv.gz, .txt, .txt.gz, .parquet."
UTF8 = "is not UTF-8 text. Hint: convert it, as with iconv -t UTF-8."
FEW = "Found: symbol, date, open. Hint: name it with --columns high=COLUMN."
NAME = "Hint: name it with --columns symbol=COLUMN, or the one symbol with --symbol."
NO_NAME = f"no column for symbol. Found: date, open, high, low, close, volume. {NAME}"
TWO = "2 columns for symbol: ticker, symbol. Hint: choose one with --columns symbol=ticker."
FORMAT = "Hint: name the format, as --date-format %m/%d/%Y."
DATES = f"can be read as YYYY-MM-DD; the first is '01/02/2013'. {FORMAT}"
FOUND = "Found: symbol, date, open, high, low, close, volume"
FOUND_SPLITS = "Found: symbol, effective, ratio."
RATIO = "Hint: write the header symbol,effective,ratio and rows like AAPL,2005-02-28,2:1."
ZERO = f"is not a split: '0:1' is not a ratio of positive numbers. {RATIO}"
AMOUNT = "Hint: write the header symbol,ex_date,amount and rows like AAPL,2012-08-09,2.65."
BOTH = "Hint: keep the right one, or their sum where both are paid."
FIELDS = "Allowed fields: symbol, session, open, high, low, close, volume, vwap, trades."
AS = f"{FIELDS} Hint: write it as --columns symbol=Ticker,session=Day."
ALONE = "--withdraw takes files that name bars by symbol and date, and nothing else."
WITHDRAW = f"{ALONE} Hint: fiblake import --withdraw FILE."
UNREADABLE = {
    "no.csv": NO_FILE,
    "some": "some is a directory; import takes files. Hint: fiblake import some/*.csv",
    "empty.csv": "empty.csv is empty.",
    "a.csv header.csv": "header.csv holds no rows.",
    "cut.csv.gz": CUT_GZIP,
    "plain.csv.gz": f"plain.csv.gz {GZIP}",
    "a.xlsx": f"a.xlsx is not a file that import reads. {ENDINGS}",
    "utf16.csv": f"utf16.csv {UTF8}",
    "few.csv": f"few.csv has no column for high, low, close, volume. {FEW}",
    "nameless.csv": f"nameless.csv has {NO_NAME}",
    "two.csv": f"two.csv has {TWO}",
    "us.csv": f"No date of us.csv {DATES}",
    "a.csv --columns low=x": f"a.csv has no column 'x' for low. {FOUND}. Hint: check --columns.",
    "--splits no.csv": NO_FILE,
    "a.csv --splits no.csv": NO_FILE,
    "--splits a.csv": f"a.csv is not a list of splits. {FOUND}. {RATIO}",
    "--splits zero.csv": f"Row 1 of zero.csv {ZERO}",
    "--dividends no.csv": NO_FILE,
    "--dividends s.csv": f"s.csv is not a list of dividends. {FOUND_SPLITS} {AMOUNT}",
    "--dividends both.csv": f"both.csv has two amounts for A on 2013-01-02. {BOTH}",
    "a.csv --dividends many.csv": (
        f"Row 1 of many.csv is not a dividend: 'lots' is not an amount. {AMOUNT}"
    ),
    "--dividends minus.csv": (
        f"Row 1 of minus.csv is not a dividend: '-1' is not an amount of USD a share, 0 or more. "
        f"{AMOUNT}"
    ),
    "--splits twice.csv": "twice.csv has two ratios for A on 2013-01-02. Hint: keep the right one.",
}
MISUSED = {
    "": "There is nothing to import. Hint: name files, or use --sample.",
    "a.csv --columns who=x": f"--columns cannot read 'who=x'. {AS}",
    "--withdraw": WITHDRAW,
    "--withdraw a.csv --splits s.csv": WITHDRAW,
    "--withdraw a.csv --dividends d.csv": WITHDRAW,
}
IN_THE_USERS_WORDS = [
    ("utf16.csv.gz", 1, f"utf16.csv.gz {UTF8}"),  # names the temporary file
    ("--splits word.csv", 1, f"Row 1 of word.csv is not a split: 'two' is not a ratio. {RATIO}"),
    ("--splits open.csv", 1, f"Row 1 of open.csv is not a split: '2:' is not a ratio. {RATIO}"),
    (
        "--splits day.csv",
        1,
        f"Row 1 of day.csv is not a split: '2013/01/02' is not a date. {RATIO}",
    ),
    ("--splits ragged.csv", 1, f"Row 1 of ragged.csv is not a split: it has 4 values. {RATIO}"),
    ("us.csv --date-format %Q", 2, f"'%Q' is not a date format. {FORMAT}"),  # a traceback
    ("a.csv --symbol IBM", 2, "a.csv has a column for symbol: --symbol is for files without one."),
    ("--sample --splits s.csv", 2, "--sample has its own splits. Hint: import --splits apart."),
]


IMPORTS = [
    *((arguments, 1, told) for arguments, told in UNREADABLE.items()),
    *((arguments, 2, told) for arguments, told in MISUSED.items()),
    *IN_THE_USERS_WORDS,
]


@pytest.mark.parametrize(("arguments", "code", "told"), IMPORTS)
def test_an_import_that_cannot_be_says_why_in_the_users_words_and_writes_nothing(
    in_lake: Run, lake: Lake, arguments: str, code: int, told: str
) -> None:
    for name, content in FILES.items():
        write(name, content)
    Path("some").mkdir()
    before = contents(lake.store.location)

    assert (code, "", f"error: {told}") == in_lake("import", *shlex.split(arguments)).said
    assert before == contents(lake.store.location)


def test_an_error_is_one_line(in_lake: Run) -> None:
    assert Ran(1, "", f"error: {NO_FILE}\n") == in_lake("import", "no.csv")


def test_a_mistyped_path_makes_no_lake(run: Run) -> None:
    assert run("import", "no.csv", "--lake", "new").code == 1
    assert not Path("new").exists()


def test_bad_rows_are_counted_and_kept_and_a_file_of_nothing_else_fails(
    in_lake: Run, lake: Lake
) -> None:
    path = write("bad.csv", GOOD.replace("12,9", "10,9") + "A,2013-01-05,1,1,1,1,1\nA,2013\n")
    all_bad = in_lake("import", path, "--json")
    some_bad = in_lake("import", path, write("a.csv", GOOD))

    report = json.loads(all_bad.out)
    assert (1, 3, 3, 0) == (all_bad.code, report["rows"], report["rejected"], report["added"])
    reasons = ["high is below open or close", "malformed line", "not a session of the exchange"]
    assert dict.fromkeys(reasons, 1) == report["sources"][0]["reasons"]
    kept = pl.read_csv(lake.store.uri(report["sources"][0]["rejects"]))
    assert ["AAPL", "A", None] == kept["symbol"].to_list()
    assert (0, True) == (some_bad.code, "4 rows: 1 added, 3 rejected" in some_bad.out)
    assert "bad.csv: 1 rejected: malformed line\n" in some_bad.out


def test_bars_are_withdrawn(in_lake: Run) -> None:
    in_lake("import", write("a.csv", GOOD))
    gone = write("gone.csv", "symbol,date\nAAPL,2013-01-02\nAAPL,2013-01-03\n")

    assert "2 rows: 1 withdrawn, 1 unchanged" in in_lake("import", "--withdraw", gone).out
    assert 1 == in_lake("bars", "AAPL").code


def test_dividends_are_imported_and_taken_from_prices(in_lake: Run) -> None:
    in_lake("import", write("a.csv", GOOD))
    paid = write("d.csv", "Ticker,Ex Date,Cash Amount\naapl,2013-01-03,2.2\n")
    first, again = in_lake("import", "--dividends", paid), in_lake("import", "--dividends", paid)

    assert Ran(0, "dividends: 1 new or changed\n", "") == first
    assert Ran(0, "imported: nothing new\n", "") == again
    found = json.loads(in_lake("bars", "AAPL", "--adjustment", "all", "--format", "json").out)
    assert [8.0, 1000.0] == [round(found[0][name], 6) for name in ("open", "volume")]
    assert 1 == json.loads(in_lake("status", "--json").out)["bronze"]["dividends"]


def test_bars_are_printed_as_the_lake_knew_them(in_lake: Run) -> None:
    in_lake("import", write("a.csv", GOOD))
    between = dt.datetime.now(dt.UTC).isoformat()
    in_lake("import", write("b.csv", GOOD.replace("11,1000", "11.5,1000")))
    asked = ("bars", "AAPL", "--format", "csv")

    assert THE_BAR == in_lake(*asked, "--known-at", between).out
    assert THE_BAR.replace("11.0", "11.5").replace("final,0", "final,1") == in_lake(*asked).out


def test_history_is_compacted(in_lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    in_lake("import", write("a.csv", GOOD))
    in_lake("import", write("b.csv", GOOD.replace("11,1000", "11.5,1000")))
    unset = "known_at reaches back to the first import: FIBLAKE_HISTORY_DAYS is not set"
    assert Ran(0, f"history: 0 rows dropped, 1 kept\n{unset}\n", "") == in_lake("compact")

    monkeypatch.setenv("FIBLAKE_HISTORY_DAYS", "0")
    report = json.loads(in_lake("compact", "--json").out)

    assert (1, 0) == (report["dropped"], report["kept"])
    then = "2026-01-05T12:00:00Z"
    told = f"knew at {then} is no longer kept. Allowed: {report['horizon'][:19]}"
    refused = in_lake("bars", "AAPL", "--known-at", then)
    assert (1, True) == (refused.code, told in refused.err)


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
REFUSED = [
    ("bars NOPE", 1, NOPE),
    ("bars AAPL --interval 7d", 2, f"'7d' {OFFERED} 1d, 3d, 5d, 8d, 13d, 21d, 34d."),
    ("resample --interval 1d", 2, f"'1d' {OFFERED} 3d, 5d, 8d, 13d, 21d, 34d."),
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
