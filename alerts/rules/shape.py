"""The shape of a rule file: what each key may hold, before anything is compared with anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from alerts.figures.items import Scope
from alerts.model import (
    LIVE_METRICS,
    LONDON,
    WINDOW_METRICS,
    Channel,
    Condition,
    Metric,
    Recipient,
    Severity,
    Window,
    Worse,
)
from alerts.rules.rotas import DAYS, Hours, Rota, Shift, StandIn
from infra.office import CLOSES, OPENS

LONGEST_FOR_S = 3600
"""A rule that needs more than an hour of breach is a report, not an alert."""

LONGEST_GROUP_WAIT_S = 60
SHORTEST_STEP_S = 30
"""Nobody can read a notice, open its page and press a button in less."""

EACH = ("each provider", "each service", "each area")

_OneLine = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]
_Slug = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z][a-z0-9-]*$")]
_Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]
_Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s/]+\S*$")]
_Mobile = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{9,14}$")]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_ADDRESS_OF: dict[Channel, str] = {"email": "email", "webhook": "webhook", "text": "mobile", "voice": "mobile"}
_ALL_AT_ONCE: tuple[Channel, ...] = ("email", "webhook", "text")
"""Not by voice: a call to every telephone that a file happens to name is asked for, not assumed."""


class Checked(BaseModel):
    """No key that is not known; nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Staff(Checked):
    """A person. ``channels``: the order in which they are tried, the next when one fails; without it, all at once.

    In ``who``, a name alone stands for the person of that name in the file's ``staff``.
    """

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

    @property
    def is_reachable(self) -> bool:
        """Whether there is any way to tell them."""
        return any((self.email, self.webhook, self.mobile))

    def recipients(self) -> Iterator[Recipient]:
        """Each way to tell them that is tried at once, with those that come after it."""
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


class HoursData(Checked):
    """Times of the week; ``from`` 20:00 ``to`` 08:00 is over midnight, 00:00 to 00:00 the whole day."""

    days: tuple[_Day, ...] = Field(default_factory=lambda: get_args(_Day), min_length=1)
    begins: _Clock = Field(alias="from")
    ends: _Clock = Field(alias="to")

    def hours(self) -> Hours:
        """As the package uses them."""
        days = frozenset(DAYS.index(each) for each in self.days)
        return Hours(days, time.fromisoformat(self.begins), time.fromisoformat(self.ends))


class WatchedHoursData(HoursData):
    """When a rule is watched."""

    not_on_bank_holidays: bool = False

    def hours(self) -> Hours:
        """As the package uses them."""
        return replace(super().hours(), not_on_bank_holidays=self.not_on_bank_holidays)


def _in_full(hours: object) -> object:
    """``office`` and ``always``, written out."""
    if hours == "always":
        return None
    if hours == "office":
        times = {"from": f"{OPENS:%H:%M}", "to": f"{CLOSES:%H:%M}"}
        return [{"days": get_args(_Day)[:5], **times, "not_on_bank_holidays": True}]
    if isinstance(hours, str):
        raise ValueError("must be always, office, or a list of hours")
    return hours


class ShiftData(HoursData):
    """Who is on duty in these hours of every week."""

    who: tuple[Staff, ...] = Field(min_length=1)


class StandInData(Checked):
    """Who is on duty instead, between two times by the clocks of London."""

    begins: datetime = Field(alias="from")
    ends: datetime = Field(alias="until")
    who: tuple[Staff, ...] = Field(min_length=1)

    @field_validator("begins", "ends")
    @classmethod
    def _is_of_london(cls, at: datetime) -> datetime:
        return at if at.tzinfo else at.replace(tzinfo=LONDON)

    @field_validator("ends")
    @classmethod
    def _is_after(cls, ends: datetime, info: ValidationInfo) -> datetime:
        if "begins" in info.data and ends <= info.data["begins"]:
            raise ValueError("must be after from")
        return ends


class RotaData(Checked):
    """A rota; somebody has to be on duty at every minute of the week."""

    shifts: tuple[ShiftData, ...] = Field(min_length=1)
    stand_ins: tuple[StandInData, ...] = ()

    def rota(self, name: str, people: People) -> Rota:
        """As the package uses it."""
        shifts = tuple(Shift(each.hours(), people.told(each.who)) for each in self.shifts)
        stand_ins = tuple(StandIn(each.begins, each.ends, people.told(each.who)) for each in self.stand_ins)
        return Rota(name, shifts, stand_ins)


class People:
    """The staff of a file by name."""

    def __init__(self, staff: Sequence[Staff]) -> None:
        self._by_name = {each.name: each for each in staff}

    def has(self, person: Staff) -> bool:
        """Whether there is a way to tell this person."""
        return person.is_reachable or person.name in self._by_name

    def told(self, who: Sequence[Staff]) -> tuple[Recipient, ...]:
        """Every way to tell these people, nobody twice."""
        known = (each if each.is_reachable else self._by_name[each.name] for each in who)
        return tuple(dict.fromkeys(one for each in known for one in each.recipients()))


class EscalationData(Checked):
    """Who is told when nobody has taken it on for ``after_s`` seconds."""

    after_s: float = Field(ge=SHORTEST_STEP_S, allow_inf_nan=False)
    who: tuple[Staff, ...] = ()
    on_duty: tuple[_Slug, ...] = ()


class ConditionData(Checked):
    """So many alerts of another rule fire."""

    rule: _Slug
    at_least: int = Field(default=1, ge=1)

    def condition(self) -> Condition:
        """As the package uses it."""
        return Condition(self.rule, self.at_least)


class RuleData(Checked):
    """One rule. The keys are explained in docs/alerts.md."""

    name: _Slug
    title: _OneLine
    metric: Metric
    scope: str = "total"
    dependency: str | None = None
    worse: Worse = "above"
    window: Window | None = None
    compared_with: Literal["usual"] | None = None
    calls_at_least: int = Field(default=1, ge=1)
    usual_at_least: _Number = 0.0
    any_of: tuple[ConditionData, ...] = ()
    all_of: tuple[ConditionData, ...] = ()
    hours: Annotated[tuple[WatchedHoursData, ...] | None, BeforeValidator(_in_full)] = None
    clear_below: _Number | None = None  # both before the threshold, which is compared with them
    clear_above: _Number | None = None
    threshold: _Number | None = None
    for_s: float = Field(ge=0, le=LONGEST_FOR_S, allow_inf_nan=False)
    severity: Severity
    usually_helps: _OneLine
    source: _OneLine
    verified: bool = False
    who: tuple[Staff, ...] = ()
    on_duty: tuple[_Slug, ...] = ()
    escalate: tuple[EscalationData, ...] = ()
    repeat_s: float = Field(default=0, ge=0, allow_inf_nan=False)
    group: _Slug | None = None
    group_wait_s: float = Field(default=0, ge=0, le=LONGEST_GROUP_WAIT_S, allow_inf_nan=False)
    inhibited_by: tuple[_Slug, ...] = ()

    @field_validator("metric")
    @classmethod
    def _is_for_rules(cls, metric: Metric) -> Metric:
        if metric == "rule_removed":
            raise ValueError("is of notices alone")
        return metric

    @field_validator("scope")
    @classmethod
    def _is_a_scope(cls, scope: str, info: ValidationInfo) -> str:
        if scope not in EACH:
            Scope.read(scope)
        metric = info.data.get("metric", "offered")
        if scope != "total" and metric not in LIVE_METRICS | WINDOW_METRICS:
            raise ValueError(f"{metric} is of the whole service only")
        if metric in LIVE_METRICS and scope != "total" and "provider" not in scope.partition(":")[0]:
            raise ValueError(f"{metric} is known of the whole service and of providers")
        return scope

    @field_validator("dependency")
    @classmethod
    def _is_of_its_metric(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("metric", "dependency_down_s") != "dependency_down_s":
            raise ValueError("goes with the metric dependency_down_s only")
        return value

    @field_validator("window", "compared_with")
    @classmethod
    def _is_of_windows(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("metric", "offered") not in WINDOW_METRICS:
            raise ValueError(f"goes with {', '.join(sorted(WINDOW_METRICS))} only")
        if value == "usual" and info.data.get("window") == "today":
            raise ValueError("what is usual is known of an hour: take a window of 5, 15 or 60 minutes")
        return value

    @field_validator("hours")
    @classmethod
    def _is_ever(cls, hours: object) -> object:
        if hours == ():
            raise ValueError("is never: leave it out, or name some")
        return hours

    @field_validator("threshold")
    @classmethod
    def _clears_on_the_good_side(cls, threshold: float | None, info: ValidationInfo) -> float | None:
        seen = info.data
        if seen.get("metric") == "composite":
            raise ValueError("a composite rule has none: it fires as long as what it names does")
        if threshold is None or "clear_below" not in seen or "clear_above" not in seen:
            return threshold
        if seen.get("worse") == "below" and seen.get("compared_with") is None:
            if seen["clear_above"] is None or seen["clear_below"] is not None:
                raise ValueError("needs clear_above, and no clear_below, where less is worse")
            if threshold >= seen["clear_above"]:
                raise ValueError("must be below clear_above")
        elif seen["clear_below"] is None or seen["clear_above"] is not None:
            raise ValueError("needs clear_below, and no clear_above")
        elif threshold <= seen["clear_below"]:
            raise ValueError("must be above clear_below")
        return threshold

    @field_validator("repeat_s")
    @classmethod
    def _is_no_storm(cls, repeat_s: float) -> float:
        if 0 < repeat_s < SHORTEST_STEP_S:
            raise ValueError(f"must be 0 or at least {SHORTEST_STEP_S}")
        return repeat_s


class RuleFile(Checked):
    """The whole file. ``link``: the address of the pages, of which every notice names one."""

    link: _Url
    staff: tuple[Staff, ...] = ()
    rotas: dict[_Slug, RotaData] = {}
    alerts: tuple[RuleData, ...] = Field(min_length=1)
