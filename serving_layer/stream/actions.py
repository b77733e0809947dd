"""What clients ask for: frames read into actions, or refused with a code and one clear sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import orjson

from lake.errors import InvalidIntervalError, MisuseError
from serving_layer.stream.channels import parse_channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving_layer.stream.channels import ChannelName

Act = Literal["auth", "subscribe", "unsubscribe", "ping"]
Code = Literal[
    "bad_frame",
    "bad_action",
    "bad_channel",
    "unknown_interval",
    "not_authenticated",
    "forbidden",
    "too_many_channels",
    "no_feed",
    "rate_limited",
]
Id = str | int | None
_ACTS: Final[tuple[Act, ...]] = get_args(Act)
_LONGEST_ID: Final = 200
MOST_CHANNELS: Final = 1_000
"""In one action."""


class RefusedActionError(MisuseError):
    """An action that is not done; the connection lives.

    Args:
        fact: What is wrong.
        code: Which kind of refusal.
        hint: What to do about it.

    Attributes:
        id: That of the action.
    """

    def __init__(self, fact: str, code: Code, *, hint: str = "") -> None:
        super().__init__(fact, hint=hint)
        self.code = code
        self.id: Id = None


@dataclass(frozen=True, slots=True)
class Action:
    """What a client asks for.

    Attributes:
        act: What.
        id: What comes back in the answer.
        key: Of `auth`: a key or a token.
        channels: Of `subscribe` and `unsubscribe`, each once.
        stream: Of `resume_from`: which stream told the client so far.
        resume: Up to which seq, by channel.
    """

    act: Act
    id: Id = None
    key: str = ""
    channels: tuple[ChannelName, ...] = ()
    stream: str = ""
    resume: Mapping[ChannelName, int] | None = None


def parse_action(text: str) -> Action:
    """Return what a frame asks for.

    Raises:
        RefusedActionError: If it makes no sense, with the action's id where it has one.
    """
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fact = f"The frame is not JSON: {error}."
        raise RefusedActionError(fact, "bad_frame", hint="send one object a frame.") from None
    if not isinstance(frame, dict):
        fact = "The frame is not an object."
        raise RefusedActionError(fact, "bad_frame", hint='send {"action":"ping"}.')
    given = frame.get("id")
    if not _is_id(given):
        fact = f"The id is neither an integer nor a string of up to {_LONGEST_ID} characters."
        raise RefusedActionError(fact, "bad_frame", hint="leave it out, or count: 1, 2, 3.")
    try:
        return _action(frame, given)
    except RefusedActionError as error:
        error.id = given
        raise


def _shown(given: object) -> str:
    # No list or object is shown: one may be so deep that it cannot be written.
    if isinstance(given, str | int | float | None):
        return repr(str(given)[:60])
    return f"A {type(given).__name__}"


def _is_id(given: object) -> bool:
    if isinstance(given, str):
        return len(given) <= _LONGEST_ID
    return given is None or (isinstance(given, int) and not isinstance(given, bool))


def _action(frame: dict[str, Any], given: Id) -> Action:
    act = frame.get("action")
    if act not in _ACTS:
        fact = f"{_shown(act)} is not an action. Allowed: {', '.join(_ACTS)}."
        raise RefusedActionError(fact, "bad_action")
    if act == "auth":
        return Action(act, given, key=_key(frame))
    if act == "ping":
        return Action(act, given)
    channels = _channels(frame.get("channels"))
    if act == "unsubscribe":
        return Action(act, given, channels=channels)
    stream, resume = _resume(frame.get("resume_from"))
    return Action(act, given, channels=channels, stream=stream, resume=resume)


def _key(frame: dict[str, Any]) -> str:
    key = frame.get("key")
    if not isinstance(key, str) or not key:
        fact = "The action auth has no key."
        raise RefusedActionError(fact, "bad_frame", hint='send {"action":"auth","key":"fib_..."}.')
    return key


def _channels(given: object) -> tuple[ChannelName, ...]:
    if isinstance(given, list) and len(given) > MOST_CHANNELS:
        fact = f"The action names {len(given):,} channels. Allowed: {MOST_CHANNELS:,} at once."
        raise RefusedActionError(fact, "too_many_channels", hint="subscribe to price:*.")
    if not isinstance(given, list) or not given:
        fact = "The channels are no list of names."
        raise RefusedActionError(fact, "bad_frame", hint='send "channels":["price:AAPL"].')
    return tuple(dict.fromkeys(map(_channel, given)))


def _channel(given: object) -> ChannelName:
    if not isinstance(given, str):
        fact = f"{_shown(given)} is not a channel's name."
        raise RefusedActionError(fact, "bad_channel", hint='channels are strings, as "price:AAPL".')
    try:
        return parse_channel(given)
    except InvalidIntervalError as error:
        raise RefusedActionError(error.fact, "unknown_interval", hint=error.hint) from None
    except MisuseError as error:
        raise RefusedActionError(error.fact, "bad_channel", hint=error.hint) from None


def _resume(given: object) -> tuple[str, dict[ChannelName, int]]:
    """Return which stream told, and up to which seq of each channel."""
    if given is None:
        return "", {}
    if not isinstance(given, dict) or not isinstance(given.get("stream"), str):
        fact = "The resume_from names no stream."
        hint = 'send "resume_from":{"stream":"<id of the welcome>","price:AAPL":17}.'
        raise RefusedActionError(fact, "bad_frame", hint=hint)
    seqs: dict[ChannelName, int] = {}
    for name, seq in given.items():
        if name == "stream":
            continue
        if not isinstance(seq, int) or isinstance(seq, bool):
            fact = f"The seq of {name[:60]!r} in resume_from is not an integer."
            raise RefusedActionError(fact, "bad_frame")
        seqs[_channel(name)] = seq
    return given["stream"], seqs
