"""Asks about every package that is pinned whether it is known to be vulnerable: OSV, and npm.

Exit codes: 0 all were looked up, and none is known to be vulnerable; 1 some are; 3 nobody could be
asked about some, which is no good news: nothing is known of those.

Of Maven's packages (the Flink job's jar) it asks nobody.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
_FOUND: Final = 1
_UNKNOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking up the packages of one file.

    Attributes:
        file: Which pins them.
        packages: How many were looked up.
        found: A line for each vulnerability.
        unknown: Why nobody could be asked; empty: all were looked up.
    """

    file: str
    packages: int = 0
    found: tuple[str, ...] = ()
    unknown: str = ""

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.file}: NOT LOOKED UP: {self.unknown}"
        told = f"{self.file}: {self.packages} packages, {len(self.found)} known vulnerabilities"
        return "\n".join([told, *(f"  {each}" for each in self.found)])


def main(arguments: list[str] | None = None) -> int:
    """Look up what the repository pins, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--osv-url", default="https://api.osv.dev/v1/query", help="of OSV's API")
    parser.add_argument("files", nargs="*", type=Path, help="which; default: all that pin packages")
    asked = parser.parse_args(arguments)
    results = []
    for file in asked.files or _pinning():
        result = _npm(file) if file.suffix == ".json" else _python(file, asked.osv_url)
        results.append(result)
        print(result, flush=True)
    if any(each.unknown for each in results):
        print("Hint: it needs the internet; run it where that is, before each release.")
    if any(each.found for each in results):
        return _FOUND
    return _UNKNOWN if any(each.unknown for each in results) else 0


def _pinning() -> list[Path]:
    """Return the files that pin packages; each is complete, what packages need included."""
    told = subprocess.run(
        ["git", "ls-files", "*requirements*.txt", "*package-lock.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in told.stdout.split()]


def _python(file: Path, osv_url: str) -> Looked:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--require-hashes"]
    command += ["--disable-pip", "--strict", "--progress-spinner=off", "--format=json"]
    command += ["--vulnerability-service=osv", "--osv-url", osv_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = _json(done.stdout)
    if "dependencies" not in report:
        return Looked(_name(file), unknown=_last_line(done.stderr))
    packages = report["dependencies"]
    found = [
        f"{each['name']} {each['version']}: {_told(bug)}"
        for each in packages
        for bug in each.get("vulns", ())
    ]
    return Looked(_name(file), len(packages), tuple(found))


def _npm(file: Path) -> Looked:
    npm = shutil.which("npm")
    if npm is None:
        return Looked(_name(file), unknown="npm is not installed.")
    done = subprocess.run(
        [npm, "audit", "--package-lock-only", "--json"],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    report = _json(done.stdout)
    if "vulnerabilities" not in report:
        return Looked(_name(file), unknown=report.get("message") or _last_line(done.stderr))
    found = [f"{name}: {bug['severity']}" for name, bug in report["vulnerabilities"].items()]
    packages = report.get("metadata", {}).get("dependencies", {}).get("total", 0)
    return Looked(_name(file), packages, tuple(found))


def _told(bug: dict[str, Any]) -> str:
    fixed = ", ".join(bug.get("fix_versions", ())) or "none yet"
    return f"{bug['id']}, fixed in {fixed}"


def _json(text: str) -> dict[str, Any]:
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rpartition("Caused by ")[2] if lines else "it said nothing."


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)


if __name__ == "__main__":
    sys.exit(main())
