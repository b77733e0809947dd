"""The command line brings files into the lake, and refuses what it cannot read."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from fiblake import Lake
from tests.command_line import (
    DIVIDENDS,
    GOOD,
    HEADER,
    NAMELESS,
    SPLITS,
    THE_BAR,
    Ran,
    Run,
    contents,
    write,
)

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


def test_listings_are_imported(in_lake: Run) -> None:
    bars = f"{HEADER}\nFB,2013-01-02,10,12,9,11,1000\nMETA,2013-01-03,10,12,9,11,1000\n"
    in_lake("import", write("a.csv", bars))
    told = "listing,symbol,first,last\nfigi1,FB,,2013-01-02\nfigi1,META,2013-01-03,\n"

    code, out, err = in_lake("import", "--listings", write("listings.csv", told)).said

    assert (0, "silver is stale now: fiblake resample") == (code, err)
    assert "listings: 2 new or changed\n" == out
    shown = in_lake("bars", "meta", "--format", "csv").out.splitlines()[1:]
    assert [["FB", "1d", "2013-01-02"], ["META", "1d", "2013-01-03"]] == [
        line.split(",")[:3] for line in shown
    ]


BAD_LISTINGS = {
    "figi1,FB,,\nfigi2,FB,2013-01-02,\n": (
        "error: The symbol FB would be of several listings on 2013-01-02: FIGI1, FIGI2. "
        "Hint: end the one before the other begins."
    ),
    "figi1,FB,soon,\n": (
        "error: Row 1 of listings.csv is not a listing: 'soon' is not a date. Hint: write the "
        "header listing,symbol,first,last and rows like BBG000MM2P62,FB,,2022-06-08."
    ),
    ",FB,,\n": (
        "error: Row 1 of listings.csv is not a listing: it names no listing. Hint: write the "
        "header listing,symbol,first,last and rows like BBG000MM2P62,FB,,2022-06-08."
    ),
}


@pytest.mark.parametrize(("rows", "message"), BAD_LISTINGS.items())
def test_listings_that_cannot_be_are_refused(in_lake: Run, rows: str, message: str) -> None:
    path = write("listings.csv", f"listing,symbol,first,last\n{rows}")

    assert (1, "", message) == in_lake("import", "--listings", path).said
