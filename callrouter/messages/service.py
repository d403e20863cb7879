"""What people do with front-end messages. Every rule is enforced here, whoever asks: a page, the API, a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callrouter.approvals import StoreAway, require_role, require_same
from callrouter.handover import SignedIn
from callrouter.messages import life, store
from callrouter.messages.content import Known, digest_of, read, require_fit
from callrouter.messages.errors import NobodyToTell
from callrouter.messages.model import Audio, Content, Message, State, Step
from callrouter.messages.ports import Reviewers, ReviewNotice, Voice
from callrouter.messages.sound import SoundFacts, make_sound, require_short, require_sound
from infra.clock import Clock
from infra.office import last_closed
from infra.revisions import advance
from infra.sql import Database

NEWEST = 200
"""Messages that a list shows beside all that are not over; older ones stay on record."""

THE_SERVICE = "the service"

log = structlog.get_logger()
T = TypeVar("T")
Rule = Callable[[Message, datetime], Message]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything about one message: itself, its record, and which prompts have a sound (SHA-256 and seconds by key)."""

    message: Message
    steps: tuple[Step, ...]
    sound: SoundFacts


class MessageService:
    """Writes, approves, releases, stops. Every method may raise a ``Refused``; then nothing was changed.

    But of ``StoreAway`` nobody can say: look at the list when the database is back.

    ``needs_sound``: there are SIP callers, so that words without a sound cannot be approved.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        known: Known,
        voice: Voice,
        reviewers: Reviewers,
        new_id: Callable[[], str],
        approval_life: timedelta,
        needs_sound: bool = False,
    ) -> None:
        self.known = known
        self._database = database
        self._clock = clock
        self._voice = voice
        self._reviewers = reviewers
        self._new_id = new_id
        self._approval_life = approval_life
        self._needs_sound = needs_sound
        self._told: set[tuple[str, str]] = set()

    async def draft(self, content: Content | dict[str, Any], who: SignedIn) -> Message:
        """A new message or template; nobody hears it yet."""
        require_role(who, life.AUTHORS)
        written, digest = await self._prepare(content)
        message = Message(
            id=self._new_id(), content=written, digest=digest, state=State.DRAFT, authors=(life.author(who),)
        )
        return await self._write(partial(self._add, message=message, step="drafted", who=who))

    async def edit(
        self, message_id: str, content: Content | dict[str, Any], who: SignedIn, shown: str | None = None
    ) -> Message:
        """Change what is not live yet; approvals of what it was before count no longer.

        ``shown``: the digest of what ``who`` changes. What somebody else has changed meanwhile is not undone unseen.
        """
        require_role(who, life.AUTHORS)
        written, digest = await self._prepare(content)

        def rule(message: Message, now: datetime) -> Message:
            if shown is not None:
                require_same(shown, message.digest)
            return life.edit(message, written, digest, who, now)

        return await self._move(message_id, "edited", who, rule)

    async def approve(self, message_id: str, shown: str, who: SignedIn) -> Message:
        """A yes to exactly what was ``shown`` (its digest), by somebody who did not write it."""
        if self._needs_sound:
            sheet = await self.sheet(message_id, who)
            require_sound(sheet.message.content, sheet.sound)
        holds = self._approval_life
        return await self._move(message_id, "approved", who, lambda m, now: life.approve(m, shown, who, now, holds))

    async def release(self, message_id: str, who: SignedIn) -> Message:
        """Put an approved message live, or schedule it."""

        def work(connection: Connection) -> Message:
            store.require_unchanged(connection, message_id)
            return self._moved(connection, message_id, "released", who, lambda m, now: life.release(m, who, now))

        return await self._write(work)

    async def shorten(self, message_id: str, until: datetime, who: SignedIn) -> Message:
        """An earlier end."""
        note = f"until {until.isoformat(timespec='minutes')}"
        return await self._move(message_id, "shortened", who, lambda m, now: life.shorten(m, until, who, now), note)

    async def stop(self, message_id: str, who: SignedIn) -> Message:
        """Off at once, on every worker within a second."""
        return await self._move(message_id, "stopped", who, lambda m, now: life.stop(m, who, now))

    async def start(self, template_id: str, areas: tuple[str, ...], until: datetime, who: SignedIn) -> Message:
        """At night: a template, live at once in ``areas`` until then; the second reviewer is told."""
        if not self._reviewers.anybody:
            raise NobodyToTell("no second reviewer is named: add an alert rule of the metric night_message")
        now = self._clock.now()

        def work(connection: Connection) -> Message:
            advance(connection, store.REVISION)  # first: of two people who start it at once, one sees the other's
            store.require_unchanged(connection, template_id)
            template = store.get(connection, template_id)
            started = life.start(template, self._new_id(), areas, until, who, now, self.known.areas)
            life.require_once(store.started_from(connection, template_id, last_closed(now)), who, now)
            return self._add(connection, started, "started_at_night", who)

        message = await self._write(work)
        await self._tell_guarded(message)
        return message

    async def review(self, message_id: str, who: SignedIn) -> Message:
        """A second person lets a message of the night go on."""
        return await self._move(message_id, "reviewed", who, lambda m, now: life.review(m, who, now))

    async def look_after(self) -> None:
        """Stop what nobody reviewed in time, and see that reviewers were told; to be called every few seconds."""
        since = self._clock.now()
        with _store_away():
            any_unreviewed = await self._database.poll(store.ANY_UNREVIEWED, store.unreviewed_at(since))
        if not any_unreviewed:
            return
        for message in await self._read(lambda connection: store.unreviewed(connection, since)):
            if life.lapse(message, self._clock.now()) is None:
                await self._tell_guarded(message)
                continue
            stopped = await self._write(partial(self._lapse, message_id=message.id))
            if stopped is not None:
                log.info("message_stopped_itself", message=stopped.id)
            await self._tell_guarded(stopped or message, "stopped_itself")

    async def newest(self, who: SignedIn) -> list[Message]:
        """What was written last, newest first, and whatever is not over."""
        require_role(who, life.READERS)
        now = self._clock.now()
        return await self._read(lambda connection: store.newest(connection, NEWEST, now))

    async def sheet(self, message_id: str, who: SignedIn) -> Sheet:
        """One message with its record."""
        require_role(who, life.READERS)

        def work(connection: Connection) -> Sheet:
            message = store.get(connection, message_id)
            keys = [key for key, _, _ in message.content.spoken()]
            return Sheet(message, tuple(store.steps_of(connection, message_id)), store.audio_facts(connection, keys))

        return await self._read(work)

    async def sound(self, key: str, who: SignedIn) -> Audio | None:
        """A prompt's sound, to be heard before it is approved; None if there is none."""
        require_role(who, life.READERS)
        found = await self._read(lambda connection: store.audio_of(connection, [key]))
        return found.get(key)

    async def _prepare(self, content: Content | dict[str, Any]) -> tuple[Content, str]:
        written = content if isinstance(content, Content) else read(content)
        require_fit(written, self.known, self._clock.now())
        with _store_away():
            facts = await make_sound(self._database, self._voice, written)
        require_short(written, facts)
        return written, digest_of(written, {key: sha256 for key, (sha256, _) in facts.items()})

    async def _read(self, work: Callable[[Connection], T]) -> T:
        with _store_away():
            return await self._database.read(work)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        with _store_away():
            return await self._database.write(work)

    async def _move(self, message_id: str, step: str, who: SignedIn, rule: Rule, note: str = "") -> Message:
        return await self._write(lambda connection: self._moved(connection, message_id, step, who, rule, note))

    def _moved(
        self, connection: Connection, message_id: str, step: str, who: SignedIn, rule: Rule, note: str = ""
    ) -> Message:
        advance(connection, store.REVISION)
        before, now = store.get(connection, message_id), self._clock.now()
        after = rule(before, now)
        store.put(connection, before, after)
        store.note(connection, Step(now, message_id, step, who.user, who.role.value, note, who.name))
        return after

    def _add(self, connection: Connection, message: Message, step: str, who: SignedIn) -> Message:
        advance(connection, store.REVISION)
        now = self._clock.now()
        store.add(connection, message, now)
        note = f"from template {message.template}" if message.template else ""
        store.note(connection, Step(now, message.id, step, who.user, who.role.value, note, who.name))
        return message

    def _lapse(self, connection: Connection, message_id: str) -> Message | None:
        advance(connection, store.REVISION)
        before, now = store.get(connection, message_id), self._clock.now()
        after = life.lapse(before, now)
        if after is not None:
            store.put(connection, before, after)
            note = "nobody reviewed it within two hours"
            store.note(connection, Step(now, message_id, "stopped_itself", THE_SERVICE, "", note))
        return after

    async def _tell_guarded(self, message: Message, kind: str = "needs_review") -> None:
        if message.review is None or (message.id, kind) in self._told:
            return
        places = message.content.places
        names = ", ".join(self.known.areas[each].name for each in places.areas) or "all callers"
        notice = ReviewNotice(
            kind="stopped_itself" if kind == "stopped_itself" else "needs_review",
            message=message.id,
            title=message.content.title,
            areas=names,
            at=message.content.starts_at or self._clock.now(),
            until=message.review.until,
        )
        try:
            await self._reviewers.tell(notice)
        except (SQLAlchemyError, OSError) as error:  # the next look tells again
            log.error("reviewer_not_told", message=message.id, error=type(error).__name__)
        else:
            self._told.add((message.id, kind))


@contextmanager
def _store_away() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StoreAway("the database is away: look which messages are live, then try again") from error
