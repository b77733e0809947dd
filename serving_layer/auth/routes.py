"""The routes of keys: a token for a browser, and for admins keys and the audit log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic import AwareDatetime, ConfigDict, Field

from database.audit import Actor, Entry
from lake.errors import InvalidRangeError
from serving_layer.auth.access import Access, Token
from serving_layer.auth.managing import Created, Key, NewKey
from serving_layer.auth.principal import SCOPES, Principal, Scope
from serving_layer.auth.require import ACCESS_PROBLEMS, access_of, address_of, require
from serving_layer.problems import PROBLEMS

_NAME = Field(min_length=1, max_length=100)
_SECRET = {"Cache-Control": "no-store"}


async def _access(request: Request) -> Access:
    access = access_of(request)
    assert access is not None  # noqa: S101 - an app without has no such routes; tells mypy so
    return access


async def _no_store(response: Response) -> None:
    response.headers.update(_SECRET)


TheAccess = Annotated[Access, Depends(_access)]
router = APIRouter(
    tags=["keys"], responses={**PROBLEMS, **ACCESS_PROBLEMS}, dependencies=[Depends(_no_store)]
)


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key shall be.

    Attributes:
        name: What it is for.
        scopes: What it may do.
        owner: Whose it is; by default its name. Keys of one owner share alerts and webhooks.
        expires: From when on it is none; null: never.
    """

    # An `expires` that is misspelt must not make a key that never ends.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    name: Annotated[str, _NAME]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    owner: Annotated[str, Field(max_length=100)] = ""
    expires: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class KeysAnswer:
    """Keys, in order of creation."""

    keys: list[Key]


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """Entries of the audit log, the latest first."""

    entries: list[Entry]


def _utc(instant: dt.datetime | None) -> dt.datetime | None:
    try:
        return instant and instant.astimezone(dt.UTC)
    except OverflowError:
        fact = f"{instant} is not of the years 1 to 9999 in UTC."
        raise InvalidRangeError(fact) from None


@router.post("/v1/token")
async def token(access: TheAccess, principal: Annotated[Principal, require()]) -> Token:
    """A token for the key that is shown, with its scopes: for a browser, for 15 minutes."""
    return await access.issue(principal)


@router.get("/v1/keys", dependencies=[require("admin")])
async def keys(access: TheAccess) -> KeysAnswer:
    """All keys, those expired and revoked too; never what is secret of them."""
    return KeysAnswer(await access.listed())


@router.post("/v1/keys", status_code=status.HTTP_201_CREATED)
async def create_key(
    asked: KeyRequest,
    request: Request,
    access: TheAccess,
    principal: Annotated[Principal, require("admin")],
) -> Created:
    """A new key; all of it is shown this once."""
    new = NewKey(asked.name, tuple(asked.scopes), asked.owner, _utc(asked.expires))
    return await access.create(new, Actor(principal.key, address_of(request)))


@router.delete("/v1/keys/{key}")
async def revoke_key(
    key: str,
    request: Request,
    access: TheAccess,
    principal: Annotated[Principal, require("admin")],
) -> Key:
    """Revoke a key, and its tokens: all processes refuse them within seconds."""
    return await access.revoke(key, Actor(principal.key, address_of(request)))


@router.get("/v1/audit", dependencies=[require("admin")])
async def audit(
    access: TheAccess, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> AuditAnswer:
    """Who changed what, when, and from where."""
    return AuditAnswer(await access.audit(limit))
