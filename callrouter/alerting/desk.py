"""What people do with alerts: look, take one on, silence it, lift a silence. Every rule is enforced here."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from alerts.auditor import PROBE_RULE
from alerts.errors import SilenceRefused
from alerts.life.service import LONGEST_CRITICAL_SILENCE, LONGEST_SILENCE, AlertService, Pending, Shown
from alerts.model import Silence, StepTaken, rule_of
from callrouter.approvals import Refused, StoreAway, require_role
from callrouter.handover import Role, SignedIn
from infra.clock import Clock

READERS = frozenset({Role.COMMISSIONER, Role.ADMINISTRATOR, Role.CLINICIAN})
"""Who sees every alert, and may silence one. A single alert anybody who is signed in may open and take on."""

LONGEST_REASON = 300
CHOICES_H = (0.5, 1, 2, 4, 8, 12, 24)
"""How long a page offers to silence something, hours."""

T = TypeVar("T")


class NoSuchAlert(Refused):
    """Nothing has this address."""

    error_id = "no_such_alert"
    status = 404


class NotFiring(Refused):
    """There is nothing to take on: it has cleared."""

    error_id = "alert_not_firing"


class NotSilenced(Refused):
    """A silence cannot be made like this."""

    error_id = "silence_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Overview:
    """Every alert that has ever fired, the worst that fires first; silences; how episodes ended, newest first.

    ``unjudged``: what no rule can say now, with why. ``bounced``: from whom mail comes back, and since when.
    ``pending``: what is over its bound and not yet for long enough.
    """

    alerts: tuple[Shown, ...]
    silences: tuple[Silence, ...]
    history: tuple[StepTaken, ...]
    unjudged: tuple[tuple[str, str], ...]
    bounced: tuple[tuple[str, datetime], ...] = ()
    pending: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertSheet:
    """One alert, its record (newest first), and the silences that cover it. ``hours``: how long one may last."""

    shown: Shown
    steps: tuple[StepTaken, ...]
    silences: tuple[Silence, ...]
    hours: tuple[float, ...]


class AlertDesk:
    """The alerts of the service, as people of each role may see and move them."""

    def __init__(self, alerts: AlertService, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock

    async def overview(self, who: SignedIn) -> Overview:
        """Raises RoleMissing, StoreAway."""
        require_role(who, READERS)
        alerts = await _asked(self._shown())
        silences = await _asked(self._alerts.silences())
        history = await _asked(self._alerts.history())
        bounced = await _asked(self._alerts.bounced())
        unjudged = tuple(sorted(self._alerts.unjudged.items()))
        return Overview(
            tuple(alerts), tuple(silences), tuple(history), unjudged, tuple(bounced), tuple(self._alerts.pending)
        )

    async def sheet(self, page: str, who: SignedIn) -> AlertSheet:  # noqa: ARG002 - whoever is signed in may
        """Raises NoSuchAlert, StoreAway."""
        shown = await self._found(page)
        steps = await _asked(self._alerts.steps(shown.state.rule))
        silences = await _asked(self._alerts.silences())
        longest = LONGEST_CRITICAL_SILENCE if shown.state.severity == "critical" else LONGEST_SILENCE
        return AlertSheet(
            shown,
            tuple(steps),
            tuple(each for each in silences if each.covers(shown.state.rule)),
            tuple(each for each in CHOICES_H if timedelta(hours=each) <= longest),
        )

    async def acknowledge(self, page: str, who: SignedIn) -> None:
        """Take it on, by the name with which they signed in. Raises NoSuchAlert, NotFiring, StoreAway."""
        shown = await self._found(page)
        if not await _asked(self._alerts.acknowledge(shown.state.rule, who.shown, "page")):
            raise NotFiring("it has cleared: there is nothing to take on")

    async def silence(self, page: str, who: SignedIn, reason: str, hours: float) -> None:
        """Tell nobody of it for so long. Raises RoleMissing, NoSuchAlert, NotSilenced, StoreAway."""
        require_role(who, READERS)
        shown = await self._found(page)
        until = self._clock.now() + timedelta(hours=hours)
        try:
            await _asked(self._alerts.silence(shown.state.rule, who.shown, reason[:LONGEST_REASON], until))
        except SilenceRefused as refused:
            raise NotSilenced(str(refused)) from refused

    async def lift(self, silence_id: str, who: SignedIn) -> str | None:
        """End a silence now; returns the alert's page. Raises RoleMissing, StoreAway; None if it is over already."""
        require_role(who, READERS)
        for silence in await _asked(self._alerts.silences()):
            if silence.id == silence_id and await _asked(self._alerts.lift(silence, who.shown)):
                return next(
                    (each.page for each in await _asked(self._shown()) if silence.covers(each.state.rule)), None
                )
        return None

    async def _shown(self) -> Sequence[Shown]:
        return [each for each in await self._alerts.shown() if rule_of(each.state.rule) != PROBE_RULE]

    async def _found(self, page: str) -> Shown:
        found = next((each for each in await _asked(self._shown()) if each.page == page), None)
        found = found or await _asked(self._alerts.elsewhere(page))
        if found is None:
            raise NoSuchAlert("there is no such alert")
        return found


async def _asked(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (SQLAlchemyError, OSError) as error:
        raise StoreAway("the alerts cannot be read or changed just now: look again in a moment") from error
