"""The scans of `make check` and `make audit` find what they look for, or say that they cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# In two pieces, so that this file has none.
AWS_KEY = "AKIA" + "QYLPMN5HHHFPZAM2"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"
PASSWORD = 'password = "' + 'tr0ub4dor-and-three"'
PINNED = f"requests==2.19.1 --hash=sha256:{'0' * 64}\nsix==1.17.0 --hash=sha256:{'0' * 64}\n"


def secrets_in(folder: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    """Scan a file of that text as `make check` scans those of the repository."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    told = re.search(r"^SECRETS := \$\(BIN\)/(.+)$", makefile, re.MULTILINE)
    assert told
    command = told[1].replace("file://", f"file://{ROOT}/").split()
    return subprocess.run(
        [BIN / command[0], *command[1:], name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["lake/settings.py", "tests/parts.py", "README.md", ".ci/run"])
@pytest.mark.parametrize("secret", [AWS_KEY, PEM], ids=["aws", "pem"])
def test_a_key_that_was_left_in_any_file_is_found(tmp_path: Path, name: str, secret: str) -> None:
    done = secrets_in(tmp_path, name, f"key = '{secret}'\n")

    assert (1, f"Location:    {name}:1") == (done.returncode, done.stdout.splitlines()[3])


def test_a_password_is_found_in_the_product_and_is_no_finding_in_tests(tmp_path: Path) -> None:
    product = secrets_in(tmp_path, "lake/store/s3.py", PASSWORD)
    tests = secrets_in(tmp_path, "tests/databases.py", PASSWORD)

    assert (1, 0) == (product.returncode, tests.returncode)


def test_what_documents_write_in_a_secret_s_place_is_no_finding(tmp_path: Path) -> None:
    form = "postgresql://user:password@host/fiblake"  # pragma: allowlist secret

    assert 0 == secrets_in(tmp_path, "README.md", f"a secret: `{form}`").returncode


class Osv(BaseHTTPRequestHandler):
    """Answers as OSV does: it knows one vulnerability, of requests."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        bug = {
            "id": "PYSEC-2018-28",
            "aliases": ["CVE-2018-18074"],
            "summary": "credentials in the clear",
            "affected": [
                {
                    "package": {"name": "requests", "ecosystem": "PyPI"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}
                    ],
                }
            ],
        }
        is_known = asked["package"]["name"] == "requests"
        body = json.dumps({"vulns": [bug]} if is_known else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def osv_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def audited(folder: Path, url: str, pinned: str) -> subprocess.CompletedProcess[str]:
    file = folder / "requirements.txt"
    file.write_text(pinned, "utf-8")
    return subprocess.run(
        [sys.executable, ROOT / "scans/audit.py", "--osv-url", url, file],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_vulnerable_package_is_named_with_the_version_that_mends_it(
    tmp_path: Path, osv_url: str
) -> None:
    done = audited(tmp_path, osv_url, PINNED)

    assert 1 == done.returncode, done.stderr
    assert "2 packages, 1 known vulnerabilities" in done.stdout
    assert "requests 2.19.1: PYSEC-2018-28, fixed in 2.20.0" in done.stdout


def test_packages_of_which_nothing_is_known_are_counted(tmp_path: Path, osv_url: str) -> None:
    done = audited(tmp_path, osv_url, PINNED.splitlines()[1])

    assert 0 == done.returncode, done.stderr
    assert "1 packages, 0 known vulnerabilities" in done.stdout


def test_where_nobody_can_be_asked_that_is_said_and_is_no_success(tmp_path: Path) -> None:
    done = audited(tmp_path, "http://127.0.0.1:9/v1/query", PINNED)

    assert 3 == done.returncode
    assert "NOT LOOKED UP: " in done.stdout
    assert "Hint: it needs the internet" in done.stdout
