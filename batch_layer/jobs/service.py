"""AWS Batch, and what it says when it refuses."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lake.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_batch import BatchClient
    from types_boto3_logs import CloudWatchLogsClient

_CONFIG: Final = Config(retries={"mode": "standard", "total_max_attempts": 5})
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_SET_UP: Final = "check AWS_PROFILE, AWS_DEFAULT_REGION and AWS's other variables."
_PERMIT: Final = "give this user the permissions listed in docs/batch.md."


class Service:
    """Clients of AWS Batch and of the logs of its jobs, each made when it is first used.

    Region, credentials and endpoints are those that AWS's own tools find.

    Raises:
        JobError: When first used, if they find no region.
    """

    @cached_property
    def batch(self) -> BatchClient:
        """The client of AWS Batch."""
        with asking("reach AWS Batch"):
            return boto3.Session().client("batch", config=_CONFIG)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """The client of CloudWatch Logs."""
        with asking("reach CloudWatch Logs"):
            return boto3.Session().client("logs", config=_CONFIG)

    @property
    def region(self) -> str:
        """The region in force."""
        return self.batch.meta.region_name


@contextmanager
def asking(what: str, *, hint: str = _SET_UP) -> Iterator[None]:
    """Tell of a failure in the block as that to do `what`; `hint` is for a refused request.

    Raises:
        JobError: If AWS refused, or cannot be reached.
    """
    try:
        yield
    except ClientError as error:
        told = error.response["Error"]
        fact = f"Could not {what}: {told.get('Message') or told['Code']}"
        is_denied = told["Code"] in _DENIED
        raise JobError(_one_line(fact), hint=_PERMIT if is_denied else hint) from error
    except (BotoCoreError, ValueError) as error:
        raise JobError(_one_line(f"Could not {what}: {error}"), hint=_SET_UP) from error


def _one_line(text: str) -> str:
    return f"{' '.join(text.split()).rstrip('.')}."
