"""What was understood."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RedFlag:
    """Words of the lexicon that were said. ``lexicon`` is its version."""

    category: str
    phrase: str = field(repr=False)
    lexicon: str


@dataclass(frozen=True, slots=True)
class Understood:
    """The one menu choice that the words name (None: none, or more than one), and a red flag if any.

    ``reasons``: keys of the reason-word lexicon of the version ``reason_words``, for counting alone.
    """

    choice: str | None
    red_flag: RedFlag | None
    reasons: frozenset[str] = frozenset()
    reason_words: str = ""
