"""Hearing a version before it is live: each prompt as it was recorded, else as a voice of this machine says it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from callrouter.messages.ports import Voice
from callrouter.publishing.content import Content
from callrouter.publishing.soundness import recording_of
from ivr.voices import language_of

MOST_KEPT = 40
"""Spoken prompts that are kept, so that hearing one again does not speak it again."""


class Hearing:
    """``speaks`` says whether this machine has a voice for a language; ``folder`` is that of the recordings, if any."""

    def __init__(self, voice: Voice, speaks: Callable[[str], bool], folder: Path | None) -> None:
        self._voice = voice
        self._speaks = speaks
        self._folder = folder
        self._spoken: dict[tuple[str, str], bytes] = {}
        self._one_at_a_time = asyncio.Lock()

    def can(self, content: Content, key: str) -> bool:
        """Whether the prompt can be heard here."""
        text, language = _words(content, key)
        return self._recording(content, key) is not None or (bool(text) and self._speaks(language))

    async def wav(self, content: Content, key: str) -> bytes | None:
        """The prompt as a WAV: the recording that belongs to this version, else spoken now. None: neither is here."""
        recording = self._recording(content, key)
        if recording is not None:
            data = await asyncio.to_thread(recording.read_bytes)
            if hashlib.sha256(data).hexdigest() == content.audio[key]:
                return data
        text, language = words = _words(content, key)
        if not text:
            return None
        async with self._one_at_a_time:
            if words not in self._spoken:
                wav = await asyncio.to_thread(self._voice, text, language)
                if wav is None:
                    return None
                self._keep(words, wav)
            return self._spoken[words]

    def _keep(self, words: tuple[str, str], wav: bytes) -> None:
        while len(self._spoken) >= MOST_KEPT:
            del self._spoken[next(iter(self._spoken))]
        self._spoken[words] = wav

    def _recording(self, content: Content, key: str) -> Path | None:
        if self._folder is None or key not in content.audio:
            return None
        return recording_of(self._folder, key)


def _words(content: Content, key: str) -> tuple[str, str]:
    """What a prompt says, and in which language; no words where the version has no such prompt."""
    first = content.flow.language
    return content.texts.get(first, {}).get(key, ""), language_of(key) or first
