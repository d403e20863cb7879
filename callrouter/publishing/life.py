"""The life of versions: what one person may do to them, in one transaction. Every rule is here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from callrouter import approvals as ap
from callrouter.approvals import Author
from callrouter.handover import Role, SignedIn
from callrouter.hours import LONDON
from callrouter.publishing import store
from callrouter.publishing.changes import touched
from callrouter.publishing.content import Content
from callrouter.publishing.errors import AlreadyThere, NothingBefore, OutOfRange, TextReused, Unsafe, WrongState
from callrouter.publishing.model import (
    APPROVERS,
    LARGEST_SHARE,
    MET,
    RELEASERS,
    SMALLEST_SHARE,
    STOPPERS,
    THE_SERVICE,
    WRITERS,
    Row,
    State,
)

SERVICE = SignedIn(THE_SERVICE, Role.ADMINISTRATOR)
"""What the service does by itself, under rules that people set: a schedule that is due, a staged release that fails."""

_AGAIN = (State.RETIRED, State.ROLLED_BACK)
"""Met by callers before; may go live again once somebody approves it anew."""


@dataclass(frozen=True, slots=True)
class Life:
    """What ``who`` does now to the versions of ``flow``. Each method is refused whole or done whole."""

    connection: Connection
    flow: str
    who: SignedIn
    at: datetime
    content_of: Callable[[Connection, Row], Content] = store.content_of

    def draft(self, content: Content, note: str) -> None:
        """Put in a new version. Raises AlreadyThere, Unsafe, TextReused, RoleMissing."""
        ap.require_role(self.who, WRITERS)
        self._require_new_texts(content)
        known = store.find(self.connection, content.version)
        if known is None:
            store.insert(self.connection, content, note, self.who, self.at)
        elif known.state is State.RECALLED:
            raise Unsafe(f"version {known.version} has the same content and was recalled")
        elif known.state is not State.WITHDRAWN:
            raise AlreadyThere(f"the very same is there already: version {known.version}, {known.state}")
        else:
            store.change(
                self.connection, known.version, State.DRAFT, note=note, author=self.who.user,
                author_session=self.who.session, written_at=self.at, problems=[],
            )  # fmt: skip
        self._did(content.version, "drafted", note)

    def checked(self, version: str, problems: Sequence[str]) -> None:
        """Keep the verdict of the check. A version with problems is a draft, whatever it was approved for."""
        ap.require_role(self.who, WRITERS)
        row = self._require(version, "checked", State.DRAFT, State.CHECKED, State.APPROVED)
        state = State.DRAFT if problems else State.CHECKED if row.state is State.DRAFT else row.state
        store.change(self.connection, version, state, problems=[*problems])
        self._did(version, "checked", f"{len(problems)} problems" if problems else "sound")

    def approve(self, version: str, shown: str, life: timedelta) -> None:
        """Agree to the content with the hash ``shown``, for as long as ``life``."""
        ap.require_role(self.who, APPROVERS)
        row = self._require(version, "approved", State.CHECKED, State.APPROVED, *_AGAIN)
        for author in (row.author, *store.authors_of(self.connection, version)):
            ap.require_other(self.who, author)
        ap.require_same(shown, store.content_of(self.connection, row).hash)
        agreed = ap.Approval(self.who.user, self.who.role, self.who.session, shown, self.at, self.at + life)
        store.add_approval(self.connection, version, agreed)
        self._did(version, "approved")
        if row.state is State.CHECKED and not self.needs(row, self.at):
            store.change(self.connection, version, State.APPROVED)

    def publish(self, version: str) -> None:
        """Live for the next call, for all callers."""
        ap.require_role(self.who, RELEASERS)
        row = self._require(version, "published", State.APPROVED, State.STAGED, *_AGAIN)
        self._require_ready(row, self.at)
        self._require_releasable(row)
        self._replace_live(State.RETIRED, row)
        self._did(version, "published")

    def schedule(self, version: str, when: datetime) -> None:
        """Live from ``when`` on, by itself. Refused if its approval would have expired by then."""
        ap.require_role(self.who, RELEASERS)
        row = self._require(version, "scheduled", State.APPROVED)
        if when <= self.at:
            raise OutOfRange("that time is over: publish it, or give a later time")
        self._require_ready(row, when)
        self._require_releasable(row)
        self._require_alone(State.SCHEDULED)
        store.change(self.connection, version, State.SCHEDULED, live_from=when)
        there = when.astimezone(LONDON)
        self._did(version, "scheduled", f"for {there:%a} {there.day} {there:%B %Y, %H:%M}")

    def stage(self, version: str, share: float) -> None:
        """Live for a ``share`` of calls, compared with the live version."""
        ap.require_role(self.who, RELEASERS)
        row = self._require(version, "staged", State.APPROVED)
        if not SMALLEST_SHARE <= share <= LARGEST_SHARE:
            raise OutOfRange(f"a share is between {SMALLEST_SHARE:g} and {LARGEST_SHARE:g} of the calls")
        self._require_ready(row, self.at)
        self._require_releasable(row)
        self._require_alone(State.STAGED)
        if store.only(self.connection, self.flow, State.LIVE) is None:
            raise NothingBefore("there is no live version to compare it with")
        store.change(self.connection, version, State.STAGED, live_from=self.at, share=share)
        self._did(version, "staged", f"for {share:.0%} of calls")

    def stop(self, version: str, note: str) -> None:
        """End a schedule or a staged release, or give up a draft. Calls in progress finish."""
        ap.require_role(self.who, STOPPERS)
        row = self._require(
            version, "stopped", State.DRAFT, State.CHECKED, State.APPROVED, State.SCHEDULED, State.STAGED
        )
        if row.state is State.SCHEDULED:
            store.change(self.connection, version, State.APPROVED, live_from=None)
        elif row.state is State.STAGED:
            store.change(self.connection, version, State.ROLLED_BACK, share=None)
        else:
            store.change(self.connection, version, State.WITHDRAWN)
        self._did(version, "stopped", note)

    def roll_back(self, note: str, usable: Collection[str] | None = None) -> None:
        """As a matter of routine: new calls take the version before, calls in progress finish in theirs.

        ``usable``: the versions that callers can be given here; None where that is not known.
        """
        ap.require_role(self.who, STOPPERS)
        live = store.only(self.connection, self.flow, State.LIVE)
        before = store.last_good(self.connection, self.flow, usable)
        if live is None or before is None:
            why = "there is no good version to go back to that can be used here"
            raise NothingBefore(f"{why}; a recall sends callers straight to 111")
        self._replace_live(State.ROLLED_BACK, before)
        self._did(live.version, "rolled_back", note)
        self._did(before.version, "live_again")

    def recall(self, version: str, note: str, usable: Collection[str] | None = None) -> None:
        """Unsafe: new calls take the last good version, calls in progress go to 111 at their next wait.

        ``usable`` as for :meth:`roll_back`; where none is, new calls go straight to 111.
        """
        ap.require_role(self.who, STOPPERS)
        row = self._require(version, "recalled", *(set(State) - {State.RECALLED}))
        if row.state is State.LIVE:
            before = store.last_good(self.connection, self.flow, usable)
            self._replace_live(State.RECALLED, before)
            if before is not None:
                self._did(before.version, "live_again")
        else:
            store.change(self.connection, version, State.RECALLED, share=None)
        self._did(version, "recalled", note)

    def ship(self, content: Content, *, replace: bool) -> str:
        """Put in what came with the service; returns what became of it: ``live``, ``draft``, or nothing new.

        Live where no version was ever; with ``replace`` also in the place of a live one that was shipped.
        """
        live = store.only(self.connection, self.flow, State.LIVE)
        known = store.find(self.connection, content.version)
        if known is not None and not (replace and known.state in _AGAIN and self._was_shipped(live)):
            return ""
        if live is None and store.listed(self.connection, self.flow, MET):
            replace = False  # every version was recalled: what callers meet next is for people to say
        goes_live = not store.listed(self.connection, self.flow, MET) or (replace and self._was_shipped(live))
        if known is None:
            store.insert(self.connection, content, "came with the service", self.who, self.at)
        self._did(content.version, "shipped_live" if goes_live else "shipped")
        if not goes_live:
            return "draft"
        self._replace_live(State.RETIRED, store.get(self.connection, content.version))
        return "live"

    def _was_shipped(self, live: Row | None) -> bool:
        return live is not None and live.author.user == SERVICE.user

    def settle(self) -> bool:
        """Make live what was scheduled and is due; returns whether anything was."""
        row = store.only(self.connection, self.flow, State.SCHEDULED)
        if row is None or row.live_from is None or row.live_from > self.at:
            return False
        self._replace_live(State.RETIRED, row)
        self._did(row.version, "live_by_schedule")
        return True

    def tell_once(self, version: str, step: str, since: datetime, note: str) -> None:
        """Record something that is shown by many calls, the first time since then."""
        told = store.steps_of(self.connection, version, limit=50)
        if not any(each.step == step and each.at >= since for each in told):
            self._did(version, step, note)

    def needs(self, row: Row, at: datetime) -> str:
        """The error id of what stands against its being live ``at`` that time; empty if nothing does."""
        try:
            self._require_ready(row, at)
        except ap.Refused as refused:
            return refused.error_id
        return ""

    def touches(self, row: Row) -> tuple[str, ...]:
        """The guarded kinds of steps in which a version differs from the live one."""
        live = store.only(self.connection, self.flow, State.LIVE)
        old = None if live is None else self.content_of(self.connection, live)
        return touched(old, self.content_of(self.connection, row))

    # ------------------------------------------------------------------ rules

    def _require(self, version: str, done: str, *states: State) -> Row:
        row = store.get(self.connection, version)
        if row.state not in states:
            raise WrongState(f"version {version} is {row.state.replace('_', ' ')}: it cannot be {done} now")
        return row

    def _require_ready(self, row: Row, at: datetime) -> None:
        """Enough people have approved exactly what is there, also against what is live now."""
        ap.require_enough(
            store.approvals_of(self.connection, row), author=row.author,
            content=self.content_of(self.connection, row).hash, at=at, clinical_safety=bool(self.touches(row)),
        )  # fmt: skip

    def _require_releasable(self, row: Row) -> None:
        """Two people in all, and words that no caller knows otherwise: what callers meet may have changed since."""
        is_nobodys = row.author.user == SERVICE.user or row.state in _AGAIN  # nobody has written it for this release
        myself = Author(self.who.user, self.who.session)
        agreed = (each for each in store.approvals_of(self.connection, row) if self.at < each.expires_at)
        if is_nobodys and not any(ap.is_anothers(each, myself) for each in agreed):
            raise ap.OwnWork("only you have approved it, and nobody wrote it now: somebody else has to release it")
        self._require_new_texts(store.content_of(self.connection, row))

    def _require_alone(self, state: State) -> None:
        if (other := store.only(self.connection, self.flow, state)) is not None:
            raise WrongState(f"version {other.version} is {state} already: stop it first")

    def _require_new_texts(self, content: Content) -> None:
        """A prompt key means the same to every caller at one time, in whichever version they are."""
        ours = {place[:2]: place[2] for place in _spoken({"": content.audio, **content.texts})}
        now, before = store.sounds_met(self.connection, self.flow, but=content.version)
        heard = {place for sounds in now for place in _spoken(sounds)}
        # what callers hear now already changes nothing for those who are in an older version
        same = {place[:2] for place in heard if ours.get(place[:2]) == place[2]}
        older = {place for sounds in before for place in _spoken(sounds) if place[:2] not in same}
        again = {place[1] for place in heard | older if ours.get(place[:2], place[2]) != place[2]}
        if again:
            names = ", ".join(sorted(again))
            raise TextReused(f"callers know {names} with other words: give the new text a key of its own")

    def _replace_live(self, leaves_as: State, new: Row | None) -> None:
        """Make ``new`` the live version, nobody else; what was scheduled or staged against the old one ends."""
        for row in store.listed(self.connection, self.flow, (State.LIVE, State.STAGED, State.SCHEDULED)):
            if new is not None and row.version == new.version:
                continue
            if row.state is State.LIVE:
                store.change(self.connection, row.version, leaves_as)
            elif row.state is State.STAGED:
                store.change(self.connection, row.version, State.ROLLED_BACK, share=None)
                self._did(row.version, "stopped", "the live version changed")
            else:
                store.change(self.connection, row.version, State.APPROVED, live_from=None)
                self._did(row.version, "unscheduled", "the live version changed")
        if new is not None:
            store.change(self.connection, new.version, State.LIVE, live_from=self.at, share=None)

    def _did(self, version: str, step: str, note: str = "") -> None:
        store.add_step(self.connection, version, step, self.who, self.at, note)


def _spoken(sounds: store.Sounds) -> set[tuple[str, str, str]]:
    return {(language, key, text) for language, texts in sounds.items() for key, text in texts.items()}
