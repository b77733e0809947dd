"""The command line as tests run it, and a file to import by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def write(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def contents(folder: str | Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def process(*arguments: str | Path) -> Ran:
    done = subprocess.run([FIBLAKE, *arguments], capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)
