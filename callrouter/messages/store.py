"""Messages in SQL: plain functions of a connection, to be used inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callrouter.approvals import Approval, Author, ContentChanged, hash_of
from callrouter.handover import Role
from callrouter.messages import content as contents
from callrouter.messages import tables
from callrouter.messages.errors import NoSuchMessage
from callrouter.messages.model import Audio, Message, Review, State, Step
from infra.sql import insert_once

log = structlog.get_logger()
REVISION = "messages"
"""What workers follow (:mod:`infra.revisions`)."""

_CHOSEN_AT_NIGHT = ("places", "starts_at", "expires_at", "longest_life")


def get(connection: Connection, message_id: str) -> Message:
    """The message. Raises :class:`NoSuchMessage`."""
    found = connection.execute(sa.select(tables.messages).where(tables.messages.c.id == message_id)).all()
    if not found:
        raise NoSuchMessage("there is no such message")
    return _with_approvals(connection, found)[0]


def newest(connection: Connection, limit: int, at: datetime) -> list[Message]:
    """The messages that were written last, newest first, and whatever older one is not over at that time.

    Templates have no end: whoever has to start or stop something finds it, however much was written since.
    """
    c = tables.messages.c
    in_order = c.written_at.desc(), c.id
    last = sa.select(c.id).order_by(*in_order).limit(limit)
    not_over = (c.state != State.STOPPED) & (c.expires_at.is_(None) | (c.expires_at > at))
    chosen = sa.select(tables.messages).where(c.id.in_(last) | not_over).order_by(*in_order)
    return _with_approvals(connection, connection.execute(chosen).all())


def going_on(connection: Connection, since: datetime) -> list[Message]:
    """Every message that was put live and whose own end is after ``since``, stopped ones too.

    One that cannot be read here (a newer release wrote it), or that is not what its digest stands for, is logged and
    left out: the others' ends must be known.
    """
    at = tables.messages.c
    chosen = sa.select(tables.messages).where(at.state != State.DRAFT, at.expires_at > since).order_by(at.id)
    found: list[Message] = []
    for row in connection.execute(chosen).all():
        try:
            if _is_unchanged(connection, row):
                found += _with_approvals(connection, [row])
            else:
                log.error("message_changed", message=row.id)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is in that row, the next one may be an "off"
            log.error("message_unreadable", message=row.id, error=type(error).__name__)
    return found


def require_unchanged(connection: Connection, message_id: str) -> None:
    """Raise :class:`ContentChanged` unless the message is, word for word, what its digest stands for."""
    row = connection.execute(sa.select(tables.messages).where(tables.messages.c.id == message_id)).one_or_none()
    if row is not None and not _is_unchanged(connection, row):
        raise ContentChanged("its content is not what was written: write it anew")


def _is_unchanged(connection: Connection, row: Any) -> bool:
    """Of one that was started at night: whether it is its template but for place and times.

    A template that was changed since then does not say any more what it was: nothing can be compared.
    """
    content = json.loads(row.content)
    if not row.template:
        return bool(row.digest == _digest_of(connection, content))
    c = tables.messages.c
    template = connection.execute(sa.select(c.content, c.digest).where(c.id == row.template)).one_or_none()
    if template is None or template.digest != row.digest:
        return template is not None
    words = json.loads(template.content)
    return bool(row.digest == _digest_of(connection, words) and _but_chosen(words) == _but_chosen(content))


def _digest_of(connection: Connection, content: dict[str, Any]) -> str:
    """The digest of a content as it is written, whatever fields this release has beside."""
    facts = audio_facts(connection, [key for key, _, _ in contents.read(content).spoken()])
    return hash_of({"content": content, "audio": {key: sha256 for key, (sha256, _) in facts.items()}})


def _but_chosen(content: dict[str, Any]) -> dict[str, Any]:
    """Without what whoever starts a template chooses."""
    return {name: value for name, value in content.items() if name not in _CHOSEN_AT_NIGHT}


def unreviewed(connection: Connection, at: datetime) -> list[Message]:
    """What one person started, nobody has reviewed or stopped, and is either not over at ``at`` or ends unreviewed.

    The latter stays here however long ago that was, until it is written down that it has stopped itself.
    """
    chosen = sa.select(tables.messages).where(_UNREVIEWED).order_by(tables.messages.c.id)
    return _with_approvals(connection, connection.execute(chosen, unreviewed_at(at)).all())


def unreviewed_at(at: datetime) -> dict[str, object]:
    """The values of :data:`ANY_UNREVIEWED`."""
    return {"released": State.RELEASED, "at": at}


def _unreviewed() -> sa.ColumnElement[bool]:
    c = tables.messages.c
    waiting = (c.state == sa.bindparam("released")) & c.review_until.is_not(None) & c.reviewed_at.is_(None)
    lapses = (c.expires_at >= c.review_until) & (c.ends_early_at.is_(None) | (c.ends_early_at >= c.review_until))
    return waiting & ((c.expires_at > sa.bindparam("at")) | lapses)


_UNREVIEWED = _unreviewed()
ANY_UNREVIEWED = sa.select(tables.messages.c.id).where(_UNREVIEWED).limit(1)
"""Whether :func:`unreviewed` finds any."""


def started_from(connection: Connection, template: str, since: datetime) -> list[Message]:
    """What was started from the template and, by its own end, could still be heard after ``since``."""
    c = tables.messages.c
    chosen = sa.select(tables.messages).where(c.template == template, c.expires_at > since).order_by(c.id)
    return _with_approvals(connection, connection.execute(chosen).all())


def add(connection: Connection, message: Message, at: datetime) -> None:
    """A message that nobody has seen before."""
    connection.execute(sa.insert(tables.messages).values(id=message.id, written_at=at, **_row(message)))


def put(connection: Connection, before: Message, after: Message) -> None:
    """The message as it is now, with approvals that came since."""
    same = tables.messages.c.id == after.id
    connection.execute(sa.update(tables.messages).where(same).values(**_row(after)))
    for each in after.approvals[len(before.approvals) :]:
        connection.execute(sa.insert(tables.approvals).values(message=after.id, **_approval_row(each)))


def note(connection: Connection, step: Step) -> None:
    """Add a line to the record."""
    connection.execute(
        sa.insert(tables.steps).values(
            at=step.at, message=step.message, step=step.step, by=step.by, role=step.role, note=step.note, name=step.name
        )
    )


def steps_of(connection: Connection, message_id: str) -> list[Step]:
    """Who did what with the message, oldest first."""
    at = tables.steps.c
    chosen = sa.select(at.at, at.message, at.step, at.by, at.role, at.note, at.name).where(at.message == message_id)
    return [Step(**row._mapping) for row in connection.execute(chosen.order_by(at.id))]


def keep_audio(connection: Connection, made: Iterable[Audio]) -> None:
    """Keep sounds; one that is there already stays as it is."""
    for each in made:
        row = {"key": each.key, "wav": each.wav, "sha256": each.sha256, "seconds": each.seconds}
        connection.execute(insert_once(tables.audio, connection.dialect.name).values(**row))


def audio_of(connection: Connection, keys: Iterable[str]) -> dict[str, Audio]:
    """The sounds that there are, by key."""
    chosen = sa.select(tables.audio).where(tables.audio.c.key.in_(list(keys)))
    return {row.key: Audio(**row._mapping) for row in connection.execute(chosen)}


def audio_facts(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[str, float]]:
    """SHA-256 and seconds of the sounds that there are, by key, without the sounds themselves."""
    at = tables.audio.c
    chosen = sa.select(at.key, at.sha256, at.seconds).where(at.key.in_(list(keys)))
    return {row.key: (row.sha256, row.seconds) for row in connection.execute(chosen)}


def _row(message: Message) -> dict[str, Any]:
    review = message.review
    return {
        "content": json.dumps(contents.plain(message.content), ensure_ascii=False),
        "digest": message.digest,
        "state": message.state.value,
        "authors": json.dumps([[each.user, each.session] for each in message.authors]),
        "expires_at": message.content.expires_at,
        "ends_early_at": message.ends_early_at,
        "template": message.template,
        "review_until": review.until if review else None,
        "reviewed_by": review.by if review else "",
        "reviewed_at": review.at if review else None,
    }


def _approval_row(approval: Approval) -> dict[str, Any]:
    return {
        "by": approval.by,
        "role": approval.role.value,
        "session": approval.session,
        "content": approval.content,
        "at": approval.at,
        "expires_at": approval.expires_at,
    }


def _with_approvals(connection: Connection, rows: Sequence[Any]) -> list[Message]:
    at = tables.approvals.c
    chosen = sa.select(tables.approvals).where(at.message.in_([row.id for row in rows])).order_by(at.id)
    given: dict[str, list[Approval]] = {}
    for row in connection.execute(chosen):
        one = Approval(row.by, Role(row.role), row.session, row.content, row.at, row.expires_at)
        given.setdefault(row.message, []).append(one)
    return [_message(row, tuple(given.get(row.id, ()))) for row in rows]


def _message(row: Any, given: tuple[Approval, ...]) -> Message:
    review = Review(row.review_until, row.reviewed_by, row.reviewed_at) if row.review_until else None
    return Message(
        id=row.id,
        content=contents.read(json.loads(row.content)),
        digest=row.digest,
        state=State(row.state),
        authors=tuple(Author(user, session) for user, session in json.loads(row.authors)),
        approvals=given,
        ends_early_at=row.ends_early_at,
        template=row.template,
        review=review,
    )
