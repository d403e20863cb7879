"""Understanding: red flags first, then the words of the menu; unsure means nothing was understood."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nlp.lexicon import Lexicon, plain
from nlp.model import Understood

LONGEST = 2000  # characters of one utterance that are looked at; a minute of speech is about 900


class KeywordUnderstanding:
    """Whole words and phrases of the menu's own vocabulary. Never a default: two meanings are none."""

    def __init__(self, lexicon: Lexicon, reasons: Lexicon | None = None) -> None:
        """``reasons``: the reason-word lexicon; without it nothing is told of why people call."""
        self._lexicon = lexicon
        self._reasons = reasons

    def understand(self, said: str, vocabulary: Mapping[str, Sequence[str]]) -> Understood:
        """What ``said`` means among ``vocabulary`` (choice → words), and whether it holds a red flag."""
        text = plain(said[:LONGEST])
        meant = {choice for choice, words in vocabulary.items() if any(_says(text, word) for word in words)}
        choice, flag = meant.pop() if len(meant) == 1 else None, self._lexicon.find(text)
        if self._reasons is None:
            return Understood(choice, flag)
        return Understood(choice, flag, self._reasons.categories(text), self._reasons.version)


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(plain(word))}(?!\w)", text) is not None
