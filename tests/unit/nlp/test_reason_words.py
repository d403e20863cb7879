"""The reason-word lexicon: why callers call, by key. It counts and moves nobody (docs/surveillance.md)."""

from pathlib import Path

import pytest

from nlp.errors import LexiconError
from nlp.lexicon import read_lexicon, read_reason_words
from nlp.service import KeywordUnderstanding

WORDS = read_reason_words()


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ("My son has a rash and he’s been sick", {"rash", "vomiting"}),
        ("a cough, no fever", {"cough"}),
        ("I don't have a temperature but I'm coughing", {"cough"}),
        ("no, fever", {"fever"}),
        ("a rash but no high temperature", {"rash"}),
        ("he hasn't been sick, and she doesn't have a cough", set()),
        ("no sore throat or cough", set()),
        ("she isn't feverish and is not coughing", set()),
        ("no fever and a cough", {"cough"}),
        ("not just a cough", {"cough"}),
        ("I can't stop coughing", {"cough"}),
        ("DIARRHOEA", {"diarrhoea"}),
        ("tested positive for covid", {"potential_covid"}),
        ("toothache", set()),
        ("scoughed", set()),
        ("", set()),
    ],
)
def test_tells_what_was_said_of_why_they_call(said: str, reasons: set[str]) -> None:
    assert WORDS.categories(said) == reasons


def test_reasons_change_neither_choice_nor_red_flag() -> None:
    menu = {"flu": ("flu", "cough"), "dental": ("tooth",)}
    said = "a cough, a rash and chest pain"
    plain = KeywordUnderstanding(read_lexicon()).understand(said, menu)
    counted = KeywordUnderstanding(read_lexicon(), WORDS).understand(said, menu)
    assert (counted.choice, counted.red_flag) == (plain.choice, plain.red_flag)
    assert counted.reasons == {"cough", "rash"}
    assert counted.reason_words == WORDS.version


def test_a_bad_file_is_refused_by_line(tmp_path: Path) -> None:
    bad = tmp_path / "reasons.yaml"
    bad.write_text('version: "1"\ncategories:\n  rash:\n    phrases: spots\n    symptoms: []\n')
    with pytest.raises(LexiconError, match=r"reasons.yaml:4: categories.rash.phrases"):
        read_reason_words(bad)
