"""moto's server, with conditions as S3 has them: `python -m tests.moto_serially PORT`.

moto looks at a condition and then writes, in two steps: with a thread a request, two writers may
both win. S3 makes it one step, and so does this, one request at a time.

moto 5.2.5 heeds If-None-Match where an upload in parts is completed, but not If-Match; S3 heeds
both. So a completion with If-Match is a GET with If-Match first, which moto does heed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import run_wsgi_app

_moto = DomainDispatcherApplication(create_backend_app)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    if "uploadId=" in environ["QUERY_STRING"] and "HTTP_IF_MATCH" in environ:
        look = {"REQUEST_METHOD": "GET", "QUERY_STRING": "", "CONTENT_LENGTH": "0"}
        body, status, headers = run_wsgi_app(_moto, environ | look | {"wsgi.input": io.BytesIO()})
        if not status.startswith("200"):
            start_response(status, list(headers))
            return body
    answer: Iterable[bytes] = _moto(environ, start_response)
    return answer


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=False)
