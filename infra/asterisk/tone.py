"""What a caller on hold hears where no music is given."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path


def soft_tone(path: Path) -> Path:
    """Five seconds at 8 kHz: a short fading A, then silence. Says "you are still there" and no more."""
    rate, seconds, sounding = 8000, 5, 0.6
    samples = [0] * (rate * seconds)
    for n in range(int(rate * sounding)):
        at = n / rate
        samples[n] = int(3000 * math.sin(math.pi * at / sounding) * math.sin(2 * math.pi * 440 * at))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path
