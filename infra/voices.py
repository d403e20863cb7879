"""Prompts spoken ahead of time by a synthetic voice, where nobody has recorded them yet."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

VOICE = "slt"  # flite's clearest voice, 16 kHz


class VoiceMissing(Exception):
    """There is no voice on this machine; the text says what to install."""


def speak_prompts(prompts: Mapping[str, str], folder: Path) -> int:
    """Write ``KEY.wav16`` (16 kHz, 16 bit, mono) for every prompt whose text changed; returns how many.

    A file that somebody recorded (``KEY.wav``) is left alone. Raises :class:`VoiceMissing` without flite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for key, text in prompts.items():
        mark = folder / f".{key}.sha256"
        wanted = hashlib.sha256(f"{VOICE}\0{text}".encode()).hexdigest()
        file = folder / f"{key}.wav16"
        if (folder / f"{key}.wav").exists() or (file.exists() and mark.exists() and mark.read_text() == wanted):
            continue
        _speak(text, file)
        mark.write_text(wanted)
        made += 1
    return made


def _speak(text: str, file: Path) -> None:
    flite = shutil.which("flite")
    if flite is None:
        raise VoiceMissing("no voice to speak the prompts with: as root, apt-get install flite")
    part = file.with_suffix(".part")
    subprocess.run([flite, "-voice", VOICE, "-t", text, "-o", str(part)], check=True, timeout=60)  # noqa: S603
    part.replace(file)
