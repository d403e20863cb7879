"""Sound made ahead of time: every prompt of a message, spoken when it is written and kept for good."""

from __future__ import annotations

import asyncio
import hashlib
import io
import wave

from callrouter.messages import store
from callrouter.messages.content import WORDS_A_SECOND
from callrouter.messages.errors import AudioMissing, ContentRefused
from callrouter.messages.model import Audio, Content
from callrouter.messages.ports import Voice
from callrouter.ports import MOST_MESSAGES_S
from infra.sql import Database

SoundFacts = dict[str, tuple[str, float]]
"""SHA-256 and seconds by prompt key."""


async def make_sound(database: Database, voice: Voice, content: Content) -> SoundFacts:
    """Have spoken what nobody has spoken yet; what is known of all of it. Languages without a voice are left out."""
    keys = [key for key, _, _ in content.spoken()]
    known = await database.read(lambda connection: store.audio_facts(connection, keys))
    made = [
        audio(key, wav)
        for key, language, text in content.spoken()
        if key not in known and (wav := await asyncio.to_thread(voice, text, language)) is not None
    ]
    if made:
        await database.write(lambda connection: store.keep_audio(connection, made))
    return await database.read(lambda connection: store.audio_facts(connection, keys))


def audio(key: str, wav: bytes) -> Audio:
    """A prompt's sound, measured."""
    with wave.open(io.BytesIO(wav)) as file:
        seconds = file.getnframes() / file.getframerate()
    return Audio(key, wav, hashlib.sha256(wav).hexdigest(), round(seconds, 2))


def seconds_of(content: Content, language: str, facts: SoundFacts) -> float:
    """How long a caller listens to it: by its sound where there is one, else by its words."""
    return sum(
        facts[key][1] if key in facts else len(text.split()) / WORDS_A_SECOND
        for key, spoken_in, text in content.spoken()
        if spoken_in == language
    )


def require_short(content: Content, facts: SoundFacts) -> None:
    """Raise :class:`ContentRefused` for a message that holds callers longer than messages may."""
    for language in content.wordings:
        if (seconds := seconds_of(content, language, facts)) > MOST_MESSAGES_S:
            text = f"Too long: {seconds:.0f} seconds when spoken, {MOST_MESSAGES_S:.0f} are allowed"
            raise ContentRefused({f"text_{language}": text})


def require_sound(content: Content, facts: SoundFacts) -> None:
    """Raise :class:`AudioMissing` where a SIP caller would hear nothing."""
    if mute := sorted({language for key, language, _ in content.spoken() if key not in facts}):
        raise AudioMissing(f"no voice has spoken it in: {', '.join(mute)}")
