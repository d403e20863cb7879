"""Who may agree to what callers will meet, and when that is enough. Flows and messages share these rules.

docs/safety/rules.md, 5. An approval is of a hash of everything that a caller can meet; nobody approves what they wrote.

::

    Refused               base: ``error_id`` is stable, ``status`` is HTTP's, the text says what to do
    ├── RoleMissing       somebody with another role has to do this
    ├── OwnWork           who wrote it may not approve it: ask somebody else
    ├── SameSession       it was written in this very session: sign in elsewhere, as yourself
    ├── ContentChanged    what was read is not what would be approved or published: read it again
    ├── ApprovalMissing   nobody else has approved it yet
    ├── ApprovalExpired   it was approved too long ago: have it approved again
    ├── SafetyMissing     it needs an approval of somebody with the role clinical safety
    └── StoreAway         the database is away: whether it was done, the list tells when it is back
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from callrouter.errors import CallRouterError
from callrouter.handover import Role, SignedIn


class Refused(CallRouterError):
    """Nothing was changed (but see :class:`StoreAway`). The text says what to do instead."""

    error_id: ClassVar[str] = "refused"
    status: ClassVar[int] = 409


class RoleMissing(Refused):
    """Somebody with another role has to do this."""

    error_id = "role_missing"
    status = 403


class OwnWork(Refused):
    """Who wrote it may not approve it."""

    error_id = "own_work"
    status = 403


class SameSession(Refused):
    """It was written in this very session, whatever name it bears now."""

    error_id = "same_session"
    status = 403


class ContentChanged(Refused):
    """What was read, or approved, is not what is there now."""

    error_id = "content_changed"


class ApprovalMissing(Refused):
    """Nobody else has approved it yet."""

    error_id = "approval_missing"


class ApprovalExpired(Refused):
    """It was approved too long ago."""

    error_id = "approval_expired"


class SafetyMissing(Refused):
    """It touches clinical safety, and nobody with that role has approved it."""

    error_id = "clinical_safety_missing"


class StoreAway(Refused):
    """The database is away. Calls go on; nobody can say whether a change was kept: look before trying again."""

    error_id = "store_away"
    status = 503


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote something, and in which session."""

    user: str
    session: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody agreed to the content with this hash; it holds until ``expires_at``."""

    by: str
    role: Role
    session: str = field(repr=False)
    content: str
    at: datetime
    expires_at: datetime


def hash_of(content: Any) -> str:
    """SHA-256, in hex, of plain data: the same for the same data, in whatever order its keys stand."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def require_role(who: SignedIn, roles: Collection[Role]) -> None:
    """Raise :class:`RoleMissing`, naming who may, unless ``who`` signed in with one of ``roles``."""
    if who.role not in roles:
        raise RoleMissing(f"this needs somebody with the role {names_of(roles)}")


def require_other(who: SignedIn, author: Author) -> None:
    """Raise :class:`OwnWork` or :class:`SameSession` if ``who`` may not judge what ``author`` wrote."""
    if _name(who.user) == _name(author.user):
        raise OwnWork("who wrote it may not approve it: ask somebody else")
    if who.session and who.session == author.session:
        raise SameSession("it was written in this session: whoever approves has to sign in elsewhere")


def is_other(who: SignedIn, authors: Iterable[Author]) -> bool:
    """Whether :func:`require_other` lets ``who`` judge what all of ``authors`` wrote."""
    try:
        for each in authors:
            require_other(who, each)
    except (OwnWork, SameSession):
        return False
    return True


def names_of(roles: Collection[Role]) -> str:
    """As people read them: "clinical safety, commissioner"."""
    return ", ".join(sorted(each.value.replace("_", " ") for each in roles))


def require_same(shown: str, content: str) -> None:
    """Raise :class:`ContentChanged` unless what somebody read (``shown``, a hash) is what is there."""
    if shown != content:
        raise ContentChanged("it is not what you have read: open it again")


def require_enough(
    approvals: Sequence[Approval], *, author: Author, content: str, at: datetime, clinical_safety: bool
) -> None:
    """Raise unless somebody else has approved exactly this ``content``, and the approval still holds ``at`` that time.

    ``clinical_safety``: one of those who approved must have that role. Never trusts that an approval was rightly
    taken: an author's own, or one of another content, counts for nothing.
    """
    others = [each for each in approvals if is_anothers(each, author)]
    matching = [each for each in others if each.content == content]
    if others and not matching:
        raise ContentChanged("it was changed after it was approved: have it approved again")
    valid = [each for each in matching if at < each.expires_at]
    if matching and not valid:
        raise ApprovalExpired("it was approved too long ago: have it approved again")
    if clinical_safety and not any(each.role is Role.CLINICAL_SAFETY for each in valid):
        raise SafetyMissing("it needs an approval of somebody with the role clinical safety")
    if not valid:
        raise ApprovalMissing("somebody other than its author has to approve it first")


def is_anothers(approval: Approval, author: Author) -> bool:
    """Whether somebody else than ``author`` agreed, and in another session."""
    same_session = bool(approval.session) and approval.session == author.session
    return _name(approval.by) != _name(author.user) and not same_session


def _name(user: str) -> str:
    return " ".join(user.split()).casefold()
