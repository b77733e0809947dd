"""moto's server, which runs state machines: `python -m tests.moto_stepping PORT AWS`.

Its interpreter is LocalStack's, of which moto left out that the names of parameters and answers are
told otherwise (`JobName` for AWS Batch's own `jobName`): that is put back. What machines call is
asked at the port AWS, where a test stands in for it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import botocore.session
from botocore.model import Shape
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from werkzeug.serving import run_simple

_services = botocore.session.get_session()
_Service = state_task_service.StateTaskService


def _operation(self: Any, action: str | None) -> Any:
    model = _services.get_service_model(self._get_boto_service_name())
    snake = self._get_boto_service_action(action)
    wanted = snake.replace("_", "")
    return model.operation_model(
        next(name for name in model.operation_names if name.lower() == wanted)
    )


def _parameters(
    self: Any,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,  # noqa: ARG001 - as it is called
    service_action_name: str | None = None,
) -> None:
    shape: Shape | None = _operation(self, service_action_name).input_shape
    if shape is not None:
        self._to_boto_request(parameters, shape)


def _response(
    self: Any,
    response: Any,
    boto_service_name: str | None = None,  # noqa: ARG001 - as it is called
    service_action_name: str | None = None,
) -> None:
    shape: Shape | None = _operation(self, service_action_name).output_shape
    if shape is not None:
        self._from_boto_response(response, shape)


if __name__ == "__main__":
    os.environ["MOTO_PORT"] = sys.argv[2]
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    _Service._normalise_parameters = _parameters  # type: ignore[method-assign]  # noqa: SLF001 - added
    _Service._normalise_response = _response  # type: ignore[method-assign]  # noqa: SLF001 - likewise
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
    )
