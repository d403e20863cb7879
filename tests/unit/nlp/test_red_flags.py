"""The red-flag lexicon raises, and only an approved pattern cancels (docs/safety/rules.md, 1)."""

from pathlib import Path

import pytest

from nlp.errors import LexiconError
from nlp.lexicon import read_lexicon
from nlp.service import KeywordUnderstanding

LEXICON = read_lexicon()
MENU = {"dental": ("tooth", "toothache"), "flu": ("flu", "cold"), "yes": ("yes",)}


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("he's not breathing", "breathing"),
        ("No, chest pain", "heart"),
        ("I can't stop bleeding", "bleeding"),
        ("I can’t breathe", "breathing"),
        ("it's my tooth and I have chest pain", "heart"),
        ("no fever but he has chest pain", "heart"),
        ("no chest pain before but now chest pain", "heart"),
        ("I took an overdose and I want to die", "suicidal"),
        ("CHEST   PAIN", "heart"),
    ],
)
def test_escalates(said: str, category: str) -> None:
    flag = LEXICON.find(said)
    assert flag is not None
    assert flag.category == category
    assert flag.lexicon == LEXICON.version


@pytest.mark.parametrize(
    "said",
    ["no chest pain", "I don't have chest pain", "toothache", "strokeplay golf", "", "it is my chest of drawers"],
)
def test_leaves_alone(said: str) -> None:
    assert LEXICON.find(said) is None


def test_has_at_least_sixty_phrases() -> None:
    assert len(LEXICON) >= 60


def test_a_red_flag_is_found_beside_a_menu_choice() -> None:
    understood = KeywordUnderstanding(LEXICON).understand("toothache and chest pain", MENU)
    assert understood.choice == "dental"
    assert understood.red_flag is not None


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("I've got toothache", "dental"),
        ("a cold, I think", "flu"),
        ("a cold and a bad tooth", None),
        ("football", None),
    ],
)
def test_understands_one_choice_or_none(said: str, choice: str | None) -> None:
    assert KeywordUnderstanding(LEXICON).understand(said, MENU).choice == choice


def test_a_bad_file_is_refused_by_line(tmp_path: Path) -> None:
    bad = tmp_path / "lexicon.yaml"
    bad.write_text('version: "1"\ncategories:\n  heart:\n    phrases: chest pain\n    symptoms: []\n')
    with pytest.raises(LexiconError, match=r"lexicon.yaml:4: categories.heart.phrases"):
        read_lexicon(bad)
