"""How long prompts are taken to be: as recorded, else by their words."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from infra.sounds import seconds_of_sounds
from ivr.proof.lengths import PAUSE_S, UNKNOWN_S, WORDS_A_SECOND, estimate_lengths

TEXTS = {"short": "Please hold.", "dial": "Dial 999 now."}


def record(folder: Path, name: str, seconds: float) -> None:
    with wave.open(str(folder / name), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(int(seconds * 8000) * 2))


@pytest.mark.parametrize(("key", "words"), [("short", 2), ("dial", 5)])
def test_text_takes_its_words_and_a_number_its_digits(key: str, words: int) -> None:
    assert estimate_lengths([TEXTS]).of([key]) == pytest.approx(words / WORDS_A_SECOND + PAUSE_S)


def test_of_several_languages_the_longest_counts() -> None:
    longer = {"short": "Proszę poczekać jeszcze chwilę na linii."}
    assert estimate_lengths([TEXTS, longer]).of(["short"]) == pytest.approx(6 / WORDS_A_SECOND + PAUSE_S)


def test_recording_takes_the_place_of_the_estimate_and_is_named(tmp_path: Path) -> None:
    record(tmp_path, "short.wav16", 4.0)
    record(tmp_path, "dial.wav16", 4.0)
    record(tmp_path, "dial.wav", 2.5)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    lengths = estimate_lengths([TEXTS], seconds_of_sounds(tmp_path))

    assert lengths.of(["short"]) == pytest.approx(4.0 + PAUSE_S)
    assert lengths.of(["dial"]) == pytest.approx(2.5 + PAUSE_S), "a person's recording comes before a synthetic voice"
    assert lengths.source.startswith("2 of 2 measured")


def test_of_several_voices_the_longest_counts(tmp_path: Path) -> None:
    (tmp_path / "en_slow").mkdir()
    record(tmp_path, "short.wav", 2.0)
    record(tmp_path / "en_slow", "short.wav16", 3.0)

    assert seconds_of_sounds(tmp_path) == {"short": 3.0}


def test_prompt_that_nobody_knows_takes_the_longest_that_a_prompt_can() -> None:
    assert estimate_lengths([TEXTS]).of(["unheard_of"]) == UNKNOWN_S + PAUSE_S
