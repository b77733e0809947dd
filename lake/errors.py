"""Every error fiblake raises on purpose, in one tree.

FiblakeError
├── MisuseError                   the caller asked for something that cannot be (exit 2, HTTP 400)
│   ├── InvalidIntervalError      not an interval, or one that is not offered here
│   ├── InvalidRangeError         start after end, a cursor, date or instant that cannot be read
│   ├── NotAcceptableError        an answer is asked for in forms that are not offered (HTTP 406)
│   ├── InvalidDatasetError       a dataset id that is damaged, or none
│   ├── InvalidRuleError          an alert's rule that cannot be
│   ├── TooManyAlertsError        an owner has as many alerts as it may have
│   ├── InvalidDestinationError   where alerts cannot be told
│   └── InvalidLocationError      a lake location that is neither a folder nor s3://bucket/prefix
├── NotFoundError                 the thing named does not exist (exit 1, HTTP 404)
│   ├── UnknownSymbolError
│   ├── EmptyLakeError            nothing was imported yet, or not by then
│   ├── ForgottenError            what was known then is no longer kept
│   ├── NoFeedError               live bars are asked for where nothing feeds them
│   ├── UnknownJobError           AWS Batch knows no job of that id
│   ├── UnknownKeyError           no API key has that public part
│   ├── UnknownAlertError         its owner has no alert, and no firing, of that id
│   ├── UnknownDestinationError   its owner has no destination of that name
│   └── UnknownBackupError        no whole backup has that id
├── DatasetChangedError           what a dataset id pins cannot be answered as it was (HTTP 409)
├── AlertChangedError             an alert is no more at the revision that was shown (HTTP 409)
├── SourceError                   a file to import cannot be read as bars, splits or dividends
├── CalendarError
│   ├── UnknownSessionError       a date that is not a session, or lies outside the table
│   └── SessionsChangedError      the calendar library disagrees with committed history
├── JobError                      AWS Batch refused, or cannot be reached
├── SecretError                   Secrets Manager has no such secret, refused, or is not reached
├── TopicError                    SNS or SQS refused, or cannot be reached
├── SnapshotError                 an engine's snapshot is damaged, or of another engine
├── FlinkError                    the Flink job cannot run here, or failed
├── DatabaseError                 the relational store failed
│   ├── DatabaseUnavailableError  it cannot be reached, or did not answer
│   └── DatabaseBehindError       its tables are not those that this version needs
├── BackupError                   a backup is damaged, or newer, or would replace what is there
├── AccessError                   who asks did not say who it is, in a way that holds (HTTP 401)
│   ├── ForbiddenError            it is known, and may not (HTTP 403)
│   └── TooManyRequestsError      it asks more often than it may (HTTP 429)
│       └── TooManyConnectionsError  it has as many open as it may (WebSocket 4009)
├── BusyError                     another process does the same at the moment
│   └── TakenOverError            another process does by now what this one did
├── GivenUpError                  nobody waits for what was asked any more, or its process ends
├── BrokenPartError               a part of the live system failed as none should
├── VendorError                   a vendor of market data failed
│   ├── VendorKeyError            there is no key, or the vendor refuses it
│   ├── VendorUnreachableError    nobody answers there, or someone who is not the vendor
│   ├── VendorUnavailableError    it failed, or asked to slow down, at every attempt
│   ├── VendorRefusedError        the plan does not include what was asked for
│   ├── VendorAnswerError         an answer is not whole, or makes no sense
│   │   └── VendorNotFoundError   the vendor knows nothing of what was asked for
│   └── NotPublishedError         what was asked for is still to come
├── ServerError                   a fiblake server failed, or what answers there is none
│   └── ServerUnavailableError    it was not reached, or did not answer, at every attempt
├── ViewError                     the realtime view failed
│   ├── ViewUnavailableError      it did not answer, or asked to slow down, at every attempt
│   └── ViewRefusedError          it refused: credentials, rights, or not what it should be
├── StreamError                   a stream of live events failed, or refuses what is put into it
│   ├── StreamUnavailableError    it did not answer, or asked to slow down, at every attempt
│   ├── StreamClosedError         it takes nothing any more
│   └── RecordTooLargeError       an event that is larger than a record may be
└── StoreError                    the object store failed
    ├── ObjectNotFoundError
    ├── DamagedObjectError        an object is there but cannot be what it should be
    ├── ConflictError             someone else replaced the object first
    ├── UnavailableError          it did not answer, or asked to slow down, at every attempt
    └── CredentialsError          there are none, or S3 refuses them: expired, invalid, not allowed
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

IMPORT_HINT: Final = "fiblake import FILE, or fiblake import --sample."
MINUTES_HINT: Final = "fiblake fetch minutes, then fiblake resample."


class FiblakeError(Exception):
    """Base of all errors: the fact and what is allowed, then a hint of what to do.

    Args:
        fact: What is wrong, with the offending value and what is allowed.
        hint: What the user can do about it; empty where nothing helps.
    """

    def __init__(self, fact: str, *, hint: str = "") -> None:
        super().__init__(f"{fact} Hint: {hint}" if hint else fact)
        self.fact = fact
        self.hint = hint


def code_of(error: FiblakeError) -> str:
    """Return the name of an error's kind as the API tells it: `unknown_symbol`, and so on."""
    return _code(type(error))


def kind_of(code: str) -> type[FiblakeError] | None:
    """Return the kind of error that a code names; None: none here."""
    kinds = [FiblakeError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if _code(kind) == code), None)


def _code(kind: type[FiblakeError]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__.removesuffix("Error")).lower()


class MisuseError(FiblakeError):
    """The caller asked for something that cannot be."""


class InvalidIntervalError(MisuseError):
    """Not an interval, or one that is not offered here."""


class InvalidRangeError(MisuseError):
    """A start after its end, or a date, an instant or a cursor that cannot be read."""


class NotAcceptableError(MisuseError):
    """An answer is asked for in forms of which none is offered."""


class InvalidDatasetError(MisuseError):
    """A dataset id that is damaged, or none."""


class InvalidRuleError(MisuseError):
    """An alert's rule that cannot be."""


class TooManyAlertsError(MisuseError):
    """An owner has as many alerts as it may have."""


class InvalidDestinationError(MisuseError):
    """A destination to which alerts cannot be told."""


class InvalidLocationError(MisuseError):
    """A lake location that is neither a folder nor `s3://bucket/prefix`."""


class NotFoundError(FiblakeError):
    """The thing named does not exist."""


class UnknownSymbolError(NotFoundError):
    """No bar of that symbol is in the lake."""


class EmptyLakeError(NotFoundError):
    """Nothing was imported into the lake yet, or not by the instant asked for."""


class ForgottenError(NotFoundError):
    """What the lake knew at that instant is no longer kept."""


class NoFeedError(NotFoundError):
    """Live bars or prices are asked for where nothing feeds them."""


class UnknownJobError(NotFoundError):
    """AWS Batch knows no job of that id."""


class UnknownKeyError(NotFoundError):
    """No API key has that public part."""


class UnknownAlertError(NotFoundError):
    """Its owner has no alert, and no firing, of that id."""


class UnknownDestinationError(NotFoundError):
    """Its owner has no destination of that name."""


class UnknownBackupError(NotFoundError):
    """No whole backup has that id."""


class DatasetChangedError(FiblakeError):
    """What a dataset id pins cannot be answered as it was: the code or the lake has changed."""


class AlertChangedError(FiblakeError):
    """An alert is no more at the revision that whoever changes it was shown."""


class SourceError(FiblakeError):
    """A file to import cannot be read as bars, splits or dividends."""


class CalendarError(FiblakeError):
    """Something is wrong with sessions."""


class UnknownSessionError(CalendarError):
    """A date that is not a session of the exchange, or lies outside the session table."""


class SessionsChangedError(CalendarError):
    """The calendar library disagrees with sessions that are already committed."""


class JobError(FiblakeError):
    """AWS Batch refused what was asked of it, or cannot be reached."""


class SecretError(FiblakeError):
    """A secret of Secrets Manager cannot be read."""


class TopicError(FiblakeError):
    """SNS or SQS refused, or cannot be reached."""


class SnapshotError(FiblakeError):
    """A snapshot of a stream engine is damaged, or of another engine."""


class FlinkError(FiblakeError):
    """The Flink job cannot run here, or failed."""


class DatabaseError(FiblakeError):
    """The relational store failed."""


class DatabaseUnavailableError(DatabaseError):
    """The relational store cannot be reached, or did not answer."""


class DatabaseBehindError(DatabaseError):
    """The relational store's tables are not those that this version needs."""


class BackupError(FiblakeError):
    """A backup is damaged, of a newer version, or would replace what is there."""


class AccessError(FiblakeError):
    """Who asks did not say who it is, in a way that holds."""


class ForbiddenError(AccessError):
    """Who asks is known, and may not."""


class TooManyRequestsError(AccessError):
    """Who asks does so more often than it may.

    Args:
        fact: What is wrong.
        hint: What the user can do about it.
        retry_after_s: After how many seconds it may ask again.
    """

    def __init__(self, fact: str, *, hint: str = "", retry_after_s: float = 1) -> None:
        super().__init__(fact, hint=hint)
        self.retry_after_s = retry_after_s


class TooManyConnectionsError(TooManyRequestsError):
    """Who connects has as many connections open as it may have."""


class BusyError(FiblakeError):
    """Another process does the same at the moment."""


class TakenOverError(BusyError):
    """Another process does by now what this one did."""


class GivenUpError(FiblakeError):
    """What was asked for was given up: who asked has left, or the process ends."""


class BrokenPartError(FiblakeError):
    """A part of the live system failed as none should."""


class VendorError(FiblakeError):
    """A vendor of market data failed."""


class VendorKeyError(VendorError):
    """There is no key, or the vendor refuses it."""


class VendorUnreachableError(VendorError):
    """Nobody answers at the vendor's address, or someone who is not the vendor."""


class VendorUnavailableError(VendorError):
    """The vendor failed, or asked to slow down, at every attempt."""


class VendorRefusedError(VendorError):
    """The plan does not include what the vendor was asked for."""


class VendorAnswerError(VendorError):
    """An answer is not whole, or makes no sense."""


class VendorNotFoundError(VendorAnswerError):
    """The vendor knows nothing of what it was asked for."""


class NotPublishedError(VendorError):
    """The vendor has not published yet what it was asked for."""


class ServerError(FiblakeError):
    """A fiblake server failed, or what answers at its address is none."""


class ServerUnavailableError(ServerError):
    """A fiblake server was not reached, or did not answer, at every attempt."""


class ViewError(FiblakeError):
    """The realtime view failed."""


class ViewUnavailableError(ViewError):
    """The view did not answer, or asked to slow down, at every attempt."""


class ViewRefusedError(ViewError):
    """The view refused: credentials, rights, or it is not what it should be."""


class StreamError(FiblakeError):
    """A stream of live events failed, or refuses what is put into it.

    Args:
        fact: What is wrong.
        hint: What the user can do about it.
        unwritten: The lines, as of `lake.wire`, that may be missing from the stream, in order.
    """

    def __init__(self, fact: str, *, hint: str = "", unwritten: Sequence[bytes] = ()) -> None:
        super().__init__(fact, hint=hint)
        self.unwritten = tuple(unwritten)


class StreamUnavailableError(StreamError):
    """The stream did not answer, or asked to slow down, at every attempt."""


class StreamClosedError(StreamError):
    """The stream was closed: nothing can be put into it any more."""


class RecordTooLargeError(StreamError):
    """An event is larger than a record of the stream may be; nothing of its batch was written."""


class StoreError(FiblakeError):
    """The object store failed."""


class ObjectNotFoundError(StoreError):
    """There is no object under that key."""


class DamagedObjectError(StoreError):
    """An object is there but cannot be what it should be."""


class ConflictError(StoreError):
    """Someone else created or replaced the object first."""


class UnavailableError(StoreError):
    """The store did not answer, or asked to slow down, at every attempt."""


class CredentialsError(StoreError):
    """There are no credentials, or the store refuses them: expired, invalid or not allowed."""
