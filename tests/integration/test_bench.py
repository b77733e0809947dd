"""The benchmarks run, and what they hold against each other is what they say."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from fiblake import Lake
from lake import keys
from lake.clock import SetClock
from lake.interval import Interval
from tests.bench import equality
from tests.bench.__main__ import CHAPTERS, PAGE, main, write
from tests.bench.chapter import with_chapter
from tests.bench.floor import fold_lake
from tests.bench.load import load_task
from tests.bench.serving import bare_server
from tests.bench.timing import BenchmarkError, run_alone, seconds_of, together
from tests.bench.with_polars import resample_with_polars
from tests.conftest import NOW
from tests.parts import RedisServer

PARTITION = keys.silver(Interval.parse("13d"), 2015)
BATCH = ("demo", "generate", "resample", "growth", "daily", "fetch", "intraday", "readers")
SPEED = {
    "engine": "engine | events a batch | ticks a second of one core",
    "flink": "what | seconds | events/s",
    "feed": "events a second | 1 to a frame | 50 to a frame",
    "streams": "stream | written/s | read/s | one event, p50 / p99 ms",
    "views": "view | bars put/s | MiB held | a series read, ms | put and told, ms",
    "latency": "reader, view | prices/s | p50 ms | p95 ms | p99 ms | max ms | CPU",
    "memory": "MiB after session | engine and view | feed",
}
SERVING = ("serving",)
STREAM = ("subscribers",)
ALERTS = ("rules", "live", "evaluated", "tried")
HEADINGS = (
    "# Benchmarks",
    "# The speed layer",
    "# The serving layer",
    "# The stream",
    "# Alerts",
    "# Start-up",
)


@pytest.fixture(scope="module")
def resampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty symbols through twelve years, resampled."""
    folder = tmp_path_factory.mktemp("market") / "lake"
    lake = Lake(folder, clock=SetClock(NOW))
    lake.generate(60, start="2008-01-01", end="2019-12-31", seed=11)
    lake.resample()
    return folder


@pytest.fixture(scope="module")
def floor(resampled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("floor")
    fold_lake(resampled, folder)
    return folder


def test_every_bar_of_a_generated_market_is_the_floors(resampled: Path, floor: Path) -> None:
    compared = equality.compare_silver(floor, resampled)

    assert () == compared.differences
    assert compared.bars > 30_000


def test_every_bar_of_polars_is_the_floors(resampled: Path, floor: Path, tmp_path: Path) -> None:
    resample_with_polars(resampled, tmp_path)

    assert () == equality.compare_silver(floor, tmp_path).differences


def rewritten(change: pl.Expr) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        pl.read_parquet(path, hive_partitioning=False).with_columns(change).write_parquet(path)

    return rewrite


def shorter(path: Path) -> None:
    pl.read_parquet(path, hive_partitioning=False)[1:].write_parquet(path)


FIRST = pl.int_range(pl.len()) == 0
DAMAGES = {
    "a volume": (rewritten(pl.col("volume") + FIRST), "volume of 1 bars"),
    "a vwap": (rewritten(pl.col("vwap") * (1 + 1e-8 * FIRST)), "vwap of 1 bars"),
    "no vwap": (rewritten(pl.when(~FIRST).then("vwap")), "vwap of 1 bars"),
    "no trades": (rewritten(pl.when(~FIRST).then("trades")), "trades of 1 bars"),
    "a bar less": (shorter, " bars, not "),
    "a file less": (Path.unlink, "in one silver alone"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_what_differs_is_told(
    floor: Path, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    for path in floor.rglob("*.parquet"):
        copy = tmp_path / path.relative_to(floor)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    damage(tmp_path / PARTITION)

    (difference,) = equality.compare_silver(floor, tmp_path).differences

    assert difference.startswith(PARTITION)
    assert told in difference


def test_a_vwap_may_differ_in_its_last_digits(floor: Path, tmp_path: Path) -> None:
    for path in floor.rglob("*.parquet"):
        copy = tmp_path / path.relative_to(floor)
        copy.parent.mkdir(parents=True)
        vwap = pl.col("vwap") * (1 + 1e-10)
        pl.read_parquet(path, hive_partitioning=False).with_columns(vwap).write_parquet(copy)

    assert () == equality.compare_silver(floor, tmp_path).differences


def allocate(mib: int) -> dict[str, float]:
    """A task: hold some memory."""
    held = bytearray(b"x") * (mib * 2**20)
    return {"seconds": seconds_of(lambda: held.count(0)), "held": len(held)}


def fail() -> dict[str, float]:
    """A task that cannot be done."""
    raise SystemExit(3)


def test_a_measurement_has_its_own_process_and_its_own_peak_of_memory() -> None:
    small, large = run_alone(allocate, mib=1), run_alone(allocate, mib=512)

    assert 512 * 2**20 == large.result["held"]
    assert large.peak_gib - small.peak_gib > 0.4


def test_a_measurement_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(BenchmarkError, match="fail ended with 3"):
        run_alone(fail)


Tiny = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def tiny(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tiny:
    """Run the benchmarks on a small market; return what they print, and which sections ran."""

    def run(*others: str) -> tuple[str, list[str]]:
        before = PAGE.read_bytes()
        options = ["--symbols=2", "--start=2024-01-02", "--queries=2", f"--work={tmp_path}"]
        monkeypatch.setattr(sys, "argv", ["tests.bench", *options, *others])
        with together():
            main()
        ran = capsys.readouterr()
        assert [] == list(tmp_path.iterdir())
        assert before == PAGE.read_bytes()
        return ran.out, [line.removesuffix(" ...") for line in ran.err.splitlines()]

    return run


def test_batch_is_measured_from_end_to_end_on_a_small_market(tiny: Tiny) -> None:
    out, sections = tiny("--chapter=batch")

    assert [*BATCH] == sections
    assert 2 == out.count("| all ")
    assert "bars of silver were those that the floor makes anew." in out
    assert [HEADINGS[0]] == [line for line in out.splitlines() if line.startswith("# ")]


# One by one: each needs other parts, and a missing one skips no more than its own.
@pytest.mark.parametrize(("name", "row"), SPEED.items(), ids=SPEED)
def test_a_section_of_the_speed_layer_is_measured_on_a_small_market(
    tiny: Tiny, request: pytest.FixtureRequest, name: str, row: str
) -> None:
    if name == "flink":
        request.getfixturevalue("flink")
    out, sections = tiny(f"--only={name}")

    assert [name] == sections
    assert f"\n| {row} |" in out
    assert [HEADINGS[1]] == [line for line in out.splitlines() if line.startswith("# ")]


def test_a_server_s_start_is_measured_on_a_small_market(tiny: Tiny) -> None:
    out, sections = tiny("--only=alone")
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| `")]

    assert ["alone"] == sections
    assert [HEADINGS[5]] == [line for line in out.splitlines() if line.startswith("# ")]
    assert 3 == len(rows)
    assert all(0 < float(row[1]) <= float(row[2]) for row in rows)


def test_the_stream_is_measured_with_a_few_subscribers(tiny: Tiny) -> None:
    out, sections = tiny("--chapter=stream")
    rows = [line.split(" | ") for line in out.splitlines() if "as fiblake up, " in line]

    assert [*STREAM] == sections
    assert ["50", "100"] == [row[0].split()[-2] for row in rows]
    assert ["0", "0"] == [row[5] for row in rows]  # disconnected
    assert all(int(row[1].replace(",", "")) > 500 for row in rows)


def test_alerts_are_measured_with_a_few_rules(tiny: Tiny) -> None:
    out, sections = tiny("--chapter=alerts")
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| index")]

    assert [*ALERTS] == sections
    assert ["200", "20", "1"] == [row[1] for row in rows]
    waits = [line for line in out.splitlines() if line.startswith(("| alerts | ", "| prices | "))]
    assert [("prices", "0"), ("alerts", "100"), ("prices", "100")] == [
        (line.split()[1], line.split()[3]) for line in waits
    ]
    assert all(float(row[2].strip(" |").replace(",", "")) > 100 for row in rows)  # ticks/s
    tried = [line.split(" | ") for line in out.splitlines() if "| 1d |" in line or "| 1m |" in line]
    assert ([*["1d"] * 5, *["1m"] * 4], {"3"}) == (
        [row[1] for row in tried],
        {row[2] for row in tried if row[1] == "1m"},
    )
    assert all(int(row[3].replace(",", "")) for row in tried)  # seen


def test_what_serves_is_measured_beside_the_floor_on_a_small_market(
    tiny: Tiny, redis_server: RedisServer
) -> None:
    del redis_server  # It is skipped where there is none.
    out, sections = tiny("--chapter=serving")
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith(("| price", "| all"))]

    assert [*SERVING] == sections
    assert [HEADINGS[2]] == [line for line in out.splitlines() if line.startswith("# ")]
    assert ["0"] * 4 == [row[2] for row in rows]
    sizes = [row[3] for row in rows]
    assert sizes[0::2] == sizes[1::2]
    # Of price and bars each request of the second after the warm-up.
    assert 2 * [50] == [sum(int(row[1]) for row in rows[who::2]) for who in (0, 1)]


def test_a_load_counts_what_is_not_answered(tmp_path: Path) -> None:
    plan, sizes = tmp_path / "plan.json", tmp_path / "sizes.json"
    requests = [["good", "/a?b=c"], ["bad", "/none"]] * 5
    plan.write_text(json.dumps({"requests": requests, "per_second": 100, "skipped": 2}), "utf-8")
    sizes.write_text(json.dumps({"/a?b=c": 2048}), "utf-8")
    with bare_server(sizes, dict(os.environ)) as (url, process):
        kinds = load_task(url, str(plan), str(sizes), process)["kinds"]

    good, bad = kinds["good"], kinds["bad"]
    assert (4, 0, 2.0) == (good["answered"], good["errors"], good["kib"])
    assert (0, 5, "ValueError('/none was answered with 500')") == (
        *(bad["answered"], bad["errors"], bad["first_error"]),
    )
    assert 0 < good["ms"][0] <= good["ms"][3]
    assert {"/a?b=c": 2048} == json.loads(sizes.read_text("utf-8"))


def test_each_section_is_of_one_chapter() -> None:
    assert [*BATCH] == [*CHAPTERS["batch"].texts]
    assert [*SPEED] == [*CHAPTERS["speed"].texts]
    assert [*STREAM] == [*CHAPTERS["stream"].texts]
    assert [*ALERTS] == [*CHAPTERS["alerts"].texts]
    assert [*SERVING] == [*CHAPTERS["serving"].texts]
    assert [*HEADINGS] == [each.heading for each in CHAPTERS.values()]


BEFORE = "# Benchmarks\n\nOf old.\n\n## One\n\n| a |\n"
SPOKEN = "# The speed layer\n\nOf old, too.\n"


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        (BEFORE, "# The speed layer\n\nNew.\n", f"{BEFORE}\n# The speed layer\n\nNew.\n"),
        (
            f"{BEFORE}\n{SPOKEN}",
            "# The speed layer\n\nNew.\n",
            f"{BEFORE}\n# The speed layer\n\nNew.\n",
        ),
        (f"{BEFORE}\n{SPOKEN}", "# Benchmarks\n\nNew.\n", f"# Benchmarks\n\nNew.\n\n{SPOKEN}"),
        (SPOKEN, BEFORE, f"{BEFORE}\n{SPOKEN}"),
        ("", SPOKEN, SPOKEN),
    ],
    ids=["the first time", "speed", "batch", "the other first", "an empty page"],
)
def test_a_chapter_takes_its_place_and_leaves_the_others(
    page: str, text: str, expected: str
) -> None:
    assert expected == with_chapter(page, text, HEADINGS)


def test_the_page_keeps_its_other_chapters_where_one_is_written(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.read_text("utf-8"), "utf-8")
    before, _, rest = page.read_text("utf-8").partition(f"\n{HEADINGS[1]}\n")
    after = "".join(f"\n# {each}" for each in rest.split("\n# ")[1:])
    write(SPOKEN, page)

    assert f"{before.rstrip()}\n\n{SPOKEN}{after}" == page.read_text("utf-8")


def test_a_chapter_and_sections_are_not_asked_for_at_once(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tiny("--chapter=speed", "--only=engine")

    assert "not allowed with argument" in capsys.readouterr().err
