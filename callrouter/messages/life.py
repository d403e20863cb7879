"""The life of a message: what each person may do with it, as pure functions (docs/safety/rules.md, 5).

Each takes the message as it stands and gives it as it is afterwards, or raises a ``Refused``. Two people for free
text and for templates, always; one person, at any hour, to stop or shorten; one to start a template at night, whom a
second reviews within two hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from callrouter.approvals import (
    Approval,
    Author,
    Refused,
    require_other,
    require_role,
    require_same,
)
from callrouter.handover import Role, SignedIn
from callrouter.messages.errors import (
    ContentRefused,
    NotAtNight,
    NotInTemplate,
    OutsideOfficeHours,
    StartedBefore,
    TooLate,
    WrongPhase,
)
from callrouter.messages.model import REVIEW_WITHIN, Content, Message, Phase, Places, Review, State
from infra.areas import Areas
from infra.office import is_office_hours, last_closed

AUTHORS = frozenset({Role.COMMISSIONER, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY})
"""Who writes messages, puts approved ones live, and starts a template at night."""

APPROVERS = AUTHORS
"""Who approves what somebody else wrote. Clinical safety is among them, whatever the author says that it is about."""

STOPPERS = AUTHORS | {Role.CLINICIAN, Role.ADMINISTRATOR}
"""Who stops and shortens: one person, any hour."""

READERS = frozenset(Role) - {Role.HANDLER, Role.AMBULANCE}
"""Who sees messages and who did what with them."""

TEMPLATE_APPROVAL_LIFE = timedelta(days=90)
"""Templates are looked at again every quarter. A proposal to be signed (unverified)."""

EVERYWHERE = "everywhere"
"""The choice of all callers where a template allows it: no area holds a mobile caller, whose number tells no place."""

_CHANGEABLE = (Phase.DRAFT, Phase.APPROVED)
_GOING_ON = (Phase.SCHEDULED, Phase.LIVE)


def author(who: SignedIn) -> Author:
    """The person as one who wrote something."""
    return Author(who.user, who.session)


def edit(message: Message, content: Content, digest: str, who: SignedIn, now: datetime) -> Message:
    """Other words, times or places; whatever was approved before is void by its hash."""
    require_role(who, AUTHORS)
    _require_phase(message, now, _CHANGEABLE, "it has been put live: stop it and write another")
    if content.is_template != message.content.is_template:
        raise ContentRefused({"longest_life": "A template stays a template, a message a message"})
    return replace(message, content=content, digest=digest, authors=_with(message.authors, author(who)))


def approve(message: Message, shown: str, who: SignedIn, now: datetime, holds: timedelta) -> Message:
    """Somebody else's yes to what they were ``shown`` (its hash); a template's holds longer than ``holds``."""
    require_role(who, APPROVERS)
    _require_phase(message, now, _CHANGEABLE, "only what is not live yet is approved")
    for each in message.authors:
        require_other(who, each)
    require_same(shown, message.digest)
    _require_time_left(message, now)
    if message.content.is_template:
        if not is_office_hours(now):
            raise OutsideOfficeHours("templates are approved in office hours, Monday to Friday 08:00 to 18:00")
        holds = TEMPLATE_APPROVAL_LIFE
    given = Approval(who.user, who.role, who.session, message.digest, now, now + holds)
    return replace(message, approvals=(*message.approvals, given))


def release(message: Message, who: SignedIn, now: datetime) -> Message:
    """Put it live; before its start it is scheduled."""
    require_role(who, AUTHORS)
    if message.content.is_template:
        raise WrongPhase("a template is not put live: start it at night")
    _require_phase(message, now, _CHANGEABLE, "it has been put live already, or is over")
    _require_time_left(message, now)
    start = message.content.starts_at or now
    message.require_approved(max(start, now))  # one that has run out by the start is not one
    return replace(message, state=State.RELEASED)


def shorten(message: Message, until: datetime, who: SignedIn, now: datetime) -> Message:
    """An earlier end, by one person at any hour; never a later one."""
    require_role(who, STOPPERS)
    _require_phase(message, now, _GOING_ON, "only a scheduled or live message can be shortened")
    end = message.ends_at()
    if end is None or not now < until < end:
        raise ContentRefused({"until": "The new end must be in the future, and before the present end"})
    return replace(message, ends_early_at=until)


def stop(message: Message, who: SignedIn, now: datetime) -> Message:
    """No caller hears it any more; by one person at any hour. A draft or template is taken off the list."""
    require_role(who, STOPPERS)
    _require_phase(message, now, (*_CHANGEABLE, *_GOING_ON), "it is over already")
    return replace(message, state=State.STOPPED)


def start(
    template: Message,
    message_id: str,
    areas: tuple[str, ...],
    until: datetime,
    who: SignedIn,
    now: datetime,
    known: Areas,
) -> Message:
    """At night one duty person chooses area and end, nothing else; a second reviews it in two hours.

    Its ``digest`` is the template's: those are the words that two people approved.
    """
    require_role(who, AUTHORS)
    longest = template.content.longest_life
    if longest is None:
        raise WrongPhase("only a template can be started at night")
    if is_office_hours(now):
        raise NotAtNight("in office hours a second person is at work: write a message and have it approved")
    _require_phase(template, now, _CHANGEABLE, "this template was taken off the list")
    template.require_approved(now)
    if not areas or not all(_is_allowed(template.content.places, each, known) for each in areas):
        raise NotInTemplate("choose areas that the template allows")
    places = Places(everywhere=True) if EVERYWHERE in areas else Places(areas=areas)
    if not now < until <= now + longest:
        raise NotInTemplate(f"choose an end within {longest.total_seconds() / 3600:g} hours from now")
    content = replace(template.content, places=places, starts_at=now, expires_at=until, longest_life=None)
    return Message(
        id=message_id,
        content=content,
        digest=template.digest,
        state=State.RELEASED,
        authors=(author(who),),
        template=template.id,
        review=Review(now + REVIEW_WITHIN),
    )


def require_once(earlier: Iterable[Message], who: SignedIn, now: datetime) -> None:
    """Raise unless ``who`` may start a template of which ``earlier`` were started: once in a night without a review.

    Else one person could keep it live all night, two hours at a time. One that is on is not heard twice.
    """
    since = last_closed(now)
    for each in earlier:
        if each.phase(now) in _GOING_ON:
            raise WrongPhase("it is on already: stop that one first, or have it reviewed")
        unreviewed = each.review is not None and each.review.is_open
        if unreviewed and each.content.starts_at is not None and each.content.starts_at >= since:
            for author_ in each.authors:
                _require_another(who, author_)


def review(message: Message, who: SignedIn, now: datetime) -> Message:
    """A second person has looked at what was started at night, and lets it go on."""
    require_role(who, APPROVERS)
    if message.review is None or not message.review.is_open:
        raise WrongPhase("there is nothing to review")
    if now >= message.review.until:
        raise TooLate("the two hours are over: it has stopped itself")
    _require_phase(message, now, _GOING_ON, "it is over already")
    for each in message.authors:
        require_other(who, each)
    return replace(message, review=replace(message.review, by=who.user, at=now))


def may_review(message: Message, who: SignedIn) -> bool:
    """Whether a review by ``who`` would be a second pair of eyes: not of who wrote it or started it."""
    try:
        require_role(who, APPROVERS)
        for each in message.authors:
            require_other(who, each)
    except Refused:
        return False
    return True


def lapse(message: Message, now: datetime) -> Message | None:
    """The message, stopped, if nobody reviewed it in time; None if there is nothing to do."""
    if message.state is not State.RELEASED or message.review is None or not message.review.is_open:
        return None
    if message.review.until != message.ends_at() or now < message.review.until:
        return None
    return replace(message, state=State.STOPPED)


def _require_another(who: SignedIn, starter: Author) -> None:
    try:
        require_other(who, starter)
    except Refused as error:
        text = "you started it before tonight, and nobody has reviewed it: somebody else has to start it again"
        raise StartedBefore(text) from error


def _is_allowed(places: Places, area: str, areas: Areas) -> bool:
    if area == EVERYWHERE:
        return places.everywhere
    return area in areas and (places.everywhere or bool(areas.around(area) & set(places.areas)))


def _with(authors: tuple[Author, ...], one: Author) -> tuple[Author, ...]:
    return authors if one in authors else (*authors, one)


def _require_phase(message: Message, now: datetime, phases: tuple[Phase, ...], text: str) -> None:
    if message.phase(now) not in phases:
        raise WrongPhase(text)


def _require_time_left(message: Message, now: datetime) -> None:
    end = message.content.expires_at
    if end is not None and end <= now:
        raise TooLate("its time is over: change its end first")
