"""The red-flag lexicon: deterministic, readable, and able only to raise.

A symptom is cancelled only by an approved pattern right before it ("no chest pain", "I don't have chest
pain"), with nothing in between: not by distance, and not across a comma ("no, chest pain"). Doubt escalates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.yamlfile import YamlFileError, read_yaml
from nlp.errors import LexiconError
from nlp.model import RedFlag

SHIPPED = Path(__file__).with_name("red_flags.yaml")
_CANCELS = r"(?<!\w)(?:no|without|i don't have|i do not have|i haven't got|i have not got|i've got no|there is no) "
_NOT_COUNTED = (
    r"(?<!\w)(?:no|not|without|(?:do|does|did|has|have|had|is|are|was)(?:n't| not)(?: have| had| got)?) "
    r"(?:(?:[\w']+ ){1,3}or )?(?:an? |any |high )*"
)
REASONS = Path(__file__).with_name("reason_words.yaml")
_SPACES = re.compile(r"\s+")


class _Category(BaseModel):
    model_config = ConfigDict(extra="forbid")

    phrases: list[str]
    symptoms: list[str]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: str
    categories: dict[str, _Category]


class Lexicon:
    """Phrases by category, ready to be looked for.

    ``counts``: the words raise nobody, so that any "no" and "not" right before them cancels phrases, too, and the "or"
    of a list ("no fever or cough").
    """

    def __init__(self, version: str, categories: dict[str, _Category], *, counts: bool = False) -> None:
        self.version = version
        cancels = _NOT_COUNTED if counts else _CANCELS
        self._phrases = [
            (name, re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)"))
            for name, category in categories.items()
            for phrase in category.phrases
            if not counts
        ]
        self._symptoms = [
            (name, symptom, re.compile(rf"(?P<cancel>{cancels})?(?<!\w){re.escape(symptom)}(?!\w)"))
            for name, category in categories.items()
            for symptom in (*category.symptoms, *(category.phrases if counts else ()))
        ]

    def __len__(self) -> int:
        return len(self._phrases) + len(self._symptoms)

    def find(self, said: str) -> RedFlag | None:
        """The first red flag in what was said, suicidal words before all others; None if there is none."""
        flags = list(self._every(plain(said)))
        return next((flag for flag in flags if flag.category == "suicidal"), flags[0] if flags else None)

    def categories(self, said: str) -> frozenset[str]:
        """Every category of which words were said."""
        return frozenset(flag.category for flag in self._every(plain(said)))

    def _every(self, text: str) -> Iterable[RedFlag]:
        for category, pattern in self._phrases:
            if found := pattern.search(text):
                yield RedFlag(category, found.group(), self.version)
        for category, symptom, pattern in self._symptoms:
            # mostly it is not there, which is known without the pattern
            if symptom in text and any(each.group("cancel") is None for each in pattern.finditer(text)):
                yield RedFlag(category, symptom, self.version)


def plain(said: str) -> str:
    """Lower case, straight apostrophes, single spaces. Punctuation stays: a comma can change a life."""
    return _SPACES.sub(" ", said.lower().replace("’", "'")).strip()


def read_lexicon(path: Path = SHIPPED) -> Lexicon:
    """The red-flag lexicon of a file; raises :class:`LexiconError` naming file, line and cause."""
    return _read(path)


def read_reason_words(path: Path = REASONS) -> Lexicon:
    """The reason-word lexicon of a file, likewise. It counts why people call, and raises nobody."""
    return _read(path, counts=True)


def _read(path: Path, *, counts: bool = False) -> Lexicon:
    try:
        file = read_yaml(path)
        data = _File.model_validate(file.data)
    except YamlFileError as error:
        raise LexiconError(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = [str(part) for part in first["loc"]]
        raise LexiconError(f"{file.locate(where)}: {'.'.join(where)}: {first['msg']}") from error
    return Lexicon(data.version, data.categories, counts=counts)
