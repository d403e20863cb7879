"""Names of programs as words that people read."""

from __future__ import annotations

import pytest

from console.words import sentence


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("urgent_mental_health", "Urgent mental health"),
        ("ms_nurse", "MS nurse"),
        ("out-of-hours-gp", "Out of hours GP"),
        ("111", "111"),
        ("", ""),
    ],
)
def test_a_name_of_a_program_as_words(code: str, said: str) -> None:
    assert sentence(code) == said
