"""Secrets of AWS Secrets Manager: JSON objects, by their names or ARNs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from lake.errors import MisuseError, SecretError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_ARN: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:.+")
_ATTEMPTS: Final = 4
_TIMEOUT_S: Final = 5
_HINTS: Final = {
    "ResourceNotFoundException": "check its name, and AWS_REGION.",
    "AccessDeniedException": "secretsmanager:GetSecretValue, and kms:Decrypt of its key.",
    "DecryptionFailure": "kms:Decrypt of its key.",
    "DecryptionFailureException": "kms:Decrypt of its key.",
}


def read_secret(name: str) -> dict[str, Any]:
    """Return what a secret holds now: an object of JSON, of texts, numbers and truth values.

    Region, credentials and endpoint come from where AWS's tools look for them; the region of an ARN
    goes before.

    Args:
        name: Its name or ARN.

    Raises:
        MisuseError: If it holds something else.
        SecretError: If there is no such secret, it may not be read, or cannot be reached.
        ModuleNotFoundError: If boto3 is not installed.
    """
    # Imported here: it is an extra, and takes a while.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        with closing(_client(name)) as client:
            answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        told = error.response["Error"]
        fact = f"The secret {name} cannot be read: {told.get('Message') or told['Code']}."
        hint = _HINTS.get(told["Code"], "check FIBLAKE_SECRET or FIBLAKE_DATABASE_SECRET.")
        raise SecretError(fact, hint=hint) from None
    except (BotoCoreError, ValueError) as error:
        fact = f"The secret {name} cannot be read: {error}."
        raise SecretError(fact, hint="check AWS_REGION and the credentials.") from None
    return _parsed(name, answer.get("SecretString"))


def _client(name: str) -> SecretsManagerClient:
    import boto3  # noqa: PLC0415 - likewise
    from botocore.config import Config  # noqa: PLC0415

    found = _ARN.fullmatch(name)
    retries: Any = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
    config = Config(retries=retries, connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S)
    return boto3.Session().client(
        "secretsmanager", region_name=found[1] if found else None, config=config
    )


def _parsed(name: str, text: str | None) -> dict[str, Any]:
    try:
        held = json.loads(text or "")
    except ValueError:  # what it says may be a part of the secret
        held = None
    flat = isinstance(held, dict) and all(
        isinstance(value, str | int | float | bool) for value in held.values()
    )
    if not flat:
        fact = f"The secret {name} is no object of JSON whose values are texts or numbers."
        raise MisuseError(fact, hint="aws secretsmanager put-secret-value --secret-string '{...}'.")
    kept: dict[str, Any] = held
    return kept
