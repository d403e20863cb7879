"""What people do with proposals: look, dismiss, watch, act. Every rule is enforced here, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from alerts.surges.chart import Hour, Neighbour, hours_of, neighbours_of
from alerts.surges.indicators import Indicators, Template
from alerts.surges.model import EVERYWHERE, OF_AGE, Proposal, Series, State, Step, quarter_of, start_of
from alerts.surges.store import KEPT, Look, ProposalStore
from alerts.surges.watch import SETTLED
from callrouter.approvals import Refused, StoreAway, require_role
from callrouter.handover import Role, SignedIn
from callrouter.messages import store as message_store
from callrouter.messages.content import read
from callrouter.messages.errors import NoSuchMessage
from callrouter.messages.model import Content
from callrouter.messages.service import MessageService
from callrouter.surges.notices import area_name, signal_name
from callrouter.surges.small_numbers import nested, without_small
from infra.areas import Areas
from infra.clock import Clock
from infra.sql import Database

ASSESSORS = frozenset({Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY})
"""Who says what becomes of a proposal."""

CLINICAL = ASSESSORS | {Role.CLINICIAN}
"""Who sees small numbers; for everybody else a count under 5 is not shown (:mod:`callrouter.surges.small_numbers`)."""

READERS = CLINICAL | {Role.COMMISSIONER, Role.ADMINISTRATOR}

LONGEST_REASON = 300
TO_ASSESS: frozenset[State] = frozenset({"open", "watched"})

_APART = re.compile(r"[^a-z0-9]+")
T = TypeVar("T")


class NoSuchProposal(Refused):
    """Nothing has this id."""

    error_id = "no_such_proposal"
    status = 404


class AssessedAlready(Refused):
    """Somebody was first: open it again."""

    error_id = "assessed_already"


class ReasonMissing(Refused):
    """A dismissal without a reason."""

    error_id = "reason_missing"
    status = 422


class NoTemplate(Refused):
    """There are no words for this signal: callers who give it pass no message, or hear none for their safety."""

    error_id = "no_template"


@dataclass(frozen=True, slots=True)
class Row:
    """A proposal as the list shows it. ``take_off``: its message is live, and taking it off is proposed."""

    proposal: Proposal
    signal: str
    area: str
    take_off: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything about one proposal; for roles that do not see small numbers without them, and without neighbours.

    Beside each other, areas and those that hold them tell small numbers.

    ``can_act``: there are words for a message, and nobody has acted yet.
    """

    row: Row
    steps: tuple[Step, ...]
    hours: tuple[Hour, ...]
    neighbours: tuple[tuple[Neighbour, str, str], ...]
    hides_small: bool
    can_act: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The list by rank; ``look``: how the last look went, None before the first."""

    rows: tuple[Row, ...]
    look: Look | None
    verified: bool


class SurgeDesk:
    """Every method may raise a ``Refused``; then nothing was changed (but see ``StoreAway``)."""

    def __init__(
        self,
        database: Database,
        store: ProposalStore,
        messages: MessageService,
        indicators: Indicators,
        areas: Areas,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._messages = messages
        self._indicators = indicators
        self._areas = areas
        self._clock = clock

    async def listed(self, who: SignedIn) -> Listed:
        """Proposals seen in the last four weeks, and those whose message is to be taken off first."""
        require_role(who, READERS)
        found = await _asked(self._store.recent(self._clock.now() - KEPT))
        rows = [await self._row(each) for each in found]
        rows.sort(key=lambda row: (not row.take_off, row.proposal.state == "dismissed"))
        return Listed(tuple(rows), await _asked(self._store.last_look()), self._indicators.verified)

    async def sheet(self, proposal_id: str, who: SignedIn) -> Sheet:
        """One proposal with its series, its neighbours and its record."""
        require_role(who, READERS)
        proposal, steps = await self._get(proposal_id)
        end, series = start_of(quarter_of(self._clock.now() - SETTLED)), proposal.series
        hides = who.role not in CLINICAL
        near: list[Neighbour] = []
        if hides:
            hours = await self._without_small(series, end)
        else:
            hours = tuple(
                await _asked(self._database.read(partial(hours_of, series=series, end=end, areas=self._areas)))
            )
            near = await _asked(self._database.read(partial(neighbours_of, series=series, end=end, areas=self._areas)))
        return Sheet(
            await self._row(proposal),
            steps,
            hours,
            tuple((each, self._signal(each.series), self._area(each.series)) for each in near),
            hides,
            self._template(proposal) is not None and proposal.state in TO_ASSESS,
        )

    async def dismiss(self, proposal_id: str, reason: str, who: SignedIn) -> None:
        """It needs nothing, for this reason. It is not told again while it lasts."""
        require_role(who, ASSESSORS)
        said = " ".join(reason.split())
        if not said or len(said) > LONGEST_REASON:
            raise ReasonMissing(f"say in a few words why, {LONGEST_REASON} characters at most; no names of patients")
        await self._move(proposal_id, TO_ASSESS, "dismissed", who, said)

    async def watch(self, proposal_id: str, who: SignedIn) -> None:
        """Look at it again later."""
        require_role(who, ASSESSORS)
        await self._move(proposal_id, frozenset({"open"}), "watched", who)

    async def act(self, proposal_id: str, who: SignedIn) -> str:
        """Draft the front-end message that answers it; the id of the draft. It goes through approval like any other."""
        require_role(who, ASSESSORS)
        proposal, _ = await self._get(proposal_id)
        template = self._template(proposal)
        if template is None:
            raise NoTemplate("there are no words for this signal: callers who give it hear no message on their way")
        if proposal.state not in TO_ASSESS:
            raise AssessedAlready("somebody has assessed it: open it again")
        message = await self._messages.draft(content_of(proposal.series, template, self._areas, self._clock.now()), who)
        try:
            await self._move(proposal_id, TO_ASSESS, "acted", who, message=message.id)
        except AssessedAlready:
            await self._messages.stop(message.id, who)  # nobody is to approve a second one
            raise
        return message.id

    async def is_live(self, message_id: str) -> bool:
        """Whether callers hear the message, or will: then it can be taken off."""
        with suppress(NoSuchMessage):
            message = await self._database.read(lambda connection: message_store.get(connection, message_id))
            return message.phase(self._clock.now()).value in ("live", "scheduled")
        return False

    async def _get(self, proposal_id: str) -> tuple[Proposal, tuple[Step, ...]]:
        found = await _asked(self._store.get(proposal_id))
        if found is None:
            raise NoSuchProposal("there is no such proposal")
        return found

    async def _row(self, proposal: Proposal) -> Row:
        faded = proposal.state == "acted" and proposal.faded_at is not None
        take_off = faded and await _asked(self.is_live(proposal.message))
        return Row(proposal, self._signal(proposal.series), self._area(proposal.series), take_off)

    async def _move(
        self, proposal_id: str, before: frozenset[State], after: State, who: SignedIn, note: str = "", message: str = ""
    ) -> None:
        step = Step(self._clock.now(), after, who.user, who.role.value, note, who.name)
        if not await _asked(self._store.move(proposal_id, before, after, step, message)):
            await self._get(proposal_id)
            raise AssessedAlready("somebody has assessed it: open it again")

    def _template(self, proposal: Proposal) -> Template | None:
        signal = proposal.series.signal
        return self._indicators[signal].message if signal in self._indicators else None

    def _signal(self, series: Series) -> str:
        return signal_name(self._indicators, series.signal)

    def _area(self, series: Series) -> str:
        return area_name(self._areas, series.area)

    async def _without_small(self, series: Series, end: datetime) -> tuple[Hour, ...]:
        """Also beside what the pages of wider areas show of the same signal."""
        shown = {each.series for each in await _asked(self._store.recent(self._clock.now() - KEPT))}
        around = nested(series, shown, self._areas)
        needed = {series, *(each for outer, taken in around for each in (outer, *taken))}

        def read(connection: Connection) -> dict[Series, list[Hour]]:
            return {each: hours_of(connection, each, end, self._areas) for each in needed}

        return without_small(series, await _asked(self._database.read(read)), around)


def content_of(series: Series, template: Template, areas: Areas, now: datetime) -> Content:
    """The message that answers a series, from its template: for the callers of its area, from ``now`` on.

    That of an age band is for everybody: nobody's age is known where a message is heard.

    Raises :class:`ContentRefused` where the template cannot be a message.
    """
    everywhere = series.area == EVERYWHERE or series.area.startswith(OF_AGE)
    wording = {"text": template.text, "who_should_stay": template.who_should_stay, "safety_net": template.safety_net}
    return read(
        {
            "title": f"{template.title}: {area_name(areas, series.area)}"[:80],
            "marker": _APART.sub("-", f"{series.signal}-{series.area}")[:40].strip("-"),
            "wordings": {"en": wording},
            "places": {"everywhere": everywhere, "areas": () if everywhere else (series.area,)},
            "services": template.services,
            "offer": {"kind": template.offer, "clinical_owner": template.clinical_owner} if template.offer else None,
            "starts_at": now,
            "expires_at": now + timedelta(hours=template.expires_h),
        }
    )


async def _asked(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (SQLAlchemyError, OSError) as error:
        raise StoreAway("the database is away: look again in a moment") from error
