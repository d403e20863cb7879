"""What this package needs of the world: channels that carry notices."""

from __future__ import annotations

from typing import Protocol

from alerts.errors import NoticeFailed as NoticeFailed
from alerts.model import Notice


class Notifier(Protocol):
    """One channel: e-mail, a webhook, later text messages."""

    async def send(self, notice: Notice) -> None:
        """Give ``notice`` to its recipient; returns when the channel has taken it.

        Gives up within the channel's own time limit. Raises :class:`NoticeFailed` if it was not taken, or
        perhaps not: the same notice, with the same id, is then sent again.
        """
