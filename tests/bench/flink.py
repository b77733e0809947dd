"""How fast the Flink job makes bars of a day of trades, beside reading alone and plain SQL."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from lake.wire import encode_events
from speed_layer import flink_job
from tests.bench.timing import ROOT, markdown
from tests.days import calendar, made_day

SYMBOLS: Final = 500
_TRADES_A_SYMBOL: Final = 10_000
_CHUNK: Final = 200_000
_CORES: Final = 2
_NAMES: Final = {
    "reading": "reading the lines alone",
    "job": "the job",
    "tumbling": "FIRST_VALUE and LAST_VALUE in seven windows, whose bars are not the law's",
}


def flink(symbols: int) -> str:
    """Return the table of a day of trades of at most 500 symbols."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = _write(folder, min(symbols, SYMBOLS))
        rows = []
        for query, text in _NAMES.items():
            seconds = _seconds(query, folder)
            rows.append([text, f"{seconds:.1f}", f"{events / seconds:,.0f}"])
    return markdown(["what", "seconds", "events/s"], rows)


def _write(folder: Path, symbols: int) -> int:
    """Write what a feed receives of a day, and its session; return how many events."""
    day = made_day(symbols, _TRADES_A_SYMBOL)
    (folder / "events").mkdir()
    with (folder / "events/0.jsonl").open("wb") as file:
        for chunk in day.tape.iter_slices(_CHUNK):
            file.write(b"\n".join(encode_events(chunk)) + b"\n")
    sessions = flink_job.sessions_csv(calendar(), day.session, day.session)
    (folder / "sessions.csv").write_text(sessions, "utf-8")
    return day.tape.height


def _seconds(query: str, folder: Path) -> float:
    if query == "job":
        places = [f"--events={folder}/events", f"--sessions={folder}/sessions.csv"]
        options = [*places, f"--state={folder}/state", f"--parallelism={_CORES}", "--attempts=0"]
        return flink_job.run(options, logs=folder / "logs") / 1000
    command = [str(flink_job.PYTHON), "tests/bench/flink_queries.py", query, f"{folder}/events"]
    ran = subprocess.run(
        [*command, str(_CORES)], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    )
    return int(ran.stdout.split()[-1]) / 1000
