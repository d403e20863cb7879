"""The repeat-caller rule of NHS 111, on hashes and times alone: no store, no clock.

s is the start of this call. Distinct earlier encounters of the same patient count where 0 < s - start <= 345,600 s;
two or more make a repeat (docs/safety/rules.md, 4; docs/repeat-callers.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from callrouter.ports import RepeatFound
from callrouter.repeat.patient import FEWEST_IN_COMMON, FIVE, Traits

WINDOW = timedelta(seconds=345_600)
EARLIER_NEEDED = 2
SAME_CONTACT = timedelta(minutes=30)
ENOUGH_FOR_THE_SAME = 4


@dataclass(frozen=True, slots=True)
class Encounter:
    """One completed contact, as it is kept. ``started`` is UTC; ``doubtful``: it may not be the real start.

    ``provider`` is whose contact it was (an ODS code or our name for it), empty if that is not known. ``context`` and
    ``case`` are keyed hashes of our context id and of the provider's case reference.
    """

    id: str
    started: datetime
    traits: Traits
    provider: str = ""
    context: str | None = None
    case: str | None = None
    external: bool = False
    doubtful: bool = False


class Tie(StrEnum):
    """Whether two contacts are of one patient."""

    SAME = "same"
    MAYBE = "maybe"
    BY_NUMBER = "by_number"
    TOO_LITTLE = "too_little"
    OTHER = "other"


_CLOSER = [Tie.TOO_LITTLE, Tie.OTHER, Tie.BY_NUMBER, Tie.MAYBE, Tie.SAME]
"""Under a key that is not the encounter's own nothing is equal: what is found under its own comes later here."""

_POSSIBLE = frozenset({Tie.SAME, Tie.MAYBE, Tie.BY_NUMBER})
_UNDECIDED = _POSSIBLE | {Tie.TOO_LITTLE}


def tie(one: Traits, other: Traits) -> Tie:
    """How two contacts hang together.

    Verified NHS numbers decide. Else what is known on both sides of the five: four equal are the same patient, save
    with differing first names (twins), which is as uncertain as three equal. A number alone is a possibility where
    too little else is known; where enough is known, and differs, it is another person of the household.
    """
    if one.nhs is not None and other.nhs is not None:
        return Tie.SAME if one.nhs == other.nhs else Tie.OTHER
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in FIVE}
    present = {name: pair for name, pair in pairs.items() if None not in pair}
    equal = {name for name, (first, second) in present.items() if first == second}
    if len(equal) >= ENOUGH_FOR_THE_SAME:
        twins = "first_name" in present and "first_name" not in equal
        return Tie.MAYBE if twins else Tie.SAME
    if len(equal) >= FEWEST_IN_COMMON:
        return Tie.MAYBE
    if len(present) >= FEWEST_IN_COMMON:
        return Tie.OTHER
    return Tie.BY_NUMBER if one.numbers & other.numbers else Tie.TOO_LITTLE


@dataclass(slots=True)
class _Contact:
    """Encounters that are one: the first of them, and those that joined it."""

    members: list[Encounter] = field(default_factory=list)

    @property
    def started(self) -> datetime:
        return self.members[0].started

    def takes(self, other: Encounter) -> bool:
        """Whether ``other``, which did not start earlier, is the same contact."""
        if any(_same_reference(each, other) for each in self.members):
            return True
        # two case references of one provider are two contacts, however close (docs/adr/0018)
        if any(each.case and other.case and each.provider == other.provider for each in self.members):
            return False
        first = self.members[0]
        near = other.provider != "" and first.provider == other.provider
        if not near or other.started - first.started > SAME_CONTACT:
            return False
        # A report may be that of a call of ours of which we know the number alone. Two calls from one number are of one
        # patient for certain only where that is known: who rings again within minutes must not count as one contact.
        enough = _POSSIBLE if first.external != other.external else {Tie.SAME}
        return tie(first.traits, other.traits) in enough


def _same_reference(one: Encounter, other: Encounter) -> bool:
    by_context = one.context is not None and one.context == other.context
    return by_context or (one.case is not None and one.case == other.case) or one.id == other.id


def distinct(encounters: Iterable[Encounter]) -> list[Encounter]:
    """The first encounter of each contact, oldest first, in whatever order they come."""
    contacts: list[_Contact] = []
    for each in sorted(encounters, key=lambda encounter: (encounter.started, encounter.id)):
        known = next((contact for contact in contacts if contact.takes(each)), None)
        if known is None:
            contacts.append(_Contact([each]))
        else:
            known.members.append(each)
    return [contact.members[0] for contact in contacts]


def judge(caller: Sequence[Traits], start: datetime, encounters: Sequence[Encounter]) -> RepeatFound:
    """What the earlier encounters make of a call of this caller that started then (aware).

    ``caller``: the same caller under each index key, since an encounter is kept under one of them.
    """
    before = [each for each in encounters if each.started < start]
    ties = [(each, max((tie(one, each.traits) for one in caller), key=_CLOSER.index)) for each in before]

    def earlier(those: Collection[Tie]) -> list[Encounter]:
        # what is one contact is told first: one that began before the window does not count by a later part of it
        found = distinct(each for each, how in ties if how in those)
        return [each for each in found if start - each.started <= WINDOW]

    sure = earlier({Tie.SAME})
    if len(sure) >= EARLIER_NEEDED:
        return RepeatFound("RC", "same_patient", _starts(sure), tuple(each.id for each in sure))
    possible = earlier(_POSSIBLE)
    if len(possible) >= EARLIER_NEEDED:
        near = [how for each, how in ties if how in _POSSIBLE and start - each.started <= WINDOW]
        only_number = all(how is Tie.BY_NUMBER for how in near)
        return RepeatFound("PRC", "by_number" if only_number else "similar_patient", _starts(possible))
    if len(earlier(_UNDECIDED)) >= EARLIER_NEEDED:
        return RepeatFound("IIQ", "too_little_in_common")
    return RepeatFound("NRC", "fewer_than_two_earlier", _starts(possible))


def _starts(encounters: Iterable[Encounter]) -> tuple[datetime, ...]:
    return tuple(each.started for each in encounters)
