"""moto's server, with conditions as S3 has them: `python -m tests.moto_serially PORT`.

moto looks at a condition and then writes, in two steps: with a thread a request, two writers may
both win. S3 makes it one step, and so does this, one request at a time.

moto 5.2.5 heeds If-None-Match where an upload in parts is completed, but not If-Match; S3 heeds
both. So a completion with If-Match is a GET with If-Match first, which moto does heed.

moto's AWS Batch without Docker takes jobs and runs none. Whoever POSTs to `/job` says what becomes
of one: `{"job": ID, "status": "FAILED", "exit_code": 1, ...}`, attributes of moto's `Job`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

from moto.batch.models import Job, batch_backends
from moto.core.config import default_user_config
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response

REGION = "us-east-1"
_moto = DomainDispatcherApplication(create_backend_app)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    if environ["PATH_INFO"] == "/job":
        return _become(environ)(environ, start_response)
    if "uploadId=" in environ["QUERY_STRING"] and "HTTP_IF_MATCH" in environ:
        look = {"REQUEST_METHOD": "GET", "QUERY_STRING": "", "CONTENT_LENGTH": "0"}
        body, status, headers = run_wsgi_app(_moto, environ | look | {"wsgi.input": io.BytesIO()})
        if not status.startswith("200"):
            start_response(status, list(headers))
            return body
    answer: Iterable[bytes] = _moto(environ, start_response)
    return answer


def _become(environ: dict[str, Any]) -> Response:
    told = Request(environ).get_json()
    job = batch_backends[DEFAULT_ACCOUNT_ID][REGION].get_job_by_id(told.pop("job"))
    for name, value in told.items():
        setattr(job, name, value)
    return Response()


def _details(job: Job) -> dict[str, Any]:
    # AWS describes these of a container as well.
    more = {
        "exitCode": job.exit_code,
        "logConfiguration": (job.job_definition.container_properties or {}).get("logConfiguration"),
    }
    return _known_details(job) | {name: value for name, value in more.items() if value is not None}


_known_details = Job._container_details  # noqa: SLF001 - what moto leaves out is added

if __name__ == "__main__":
    default_user_config["batch"] = {"use_docker": False}
    Job._container_details = _details  # type: ignore[assignment, method-assign]  # noqa: SLF001 - likewise
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=False)
