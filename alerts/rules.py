"""Alert rules as data: a YAML file that is checked in full before any of it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from alerts.errors import RulesError
from alerts.model import Channel, Metric, Recipient, Rule, Severity
from infra.yamlfile import YamlFile, YamlFileError, read_yaml

DEFAULT_RULES = Path(__file__).with_name("rules.yaml")
"""Rules to start from: fictional staff, and numbers that a clinical safety officer has still to sign."""

LONGEST_FOR_S = 3600
"""A rule that needs more than an hour of breach is a report, not an alert."""

_OneLine = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]
_Slug = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z0-9-]*$")]
_Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]
_Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s/]+\S*$")]
_Mobile = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{9,14}$")]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_ADDRESS_OF: dict[Channel, str] = {"email": "email", "webhook": "webhook", "text": "mobile", "voice": "mobile"}
_ALL_AT_ONCE: tuple[Channel, ...] = ("email", "webhook", "text")
"""Not by voice: a call to every telephone that a file happens to name is asked for, not assumed."""


class _Staff(_Checked):
    """``channels``: the order in which they are tried, the next when one fails; without it, all at once."""

    name: _OneLine
    email: _Email | None = None
    webhook: _Url | None = None
    mobile: _Mobile | None = None
    channels: tuple[Channel, ...] = ()

    @field_validator("channels")
    @classmethod
    def _has_an_address_each(cls, channels: tuple[Channel, ...], info: ValidationInfo) -> tuple[Channel, ...]:
        for channel in channels:
            key = _ADDRESS_OF.get(channel)
            if key is None:
                raise ValueError(f"{channel} is set for the whole service, not for one person")
            if key in info.data and info.data[key] is None:
                raise ValueError(f"{channel} needs {'an' if key == 'email' else 'a'} {key}")
        if len(set(channels)) < len(channels):
            raise ValueError("names a channel twice")
        return channels

    @model_validator(mode="after")
    def _is_reachable(self) -> _Staff:
        if self.email is None and self.webhook is None and self.mobile is None:
            raise ValueError("needs an email, a webhook or a mobile")
        return self

    def recipients(self) -> Iterator[Recipient]:
        if self.channels:
            yield self._in_order(self.channels)
            return
        for channel in _ALL_AT_ONCE:
            if self._address(channel) is not None:
                yield self._in_order((channel,))

    def _in_order(self, channels: Sequence[Channel]) -> Recipient:
        first, *rest = (Recipient(self.name, each, self._address(each) or "") for each in channels)
        return replace(first, then=tuple(rest))

    def _address(self, channel: Channel) -> str | None:
        address: str | None = getattr(self, _ADDRESS_OF[channel])
        return address


class _RuleData(_Checked):
    name: _Slug
    title: _OneLine
    metric: Metric
    provider: str | None = None
    dependency: str | None = None
    clear_below: _Seconds  # before the threshold, which is compared with it
    threshold: _Seconds
    for_s: float = Field(ge=0, le=LONGEST_FOR_S, allow_inf_nan=False)
    severity: Severity
    usually_helps: _OneLine
    source: _OneLine
    who: tuple[_Staff, ...] = Field(min_length=1)

    @field_validator("provider", "dependency")
    @classmethod
    def _is_of_its_metric(cls, value: str | None, info: ValidationInfo) -> str | None:
        metric = {"provider": "longest_wait_s", "dependency": "dependency_down_s"}[str(info.field_name)]
        if value is not None and info.data.get("metric", metric) != metric:
            raise ValueError(f"goes with the metric {metric} only")
        return value

    @field_validator("threshold")
    @classmethod
    def _is_above_clear(cls, threshold: float, info: ValidationInfo) -> float:
        if "clear_below" in info.data and threshold <= info.data["clear_below"]:
            raise ValueError("must be above clear_below")
        return threshold

    def rule(self, link: str) -> Rule:
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "who"}
        who = tuple(dict.fromkeys(each for staff in self.who for each in staff.recipients()))
        values["clear"] = values.pop("clear_below")
        return Rule(**values, link=link, who=who)


class _File(_Checked):
    link: _Url
    alerts: tuple[_RuleData, ...] = Field(min_length=1)


def load_rules(path: Path, providers: Collection[str], dependencies: Collection[str] = ()) -> tuple[Rule, ...]:
    """The rules of a file, in its order. ``providers`` and ``dependencies`` are the names that a rule may watch.

    One of several parts of a kind may be named after a colon: ``asterisk:one``.

    Raises :class:`RulesError` with a line ``FILE:LINE: FIELD: CAUSE`` for each defect: then none is used.
    """
    try:
        file = read_yaml(path)
        data = _File.model_validate(file.data)
    except YamlFileError as error:
        raise RulesError(str(error)) from error
    except ValidationError as error:
        raise RulesError("\n".join(_told_all(file, error))) from error
    if defects := list(_cross_checked(file, data, providers, dependencies)):
        raise RulesError("\n".join(defects))
    return tuple(each.rule(data.link) for each in data.alerts)


def _cross_checked(
    file: YamlFile, data: _File, providers: Collection[str], dependencies: Collection[str]
) -> Iterator[str]:
    seen: set[str] = set()
    for number, each in enumerate(data.alerts):
        if each.name in seen:
            yield _line(file, ("alerts", str(number), "name"), f"{each.name} is the name of two rules")
        seen.add(each.name)
        if each.provider is not None and each.provider not in providers:
            yield _line(file, ("alerts", str(number), "provider"), f"no provider has the id {each.provider}")
        if each.dependency is not None and each.dependency.partition(":")[0] not in dependencies:
            known = ", ".join(sorted(dependencies))
            yield _line(file, ("alerts", str(number), "dependency"), f"{each.dependency} is none of {known}")


_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that a rule file has",
    "too_short": "needs at least one",
}

_FORMS = {
    "name": "must be a name of a to z, 0 to 9 and hyphens",
    "who.email": "is not an e-mail address",
    "who.webhook": "is not an http or https address",
    "who.mobile": "is not a telephone number with its country, such as +447700900123",
    "link": "is not an http or https address",
}


def _told_all(file: YamlFile, error: ValidationError) -> Iterator[str]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    inside = {each["loc"][:depth] for each in found for depth in range(len(each["loc"]))}
    for each in found:
        if each["loc"] not in inside:  # a list is also told to be too short for each of its defective items
            yield _told(file, each)


def _told(file: YamlFile, error: Any) -> str:
    cause = _PLAIN.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] == "string_pattern_mismatch":
        key = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
        cause = _FORMS.get(key.removeprefix("alerts."), "must be one line of text")
    return _line(file, tuple(str(part) for part in error["loc"]), cause[0].lower() + cause[1:])


def _line(file: YamlFile, where: tuple[str, ...], cause: str) -> str:
    field = ".".join(part for part in where if not part.isdigit()).removeprefix("alerts.")
    return f"{file.locate(where)}: {field}: {cause}" if field else f"{file.locate(where)}: {cause}"
