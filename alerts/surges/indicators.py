"""Which sign of a caller counts to which indicator: a versioned file that people write, checked before its use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from alerts.surges.errors import IndicatorsError
from infra.schema_words import in_words
from infra.yamlfile import YamlFile, YamlFileError, read_yaml

DEFAULT_INDICATORS = Path(__file__).with_name("indicators.yaml")

_Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Template(_Checked):
    """The front-end message that *act* drafts. What is empty is not said; the rules of messages judge the draft."""

    title: _Line
    text: _Line
    who_should_stay: str = ""
    safety_net: str = ""
    offer: str = ""
    clinical_owner: str = ""
    services: tuple[str, ...] = ()
    expires_h: int = Field(ge=1, le=24 * 14)


class Indicator(_Checked):
    """One signal: callers who made one of ``choices``, or used words of one of the categories ``red_flags``, or gave
    one of ``reasons`` (keys of the reason-word lexicon).

    Only one of them: the version of a menu breaks the first series, those of the lexicons the others.
    """

    id: _Slug
    name: _Line
    choices: tuple[str, ...] = ()
    red_flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    message: Template | None = None

    @model_validator(mode="after")
    def _has_one_kind_of_sign(self) -> Indicator:
        if sum(map(bool, (self.choices, self.red_flags, self.reasons))) != 1:
            raise ValueError("needs choices, red_flags or reasons, and only one of them")
        return self


class _File(_Checked):
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-z.-]{1,20}$")]
    source: _Line
    verified: bool
    signals: tuple[Indicator, ...] = Field(min_length=1)


class Indicators:
    """Every signal, in the order of the file. ``version`` and ``verified`` are the file's."""

    def __init__(self, signals: Iterable[Indicator], version: str, *, verified: bool = False) -> None:
        self.version = version
        self.verified = verified
        self._signals = {each.id: each for each in signals}

    def __iter__(self) -> Iterator[Indicator]:
        return iter(self._signals.values())

    def __contains__(self, signal: object) -> bool:
        return signal in self._signals

    def __getitem__(self, signal: str) -> Indicator:
        return self._signals[signal]

    def of_choice(self, choice: str) -> frozenset[str]:
        """The signals that a choice counts to; mostly one or none."""
        return frozenset(each.id for each in self._signals.values() if choice in each.choices)

    def of_red_flags(self, categories: Collection[str]) -> frozenset[str]:
        """The signals that words of these categories count to."""
        return frozenset(each.id for each in self._signals.values() if set(categories) & set(each.red_flags))

    def of_reasons(self, reasons: Collection[str]) -> frozenset[str]:
        """The signals that these keys of the reason-word lexicon count to."""
        return frozenset(each.id for each in self._signals.values() if set(reasons) & set(each.reasons))


def read_indicators(path: Path = DEFAULT_INDICATORS) -> Indicators:
    """The indicators of a file. Raises :class:`IndicatorsError` with a line for each defect."""
    try:
        file = read_yaml(path)
        data = _File.model_validate(file.data)
    except YamlFileError as error:
        raise IndicatorsError(str(error)) from error
    except ValidationError as error:
        raise IndicatorsError("\n".join(_told(file, error))) from error
    twice = [name for name, times in Counter(each.id for each in data.signals).items() if times > 1]
    if twice:
        raise IndicatorsError(f"{path}: signals: {', '.join(twice)} is the id of two signals")
    return Indicators(data.signals, data.version, verified=data.verified)


def _told(file: YamlFile, error: ValidationError) -> Iterable[str]:
    for each in error.errors(include_url=False, include_input=False):
        where = tuple(str(part) for part in each["loc"])
        name = ".".join(part for part in where if not part.isdigit())
        yield ": ".join(part for part in (file.locate(where), name, in_words(each)) if part)
