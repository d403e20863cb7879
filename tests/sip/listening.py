"""Whether a recording was really heard: the sound of a call compared with it, sample by sample."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]


def likeness(alaw: bytes, wav: bytes) -> float:
    """How much of ``wav`` (16 kHz, mono) stands in the sound of a call, at its best place: from 0 to 1."""
    return _best(_linear(alaw), _telephone(wav))


def within(alaw: bytes, sound: bytes) -> float:
    """How much of ``sound`` stands in a recording: of its best quarter of a second, from 0 to 1.

    Of two voices as loud as each other each is about 0.7 of the whole, noise that is not in it below 0.12. Pieces, and
    short ones, since an Asterisk that waits for a core drops a frame here and there, and once one voice's last 1.7 s.
    """
    pieces = (sound[at : at + 2_000] for at in range(0, len(sound) - 2_000, 2_000))
    return max(_best(_linear(alaw), _linear(piece)) for piece in pieces)


def backwards(wav: bytes) -> bytes:
    """The same recording from its end: the same loudness and tones, and other words."""
    with wave.open(io.BytesIO(wav)) as file:
        rate, frames = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames[::-1].tobytes())
    return buffer.getvalue()


def _best(heard: Sound, sought: Sound) -> float:
    if len(heard) < len(sought):
        return 0.0
    size = 1 << (len(heard) + len(sought)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(sought[::-1], size), size)
    overlaps = product[len(sought) - 1 : len(heard)]
    sums = np.concatenate(([0.0], np.cumsum(heard**2)))
    energy = sums[len(sought) :] - sums[: -len(sought)]
    return float(np.max(overlaps / np.sqrt(np.maximum(energy, 1.0) * np.sum(sought**2))))


def _telephone(wav: bytes) -> Sound:
    """At the rate of a telephone: each two samples made one."""
    with wave.open(io.BytesIO(wav)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return frames[: len(frames) // 2 * 2].reshape(-1, 2).mean(axis=1)


def _linear(alaw: bytes) -> Sound:
    """ITU-T G.711 A-law, decoded."""
    octets = np.frombuffer(alaw, np.uint8) ^ 0x55
    exponent, mantissa = (octets & 0x70) >> 4, (octets & 0x0F).astype(np.int64)
    low = (mantissa << 4) + 8
    high = ((mantissa << 4) + 0x108) << np.maximum(exponent.astype(np.int64) - 1, 0)
    size = np.where(exponent == 0, low, high)
    return np.where(octets & 0x80, size, -size).astype(np.float64)
