"""What every understanding of a caller's words promises. A new engine joins by its name in ``IMPLEMENTATIONS``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.ports import Meaning, Understanding
from tests.service import Understanding as Keywords

IMPLEMENTATIONS: dict[str, Callable[[], Understanding]] = {"keywords": Keywords}
MENU = {"dental": ("tooth", "toothache"), "flu": ("flu", "cold"), "yes": ("yes",)}
EVERYDAY = st.sampled_from(["hello", "it is my mother", "since last night", "please", "er", "no", "and"])


@pytest.fixture(params=IMPLEMENTATIONS, name="understood", scope="module")
def _understood(request: pytest.FixtureRequest) -> Callable[[str], Meaning]:
    understanding = IMPLEMENTATIONS[request.param]()
    return lambda said: asyncio.run(understanding.understand(said, MENU))


def test_one_choice_that_was_named_is_understood(understood: Callable[[str], Meaning]) -> None:
    assert understood("I've got toothache").choice == "dental"
    assert understood("yes").choice == "yes"


@pytest.mark.parametrize("said", ["", "   ", "a cold and a bad tooth", "football", "boli mnie ząb", "0", "\0\n"])
def test_unsure_means_that_nothing_was_understood(understood: Callable[[str], Meaning], said: str) -> None:
    meaning = understood(said)
    assert meaning.choice is None
    assert meaning.red_flag is None


@given(said=st.text(max_size=300))
def test_whatever_is_said_means_a_choice_of_the_menu_or_none(understood: Callable[[str], Meaning], said: str) -> None:
    assert understood(said).choice in {None, *MENU}


@given(before=st.lists(EVERYDAY, max_size=4), after=st.lists(EVERYDAY, max_size=4))
def test_a_red_flag_is_heard_among_other_words_and_beside_a_choice(
    understood: Callable[[str], Meaning], before: list[str], after: list[str]
) -> None:
    words = [*before, "toothache, and he's not breathing", *after]
    meaning = understood(" ".join(words))
    assert meaning.red_flag == "breathing"
    assert meaning.choice == "dental"


def test_a_caller_who_talks_for_minutes_is_answered(understood: Callable[[str], Meaning]) -> None:
    assert understood("chest pain " + "and then I went home " * 5_000).red_flag == "heart"
