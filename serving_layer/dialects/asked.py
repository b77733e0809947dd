"""What dialects have in common in what they are asked: parameters, and no others."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

from lake.errors import MisuseError

_MOST_LETTERS: Final = 60


class Parameters(BaseModel):
    """A query of named parameters.

    Others are refused: a filter that is passed over in silence gives an answer to another question.
    """

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_others(cls, given: Any) -> Any:  # noqa: ANN401 - whatever there is to validate
        offered = [field.alias or name for name, field in cls.model_fields.items()]
        others = [name for name in given if name not in offered]
        if others:
            msg = f"{', '.join(map(repr, others))} is not offered. Allowed: {', '.join(offered)}."
            raise ValueError(msg)
        return given


def checked_symbol(text: str) -> str:
    """Return what is to be looked for as a symbol, if it can be one.

    Raises:
        MisuseError: If it is empty, too long, or has what no symbol has.
    """
    if not text.strip() or not text.isprintable() or len(text) > _MOST_LETTERS:
        fact = f"{text[:_MOST_LETTERS]!r} is no symbol."
        raise MisuseError(fact, hint="write it as AAPL.")
    return text
