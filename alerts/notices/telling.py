"""Notices of what is due to be told: one for each recipient, however many alerts of a group they hear of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from alerts.figures.small_numbers import of_few
from alerts.model import AlertState, Channel, Notice, NoticeKind, Recipient, Rule, page_of
from alerts.notices.wording import line


@dataclass(frozen=True, slots=True)
class Telling:
    """An alert that ``who`` is to be told of. ``step``: for the how-many-eth time, 0 the first."""

    rule: Rule
    state: AlertState
    kind: NoticeKind
    step: int
    value: float
    who: tuple[Recipient, ...]


def notices(tellings: Sequence[Telling], at: datetime) -> list[Notice]:
    """One notice for each address and kind, the worst alert first, the others as lines below it."""
    heard: dict[NoticeKind, dict[tuple[Channel, str], tuple[list[Recipient], list[Telling]]]] = {}
    for telling in tellings:
        for recipient in telling.who:
            there = heard.setdefault(telling.kind, {})
            people, told = there.setdefault((recipient.channel, recipient.address), ([], []))
            people.append(recipient)
            if telling not in told:
                told.append(telling)
    found = (each for there in heard.values() for each in there.values())
    return [_notice(_together(people), _worst_first(told), at) for people, told in found]


def by_address(recipients: Iterable[Recipient]) -> list[Recipient]:
    """Each address once: who shares a mailbox or a telephone is one recipient, by all their names."""
    found: dict[tuple[Channel, str], list[Recipient]] = {}
    for each in recipients:
        found.setdefault((each.channel, each.address), []).append(each)
    return [_together(each) for each in found.values()]


def _together(people: Sequence[Recipient]) -> Recipient:
    """Who has one address: it fails for all of them, and then they are tried by every other that they have."""
    names = ", ".join(dict.fromkeys(each.name for each in people))
    then = {(way.channel, way.address): way for each in people for way in each.then}
    return replace(people[0], name=names, then=tuple(then.values()))


def quiet(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """The same people without telephone calls: nobody is rung up to hear that something is over."""
    found = []
    for recipient in recipients:
        ways = [replace(each, then=()) for each in recipient.ways if each.channel != "voice"]
        if ways:
            found.append(replace(ways[0], then=tuple(ways[1:])))
    return tuple(found)


_WORST_FIRST = ("critical", "warning", "notice")


def _worst_first(tellings: list[Telling]) -> list[Telling]:
    return sorted(tellings, key=lambda each: (_WORST_FIRST.index(each.state.severity), each.state.rule))


def _notice(recipient: Recipient, tellings: list[Telling], at: datetime) -> Notice:
    first, *others = tellings
    rule, state = first.rule, first.state
    notice = Notice(
        id=_id(tellings),
        alert=" ".join(each.state.rule for each in tellings),
        kind=first.kind,
        rule=rule.name,
        severity=state.severity,
        what=state.what,
        where=state.where,
        metric=rule.metric,
        since=(state.since or at).astimezone(UTC),
        at=at.astimezone(UTC),
        value=first.value,
        worst=state.worst,
        threshold=rule.threshold,
        clear=rule.clear,
        usually_helps=rule.usually_helps,
        link=f"{rule.link.rstrip('/')}/alerts/{page_of(state.rule)}",
        recipient=recipient,
        than_usual=rule.than_usual,
        of_few=of_few(state.scope),
    )
    return replace(notice, also=tuple(_line(notice, each) for each in others))


def _line(notice: Notice, telling: Telling) -> str:
    rule, state = telling.rule, telling.state
    return line(
        replace(
            notice,
            what=state.what,
            where=state.where,
            metric=rule.metric,
            value=telling.value,
            than_usual=rule.than_usual,
            of_few=of_few(state.scope),
        )
    )


def _id(tellings: list[Telling]) -> str:
    """The same for every recipient who hears of the same alerts, and for every worker."""
    first = tellings[0]
    since = (first.state.since or datetime.min.replace(tzinfo=UTC)).astimezone(UTC)
    turn = f"{first.kind}.{first.step}" if first.step else first.kind
    told = f"{first.state.rule}.{since:%Y%m%dT%H%M%S.%fZ}.{turn}".replace(":", ".")
    if len(tellings) == 1:
        return told
    others = "\n".join(f"{each.state.rule} {each.state.since}" for each in tellings[1:])
    return f"{told}.{hashlib.sha256(others.encode()).hexdigest()[:8]}"
