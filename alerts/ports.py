"""What this package needs of the world: channels that carry notices, and a place that keeps what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alerts.errors import NoticeFailed as NoticeFailed
from alerts.life.store import Change, Delivery
from alerts.model import AlertState, Notice, Outcome, Silence, StepTaken


class Notifier(Protocol):
    """One channel: e-mail, a webhook, later text messages."""

    async def send(self, notice: Notice) -> None:
        """Give ``notice`` to its recipient; returns when the channel has taken it.

        Gives up within the channel's own time limit. Raises :class:`NoticeFailed` if it was not taken, or
        perhaps not: the same notice, with the same id, is then sent again, unless that error is ``final``.
        """


class Receipts(Protocol):
    """Where a channel says what became of a notice that it had taken; see :class:`alerts.life.service.AlertService`."""

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        """Word of the notice with the id ``notice`` that went to ``address``, once or more often: the first counts."""


class Store(Protocol):
    """Where alerts are in their life, and the notices to be carried; see :class:`alerts.life.store.AlertStore`."""

    async def states(self, told_since: datetime | None = None) -> dict[str, AlertState]:
        """Every kept state of an alert that has a life, by ``AlertState.rule``; and what was told once since then."""

    async def move(self, change: Change) -> bool:
        """Keep the change; False, and nothing changed, if another worker was first."""

    async def record(self, steps: Sequence[StepTaken]) -> None:
        """Put steps on record that could not be when they were taken, each once."""

    async def steps(self, alert: str, most: int = ...) -> list[StepTaken]:
        """The newest steps of an alert, newest first."""

    async def history(self, most: int = ...) -> list[StepTaken]:
        """How episodes of all alerts ended, newest first."""

    async def silences(self, at: datetime) -> list[Silence]:
        """Those that hold ``at`` that time."""

    async def silence(self, silence: Silence, step: StepTaken) -> None:
        """Keep a new silence."""

    async def lift(self, silence_id: str, step: StepTaken) -> bool:
        """End a silence before its time; False if it is over already."""

    async def take_on(self, alert: str, by: str, at: datetime) -> bool:
        """Let every process know that somebody took on what each sees for itself; False if that cannot be now."""

    async def taken_on(self, since: datetime) -> list[tuple[str, str, datetime]]:
        """Alert, name and time of each since then, oldest first."""

    async def bounced(self) -> dict[str, datetime]:
        """Addresses, in small letters, that a mail came back from, and since when."""

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """The notices of a channel that are neither sent nor given up, oldest first."""

    async def sent(self, notice_id: str, channel: str, address: str) -> Delivery | None:
        """A notice that its channel has taken, until a receipt has told what became of it."""

    async def unheard(self, channel: str, since: datetime, until: datetime) -> list[Delivery]:
        """Notices that the channel took between these times, and of which nothing was heard since."""

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """Begin a try; False if another worker does."""

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """The claimed try failed."""

    async def close(self, delivery: Delivery, outcome: Outcome, at: datetime, then: Notice | None = None) -> None:
        """The notice was ``sent`` or ``delivered``, or has ``failed`` for good; ``then`` is queued in its place."""
