"""The page's chapters: what each is made of, and how one takes its place among the others."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.machine import machine

Sections = Mapping[str, Callable[[], str]]
_HEADING: Final = re.compile(r"^(?=# )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        symbols: Of the market.
        start: Its first date.
        large: How many the large market has; 0 for none.
        queries: Queries of each kind that readers answer.
    """

    symbols: int
    start: dt.date
    large: int
    queries: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the page.

    Attributes:
        introduction: From its heading on, a template of `machine`.
        texts: What is told of each section, by name and in order: templates of what `told` returns.
        told: Returns the figures in texts.
        sections: Returns what measures each section, told where it may make lakes.
    """

    introduction: str
    texts: Mapping[str, str]
    told: Callable[[Size], Mapping[str, object]]
    sections: Callable[[Size, Path], Sections]

    @property
    def heading(self) -> str:
        """Its first line."""
        return self.introduction.partition("\n")[0]

    def measured(self, names: Sequence[str], size: Size, work: Path) -> str:
        """Return the chapter with some of its sections, measured now."""
        parts = [self.introduction.format(machine=machine())]
        sections, told = self.sections(size, work), self.told(size)
        for name in names:
            sys.stderr.write(f"{name} ...\n")
            parts += [self.texts[name].format(**told), sections[name](), ""]
        return "\n".join(parts)


def with_chapter(page: str, text: str, headings: Sequence[str]) -> str:
    """Return a page in which one chapter is replaced, or put in its place; others stay as they are.

    Args:
        page: Chapters, each from its heading on.
        text: The chapter.
        headings: Those of all chapters, in order.
    """
    found = [each for each in _HEADING.split(page) if each.strip()]
    by_heading = {each.partition("\n")[0]: each for each in [*found, text]}
    chapters = [by_heading[each].strip("\n") for each in headings if each in by_heading]
    return "\n\n".join(chapters) + "\n"
