"""What this package needs of the world: channels that carry notices, and a place that keeps what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alerts.errors import NoticeFailed as NoticeFailed
from alerts.model import AlertState, Notice
from alerts.store import Delivery


class Notifier(Protocol):
    """One channel: e-mail, a webhook, later text messages."""

    async def send(self, notice: Notice) -> None:
        """Give ``notice`` to its recipient; returns when the channel has taken it.

        Gives up within the channel's own time limit. Raises :class:`NoticeFailed` if it was not taken, or
        perhaps not: the same notice, with the same id, is then sent again, unless that error is ``final``.
        """


class Receipts(Protocol):
    """Where a channel says what became of a notice that it had taken; see :class:`alerts.service.AlertService`."""

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        """Word of the notice with the id ``notice`` that went to ``address``, once or more often."""


class Store(Protocol):
    """Where alerts are in their life, and the notices to be carried; see :class:`alerts.store.AlertStore`."""

    async def states(self) -> dict[str, AlertState]:
        """Every kept state, by ``AlertState.rule``."""

    async def move(self, state: AlertState, notices: Sequence[Notice]) -> bool:
        """Keep ``state`` and queue ``notices``; False, and nothing changed, if another worker was first."""

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """The notices of a channel that are neither sent nor given up, oldest first."""

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """Begin a try; False if another worker does."""

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """The claimed try failed."""

    async def close(
        self, delivery: Delivery, *, sent_at: datetime | None, failed_at: datetime | None, then: Notice | None = None
    ) -> None:
        """The notice was taken, or is given up; ``then`` is queued in its place."""
