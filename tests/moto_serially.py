"""moto's server, one request at a time: `python -m tests.moto_serially PORT`.

moto looks at a condition and then writes, in two steps: with a thread a request, two writers may
both win. S3 makes it one step, and so does this.
"""

from __future__ import annotations

import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

if __name__ == "__main__":
    application = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=False)
