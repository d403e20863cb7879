"""Prompts spoken ahead of time: by flite, slowly too, only when the words changed, never over a recording."""

from __future__ import annotations

import shutil
import wave
from array import array
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from infra.voices import RATE, EspeakNg, at_16_khz, speak_prompts, voice_for
from tests.service import LONDON

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="NO FLITE: as root, apt-get install flite")


def seconds(file: Path) -> float:
    with wave.open(str(file), "rb") as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (RATE, 1, 2)
        return sound.getnframes() / RATE


def test_prompts_are_spoken_once_and_again_when_their_words_change(tmp_path: Path) -> None:
    texts = {"menu": "Press one or stay on the line.", "chime": ""}

    assert speak_prompts(texts, tmp_path) == 1
    assert speak_prompts(texts, tmp_path) == 0
    assert speak_prompts({"menu": "Press two."}, tmp_path) == 1
    assert not (tmp_path / "chime.wav16").exists(), "a sound without words is recorded, never spoken"


def test_slow_speech_takes_longer(tmp_path: Path) -> None:
    assert speak_prompts({"menu": "Please stay on the line."}, tmp_path, slow=True) == 2

    assert seconds(tmp_path / "en_slow/menu.wav16") > 1.1 * seconds(tmp_path / "menu.wav16")


def test_recording_of_a_person_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "menu.wav").write_bytes(b"a person")

    assert speak_prompts({"menu": "Press one."}, tmp_path) == 0
    assert not (tmp_path / "menu.wav16").exists()


def test_other_language_is_spoken_where_there_is_a_voice_for_it(tmp_path: Path) -> None:
    made = speak_prompts({"menu": "Press one.", "pl/menu": "Proszę nacisnąć jeden."}, tmp_path)

    assert made == (1 if voice_for("pl") is None else 2)


@pytest.mark.skipif(voice_for("pl") is None, reason="NO VOICE FOR POLISH: as root, apt-get install espeak-ng")
def test_polish_is_heard_from_a_file_and_lasts_as_long_as_it_takes_to_say(tmp_path: Path) -> None:
    speak_prompts({"pl/menu": "Proszę nacisnąć jeden."}, tmp_path, slow=True)

    assert 0.8 < seconds(tmp_path / "pl/menu.wav16") < seconds(tmp_path / "pl_slow/menu.wav16") < 5


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> Result:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(folder))
    return CliRunner().invoke(commands(words), words)


def test_a_language_without_a_voice_is_named_and_what_was_recorded_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"en.yaml": "menu: Press one.\n", "qq.yaml": "menu: Qqq.\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("CALLROUTER_PROMPTS_FILE", str(tmp_path / "en.yaml"))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "espeak-ng" else f"/usr/bin/{name}")
    done = command(monkeypatch, tmp_path, "prompts", str(tmp_path / "spoken"))
    assert done.exit_code == 1
    assert "qq: 1 prompts without a sound, and no voice here: record them" in done.stderr
    (tmp_path / "spoken/qq").mkdir()
    (tmp_path / "spoken/qq/menu.wav").touch()
    assert command(monkeypatch, tmp_path, "prompts", str(tmp_path / "spoken")).exit_code == 0


@pytest.mark.slow
@pytest.mark.skipif(voice_for("pl") is None, reason="NO VOICE FOR POLISH: as root, apt-get install espeak-ng")
def test_the_shipped_flow_passes_with_the_sounds_that_are_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = tmp_path / "spoken"
    assert command(monkeypatch, tmp_path, "prompts", str(spoken)).exit_code == 0
    monkeypatch.setenv("CALLROUTER_PROMPTS_AUDIO_DIR", str(spoken))
    checked = command(monkeypatch, tmp_path, "flow", "check", "-v", str(LONDON))

    assert checked.exit_code == 0, checked.output
    assert "113 of 113 measured" in checked.stdout
    (spoken / "pl/main_menu.wav16").unlink()
    assert "no sound of pl/main_menu" in command(monkeypatch, tmp_path, "flow", "check", str(LONDON)).stderr


def test_espeak_is_told_language_and_speed_and_takes_no_text_for_an_option(tmp_path: Path) -> None:
    command = EspeakNg("espeak-ng", "pl").command("-f/a/file", tmp_path / "x", slow=True)

    assert command == ["espeak-ng", "-v", "pl", "-s", "120", "-w", str(tmp_path / "x"), "--", "-f/a/file"]


def test_sound_of_another_rate_is_brought_to_that_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "tone.wav16"
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(22_050)
        sound.writeframes(array("h", range(22_050)).tobytes())
    at_16_khz(file)

    assert seconds(file) == pytest.approx(1.0, abs=0.001)
    with wave.open(str(file), "rb") as sound:
        samples = array("h", sound.readframes(RATE))
    assert samples[8_000] == pytest.approx(22_050 * 8_000 / RATE, abs=1)
