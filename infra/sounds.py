"""How long sound files are."""

from __future__ import annotations

import wave
from pathlib import Path


def seconds_of_sounds(folder: Path) -> dict[str, float]:
    """Seconds of each ``KEY.wav`` (recorded, wins) and ``KEY.wav16`` (spoken ahead), by key.

    Folders in ``folder`` hold the same keys in other voices (languages, slow speech): the longest voice counts.
    """
    found: dict[str, float] = {}
    for voice in (folder, *sorted(each for each in folder.glob("*") if each.is_dir())):
        for key, seconds in _of_one_voice(voice).items():
            found[key] = max(seconds, found.get(key, 0.0))
    return found


def keys_of_sounds(folder: Path) -> frozenset[str]:
    """The prompts that have a sound here; those in another voice with the name of its folder (``pl/menu``)."""
    files = (
        each for ending in (".wav", ".wav16") for each in (*folder.glob(f"*{ending}"), *folder.glob(f"*/*{ending}"))
    )
    return frozenset(str(each.relative_to(folder).with_suffix("")) for each in files)


def _of_one_voice(folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for ending in (".wav16", ".wav"):
        for file in sorted(folder.glob(f"*{ending}")):
            if (seconds := _seconds(file)) is not None:
                found[file.stem] = seconds
    return found


def _seconds(file: Path) -> float | None:
    """None for a file that is no sound which we can read: its prompt is estimated then."""
    try:
        with wave.open(str(file)) as sound:
            frames, rate = int(sound.getnframes()), int(sound.getframerate())
            return frames / rate
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None
