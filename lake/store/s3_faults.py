"""What S3 answers instead of what it was asked for, and how long it is asked again.

Both roads to S3, boto3 and DuckDB, tell their errors as a `Fault`, so that each is judged alike.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from botocore import exceptions as boto

from lake.attempts import pause
from lake.errors import (
    ConflictError,
    CredentialsError,
    ObjectNotFoundError,
    StoreError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lake.rest import Rest

Answer = TypeVar("Answer")

NO_ANSWER: Final = 0
_NOT_ASKED: Final = -1
PASSING: Final = {NO_ANSWER, 408, 429, 500, 502, 503, 504}
_LONGEST_PAUSE_S: Final = 20
_ABSENT: Final = {"NoSuchKey", "404"}
# An upload may be gone because it was completed, and the answer lost: only a new look can tell.
_LOST: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchUpload"}

_RENEW: Final = "renew the credentials, as with `aws sso login`, and run the command again"
_GRANT: Final = "grant the permissions that docs/s3.md lists"
_CHECK: Final = "check the credentials: FIBLAKE_S3_ACCESS_KEY_ID, AWS_PROFILE or the role"
_CREDENTIALS: Final = {
    "NoCredentials": _CHECK,
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": _CHECK,
    "InvalidAccessKeyId": _CHECK,
    "SignatureDoesNotMatch": _CHECK,
    "AccessDenied": _GRANT,
    "RequestTimeTooSkewed": "set the machine's clock",
    # The answer to a HEAD has no body that says why.
    "400": f"{_RENEW}; or {_GRANT}",
    "403": f"{_RENEW}; or {_GRANT}",
}

ERRORS: Final = (
    boto.ClientError,
    boto.BotoCoreError,
    RuntimeError,  # what botocore raises where renewed credentials are expired already
)
_BROKEN: Final = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.FlexibleChecksumError,
)
WITHOUT_CREDENTIALS: Final = (
    boto.ClientError,  # of the service that lends a role
    boto.CredentialRetrievalError,
    boto.LoginError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.SSOError,
    boto.TokenRetrievalError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of S3, or of the way there.

    Attributes:
        status: Its HTTP status; 0 where no answer came, or not the whole of it; -1 where botocore
            did not even ask.
        code: S3's own code, as `SlowDown`; the status where the answer has no body.
        said: What it says to the user.
    """

    status: int
    code: str
    said: str

    @property
    def passes(self) -> bool:
        """Whether it may be gone when S3 is asked again."""
        return self.status in PASSING or self.code == "RequestTimeout"

    def error(self, ask: Ask, *, tried: int) -> StoreError:
        """Return it as an error of ours: what was asked for, and what helps."""
        said = " ".join(self.said.split()).rstrip(".")
        fact = f"Could not {ask.verb} {ask.what} in {ask.location}: {said}"
        if self.code in _ABSENT:
            return ObjectNotFoundError(f"There is no {ask.what} in {ask.location}.")
        if self.code in _LOST:
            fact = f"{ask.what} in {ask.location} was changed by someone else."
            return ConflictError(fact, hint="run the command again.")
        if self.passes:
            hint = "run the command again later; it goes on from what is done."
            return UnavailableError(f"{fact} (given up after {tried} attempts).", hint=hint)
        if self.code in _CREDENTIALS:
            return CredentialsError(f"{fact}.", hint=f"{_CREDENTIALS[self.code]}.")
        return StoreError(f"{fact}.", hint="check the bucket, the region and the endpoint.")


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks S3 for something, and asks again while its faults pass.

    Attributes:
        verb: What is to be done: `read`, `list`, `write`.
        what: With what: a key, or a prefix.
        location: The lake.
        attempts: How often it is asked in all.
        pause_ms: Up to how long the first pause is; the next is up to twice that, and so on.
        rest: Keeps others from asking while S3 does not answer; None: everyone asks for itself.
    """

    verb: str
    what: str
    location: str
    attempts: int
    pause_ms: int
    rest: Rest | None = None

    def __call__(
        self,
        request: Callable[[], Answer],
        *,
        errors: tuple[type[Exception], ...] = ERRORS,
        meaning: Callable[[Exception], Fault | None] | None = None,
    ) -> Answer:
        """Return the answer to a request, which may be done more than once.

        Args:
            request: What asks S3; by default through boto3.
            errors: What it may raise.
            meaning: Tells the fault in an error; None: it is not S3's, and raised as it is.

        Raises:
            ObjectNotFoundError: If there is no such object.
            ConflictError: If a condition does not hold.
            UnavailableError: If S3 did not answer, or asked to slow down, at every attempt.
            CredentialsError: If it refuses the credentials.
            StoreError: If it fails in another way.
        """
        with self.rest.asking() if self.rest else nullcontext():
            return self._asked(request, errors, meaning or fault_of)

    def _asked(
        self,
        request: Callable[[], Answer],
        errors: tuple[type[Exception], ...],
        meaning: Callable[[Exception], Fault | None],
    ) -> Answer:
        tried = 0
        while True:
            try:
                return request()
            except errors as error:
                fault = meaning(error)
                if fault is None:
                    raise
                tried += 1
                # While it rests, others have waited long enough already.
                is_last = tried == self.attempts or (self.rest is not None and self.rest.is_on)
                if is_last or not fault.passes:
                    raise fault.error(self, tried=tried) from error
            pause(tried, first_s=self.pause_ms / 1000, longest_s=_LONGEST_PAUSE_S)


def fault_of(error: Exception) -> Fault:
    """Return what one of botocore's `ERRORS` means."""
    if isinstance(error, boto.ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        told = error.response["Error"]
        return Fault(status, told["Code"], f"{told['Code']}: {told.get('Message', '')}")
    if isinstance(error, _BROKEN):
        return Fault(NO_ANSWER, "", str(error))
    code = "NoCredentials" if isinstance(error, WITHOUT_CREDENTIALS) else ""
    return Fault(_NOT_ASKED, code, str(error))
