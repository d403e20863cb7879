"""A simulated caller: listens for the option that fits, dwells, slips, waits, and sometimes gives up.

The shapes are assumptions, not measurements, each named below: they make load and awkwardness, and prove
nothing about real callers. What a caller does depends on their own seed only.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from adapters.phone.model import Act, HangUp, Moment, MomentKind, Pace, Press, Speak

DWELL_MEDIAN_S, DWELL_SPREAD = 7.0, 0.6  # lognormal: most press near the end of a short menu
PATIENCE_SCALE_S, PATIENCE_SHAPE = 240.0, 1.6  # Weibull; a shape above 1 is impatience that grows
LEAVES_EARLY = 0.02  # hangs up within the first half minute: a wrong number, a change of mind
MISTYPES = 0.06
SILENT = 0.10
SPEAKS = 0.15
GARBAGE = 0.15  # of those who speak
RED_FLAG = 0.03  # of those who speak
FOLLOWS_ADVICE = 0.5  # of those who heard that another service can help
WRONG_KEY = "9"
RED_FLAG_WORDS = "I have chest pain and I cannot breathe"
GARBAGE_WORDS = ("mumble mumble", "is that the council", "hello hello", "the cat sat on the mat")

REASONS: dict[str, tuple[float, tuple[str, ...], tuple[str, ...]]] = {
    "medical": (0.55, ("anything else",), ("I feel unwell", "I have an injury", "something else")),
    "mental_health": (0.10, ("mental health",), ("mental health please", "I feel very anxious")),
    "dental": (0.15, ("dental", "tooth"), ("toothache", "I need a dentist")),
    "flu": (0.20, ("cold or flu", "flu"), ("I have a cold", "a bad cough")),
}
"""Reason → weight, words that its caller listens for, and words that they say."""

_OPTION = re.compile(r"(?<!\d)(\d)(?!\d)")
_ADVICE = re.compile(r"\b(pharmacist|pharmacy) can\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Nature:
    """What was settled about a caller before they called."""

    reason: str
    patience_s: float
    leaves_early_s: float | None
    follows_advice: bool


def a_nature(rng: random.Random) -> Nature:
    """Draw a caller."""
    reason = rng.choices(list(REASONS), [each[0] for each in REASONS.values()])[0]
    patience = rng.weibullvariate(PATIENCE_SCALE_S, PATIENCE_SHAPE)
    early = rng.uniform(1, 30) if rng.random() < LEAVES_EARLY else None
    return Nature(reason, patience, early, rng.random() < FOLLOWS_ADVICE)


class SimulatedCaller:
    """:class:`adapters.phone.model.Caller` by the dice. ``content``: hung up because another service was named."""

    def __init__(self, rng: random.Random, pace: Pace) -> None:
        self._rng = rng
        self._pace = pace
        self.nature = a_nature(rng)
        self.content = False
        self._lived_s = 0.0
        self._waited_s = 0.0
        self._heard_advice = False
        self._slipped = False

    async def during(self, moment: Moment) -> Act | None:
        """Wait as long as this caller would, then do what they would."""
        act_s, act = self._decide(moment)
        self._lived_s += min(act_s, moment.seconds)
        if act is None or act_s > moment.seconds:
            return None
        await self._pace.sleep(act_s)
        return act

    def _decide(self, moment: Moment) -> tuple[float, Act | None]:
        early = self.nature.leaves_early_s
        if early is not None and self._lived_s + moment.seconds >= early and moment.kind is not MomentKind.TALK:
            return max(0.0, early - self._lived_s), HangUp()
        match moment.kind:
            case MomentKind.PROMPT:
                self._heard_advice = self._heard_advice or bool(_ADVICE.search(moment.text))
                return moment.seconds, None
            case MomentKind.PAUSE | MomentKind.RINGING:
                return self._wait(moment)
            case MomentKind.QUESTION:
                return self._answer(moment)
            case _:
                return moment.seconds, None

    def _wait(self, moment: Moment) -> tuple[float, Act | None]:
        left = self.nature.patience_s - self._waited_s
        self._waited_s += moment.seconds
        return (max(0.0, left), HangUp()) if left <= moment.seconds else (moment.seconds, None)

    def _answer(self, moment: Moment) -> tuple[float, Act | None]:
        dwell = self._rng.lognormvariate(0, DWELL_SPREAD) * DWELL_MEDIAN_S
        if self._heard_advice and self.nature.follows_advice:
            self.content = True
            return min(dwell, 0.9 * moment.seconds), HangUp()
        self._heard_advice = False
        dice = self._rng.random()
        if dice < SILENT:
            return moment.seconds, None
        if moment.speech and dice < SILENT + SPEAKS:
            return dwell, Speak(self._words())
        if not self._slipped and dice > 1 - MISTYPES:
            self._slipped = True
            return dwell, Press(WRONG_KEY)
        return dwell, Press(self._key(moment.text))

    def _key(self, text: str) -> str:
        """The key of the sentence that fits the reason; else any of those that were offered."""
        offered: list[str] = []
        for sentence in text.split("."):
            keys = _OPTION.findall(sentence)
            offered += keys
            if keys and any(word in sentence.lower() for word in REASONS[self.nature.reason][1]):
                return str(keys[0])
        return self._rng.choice(offered or ["1"])

    def _words(self) -> str:
        dice = self._rng.random()
        if dice < RED_FLAG:
            return RED_FLAG_WORDS
        if dice < RED_FLAG + GARBAGE:
            return self._rng.choice(GARBAGE_WORDS)
        return self._rng.choice(REASONS[self.nature.reason][2])
