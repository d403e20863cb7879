"""How long prompts are: measured from their sound where there is some, else estimated from their words.

The rate of the estimate is that of slow, clear speech: measured English telephone announcements have 150 to 160 words a
minute (National Center for Voice and Speech), and speech slowed for a reasonable adjustment about a fifth less. Of
several languages the longest counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ivr.voices import plain_key

WORDS_A_SECOND = 2.1  # 125 a minute: the slow speech of a reasonable adjustment
PAUSE_S = 0.3  # between two prompts
UNKNOWN_S = 60.0  # a prompt without text: the engine gives it up then
AHEAD = "m-"  # what a front-end message will say is not known ahead; its move brings its own seconds


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of each prompt. ``source`` says where they come from."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    source: str = "no prompts known"

    def of(self, prompts: Iterable[str]) -> float:
        """How long the prompts take, one after the other."""
        return sum(self._one(key) + PAUSE_S for key in prompts)

    def _one(self, key: str) -> float:
        return 0.0 if key.startswith(AHEAD) else self.seconds.get(key, UNKNOWN_S)


def estimate_lengths(texts: Iterable[Mapping[str, str]], measured: Mapping[str, float] | None = None) -> Lengths:
    """The longest of each prompt over all languages (one mapping each); ``measured`` seconds win."""
    seconds: dict[str, float] = {}
    for language in texts:
        for key, text in language.items():
            plain = plain_key(key)
            seconds[plain] = max(seconds.get(plain, 0.0), _words(text) / WORDS_A_SECOND)
    sounds = {key: took for key, took in (measured or {}).items() if key in seconds}
    source = f"estimated at {WORDS_A_SECOND * 60:.0f} words a minute (slow speech), the longest language"
    if sounds:
        source = f"{len(sounds)} of {len(seconds)} measured, the others {source}"
    return Lengths({**seconds, **sounds}, source)


def _words(text: str) -> int:
    """Words as they are spoken: a number is said digit by digit."""
    return sum(max(1, sum(letter.isdigit() for letter in word)) for word in text.split())
