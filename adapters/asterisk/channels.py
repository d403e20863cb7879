"""What Asterisk says of the channels of our lines: whether they are still there, and whether it was started again."""

from __future__ import annotations

import structlog

from adapters.asterisk.ari import Ari, AriError, AriGone, AriRefused
from adapters.asterisk.line import Line

log = structlog.get_logger()


class Channels:
    """Asks one Asterisk. Where it cannot tell, a line is taken to be there."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari
        self._started = ""

    async def follow(self, line: Line) -> bool:
        """Hear of the channel wherever it goes; False if it has ended, and nobody will tell us."""
        try:
            await self._ari.subscribe(f"channel:{line.channel_id}")
        except AriError as error:
            if isinstance(error, AriRefused) and not await self.exists(line):
                return False
            log.warning("subscribe_failed", call_ref=line.call_ref, error=type(error).__name__)
        return True

    async def exists(self, line: Line) -> bool:
        """False only if Asterisk itself says that the channel has ended."""
        try:
            await self._ari.get_channel(line.channel_id)
        except AriGone:
            return False
        except AriError as error:
            log.warning("line_unseen", call_ref=line.call_ref, error=type(error).__name__)
        return True

    async def restarted(self) -> bool:
        """Whether this is another life of Asterisk than the one that we asked of before."""
        before = self._started
        try:
            self._started = await self._ari.started_at()
        except AriError as error:
            log.warning("start_time_unknown", error=type(error).__name__)
            return False
        return before not in ("", self._started)
