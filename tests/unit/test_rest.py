"""Leaving alone what did not answer."""

from __future__ import annotations

import pytest

from lake.errors import ObjectNotFoundError, StoreError, UnavailableError
from lake.rest import Rest


class Watch:
    """Shows the seconds that it was set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def rest(watch: Watch) -> Rest:
    return Rest(UnavailableError, seconds=watch)


def ask(rest: Rest, error: StoreError | None = None) -> str:
    """Ask within, and return what comes of it: what is asked answers so."""
    try:
        with rest.asking():
            if error:
                raise error
    except StoreError as raised:
        return "asked" if raised is error else str(raised)
    return "asked"


AWAY = UnavailableError("It is away.", hint="wait.")


def test_while_it_answers_all_ask(rest: Rest) -> None:
    with rest.asking():
        assert "asked" == ask(rest)

    assert "asked" == ask(rest, ObjectNotFoundError("There is none."))
    assert not rest.is_on


def test_what_did_not_answer_is_asked_by_one_a_second(rest: Rest, watch: Watch) -> None:
    assert "asked" == ask(rest, AWAY)
    assert "It is away. Hint: wait." == ask(rest)
    watch.now = 0.9
    assert "It is away. Hint: wait." == ask(rest)

    meanwhile: list[str] = []

    def ask_for_long() -> None:
        with rest.asking():
            watch.now = 60.0
            meanwhile.append(ask(rest))
            raise AWAY

    watch.now = 1.0
    with pytest.raises(UnavailableError):
        ask_for_long()
    assert ["It is away. Hint: wait."] == meanwhile
    assert "It is away. Hint: wait." == ask(rest)

    watch.now = 61.0
    assert ["asked", "asked"] == [ask(rest), ask(rest)]


def test_an_answer_of_another_kind_is_one(rest: Rest, watch: Watch) -> None:
    ask(rest, AWAY)
    watch.now = 1.0
    assert "asked" == ask(rest, ObjectNotFoundError("There is none."))

    assert "asked" == ask(rest)


def test_whoever_gives_up_lets_another_try(rest: Rest, watch: Watch) -> None:
    ask(rest, AWAY)
    watch.now = 1.0
    with pytest.raises(KeyboardInterrupt), rest.asking():
        raise KeyboardInterrupt

    assert "asked" == ask(rest)
