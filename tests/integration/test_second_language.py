"""A second language comes by a file: a caller of the terminal hears it, and what they hear has a sound."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from callrouter.flows import load_prompts
from infra.sounds import keys_of_sounds
from infra.voices import speak_prompts, voice_for
from tests.service import LONDON
from tests.spoken import PROMPTS


@pytest.mark.skipif(voice_for("pl") is None, reason="NO VOICE FOR POLISH: as root, apt-get install espeak-ng")
def test_polish_is_chosen_heard_and_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    words = ["flow", "play", str(LONDON)]
    played = CliRunner().invoke(commands(words), words, input="6\n2\n")
    assert played.exit_code == 0, played.output
    assert "[connected to mental_health]" in played.output
    polish = {key: text for key, text in load_prompts(PROMPTS).items() if key.startswith("pl/")}
    heard = {key: text for key, text in polish.items() if f"♪ {text}" in played.output}

    assert heard.keys() == {"pl/interpreter_menu"}
    speak_prompts(heard, tmp_path)
    assert keys_of_sounds(tmp_path) == heard.keys()
