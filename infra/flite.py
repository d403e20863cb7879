"""Speaks English with flite, where it is installed: slow work, for a thread of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

VOICE = "slt"  # flite's clearest voice, 16 kHz
LONGEST_S = 30.0  # it speaks about twenty times as fast as a person


class Flite:
    """One voice, one language. Without flite on this machine it says nothing at all."""

    def speak(self, language: str, text: str) -> bytes | None:
        """A WAV file, 16 kHz, 16 bit, mono; None for other languages than English, or without flite."""
        flite = shutil.which("flite")
        if flite is None or language != "en":
            return None
        with tempfile.TemporaryDirectory(prefix="callrouter-voice-") as folder:
            file = Path(folder) / "prompt.wav"
            command = [flite, "-voice", VOICE, "-t", text, "-o", str(file)]
            subprocess.run(command, check=True, timeout=LONGEST_S, capture_output=True)  # noqa: S603 - no shell, own text
            return file.read_bytes()
