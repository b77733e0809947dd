"""The image of functions: AWS's own runtime client calls the handler that its command names.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from batch_layer.local_vendor import LocalVendor
from lake import keys
from lake.store import LocalStore
from tests.dockerfiles import DOCKERFILES, ROOT

_LONG_S = 120


class Runtime(ThreadingHTTPServer):
    """Lambda's runtime API: hands one event out, and takes what comes of it."""

    daemon_threads = True

    def __init__(self, event: object) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.events: Queue[object] = Queue()
        self.events.put(event)
        self.answers: Queue[tuple[str, Any]] = Queue()


class _Answers(BaseHTTPRequestHandler):
    server: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        event = json.dumps(self.server.events.get()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 300_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:r:1:function:f")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.rpartition("/")[2], json.loads(body)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's runtime client is for Linux")
def test_a_session_is_fetched_by_the_image_s_command(
    tmp_path: Path, sample_lake_folder: Path, blank_lake: Path
) -> None:
    shutil.copytree(blank_lake, tmp_path / "lake")
    image = DOCKERFILES["fetch"].image
    runtime = Runtime({"start": "2012-07-02", "end": "2012-07-03"})
    threading.Thread(target=runtime.serve_forever, daemon=True).start()
    own = {name: told for name, told in image.environment().items() if name != "PATH"}
    with LocalVendor(LocalStore(sample_lake_folder)) as vendor:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
            **own,
            **vendor.settings,
            "FIBLAKE_LAKE": str(tmp_path / "lake"),
            "FIBLAKE_STATE": str(tmp_path / "state"),
        }
        program, *arguments = image.command()
        assert "python" == program
        command = [sys.executable, *arguments]
        with subprocess.Popen(command, env=environment, cwd=tmp_path) as function:
            how, told = runtime.answers.get(timeout=_LONG_S)
            function.kill()
    runtime.shutdown()
    runtime.server_close()

    assert ("response", "done") == (how, told["state"]), told
    assert LocalStore(tmp_path / "lake").fingerprints(keys.DAILY)
