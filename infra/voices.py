"""Prompts spoken ahead of time by a synthetic voice, where nobody has recorded them yet. Never while a caller waits."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import wave
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SLOWER = 1.25  # how much longer slow speech takes: about 125 words a minute
ENGLISH = "en"
RATE = 16_000  # samples a second of a .wav16


class VoiceMissing(Exception):
    """There is no voice on this machine; the text says what to install."""


class Voice(Protocol):
    """A synthetic voice. ``name`` changes whenever it would sound otherwise."""

    @property
    def name(self) -> str: ...

    def command(self, text: str, file: Path, *, slow: bool) -> list[str]:
        """The program that writes ``text`` to ``file`` as a WAV."""


@dataclass(frozen=True, slots=True)
class Flite:
    """English: flite with its clearest voice, 16 kHz."""

    program: str
    name: str = "slt"

    def command(self, text: str, file: Path, *, slow: bool) -> list[str]:
        """See :class:`Voice`."""
        stretch = ["--setf", f"duration_stretch={SLOWER}"] if slow else []
        return [self.program, "-voice", self.name, *stretch, "-t", text, "-o", str(file)]


@dataclass(frozen=True, slots=True)
class EspeakNg:
    """Most languages: espeak-ng."""

    program: str
    language: str

    @property
    def name(self) -> str:
        """Names engine and language."""
        return f"espeak-ng {self.language}"

    def command(self, text: str, file: Path, *, slow: bool) -> list[str]:
        """See :class:`Voice`."""
        words_a_minute = "120" if slow else "150"
        options = ["-v", self.language, "-s", words_a_minute, "-w", str(file)]
        return [self.program, *options, "--", text]  # a text is never an option


def voice_for(language: str) -> Voice | None:
    """The voice of this machine for a language (``pl``); None if it has none."""
    if language == ENGLISH and (flite := shutil.which("flite")):
        return Flite(flite)
    espeak = shutil.which("espeak-ng")
    return EspeakNg(espeak, language) if espeak else None


def has_voice(language: str) -> bool:
    """Whether this machine can speak a language."""
    return voice_for(language) is not None


def speak_prompts(prompts: Mapping[str, str], folder: Path, *, slow: bool = False) -> int:
    """Write ``KEY.wav16`` (16 bit, mono) for every prompt whose text changed; returns how many.

    A key with a language (``pl/menu``) is spoken in it, into a folder of that name, where this machine has a voice for
    it; with ``slow``, all are spoken slowly, too (``en_slow/menu``). What somebody recorded (``KEY.wav``) is left
    alone; an empty text is a recorded sound. Raises :class:`VoiceMissing` where the first language has no voice.
    """
    made = 0
    for key, text in prompts.items():
        language = key.rpartition("/")[0]
        voice = voice_for(language or ENGLISH)
        if voice is None and not language:
            raise VoiceMissing("no voice to speak the prompts with: as root, apt-get install flite")
        if voice is None or not text:
            continue
        made += _kept(voice, text, folder / key, slow=False)
        if slow:
            plain = key.rpartition("/")[2]
            made += _kept(voice, text, folder / f"{language or ENGLISH}_slow" / plain, slow=True)
    return made


def _kept(voice: Voice, text: str, place: Path, *, slow: bool) -> bool:
    """Whether it had to be spoken: not where a person recorded it, or where it was spoken in the same words."""
    file, mark = place.with_name(f"{place.name}.wav16"), place.with_name(f".{place.name}.sha256")
    wanted = hashlib.sha256(f"{voice.name}\0{text}".encode()).hexdigest()
    recorded = place.with_name(f"{place.name}.wav").exists()
    if recorded or (file.exists() and mark.exists() and mark.read_text() == wanted):
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    subprocess.run(voice.command(text, part, slow=slow), check=True, timeout=60)  # noqa: S603
    at_16_khz(part)
    part.replace(file)
    mark.write_text(wanted)
    return True


def speak(text: str, language: str) -> bytes | None:
    """The text as a WAV (16 kHz, 16 bit, mono); None where there is no voice for the language. Takes its time."""
    voice = voice_for(language)
    if voice is None:
        return None
    with tempfile.TemporaryDirectory(prefix="callrouter-voice-") as folder:
        file = Path(folder) / "prompt.wav"
        subprocess.run(voice.command(text, file, slow=False), check=True, timeout=60, capture_output=True)  # noqa: S603
        at_16_khz(file)
        return file.read_bytes()


def at_16_khz(file: Path) -> None:
    """Have the WAV (mono, 16 bit) at the rate that its ending promises, by a straight line between two samples."""
    with wave.open(str(file), "rb") as sound:
        rate, samples = sound.getframerate(), array("h", sound.readframes(sound.getnframes()))
    if rate == RATE:
        return
    count = len(samples) * RATE // rate
    drawn = array("h", (_between(samples, number * rate / RATE) for number in range(count)))
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(drawn.tobytes())


def _between(samples: array[int], at: float) -> int:
    before = int(at)
    after = min(before + 1, len(samples) - 1)
    return round(samples[before] + (samples[after] - samples[before]) * (at - before))
