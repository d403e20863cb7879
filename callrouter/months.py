"""The journal's months are there before they begin."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from callrouter.journal import Journal
from infra.clock import Clock

EVERY_S = 86_400.0
AGAIN_S = 3_600.0
"""After a failure. Nothing is lost meanwhile: the default partition takes what no month was made for."""

log = structlog.get_logger()


async def keep_months_ahead(journal: Journal, clock: Clock) -> None:
    """Make the partitions of this month and the next, now and every day, until cancelled."""
    while True:
        try:
            made = await journal.make_months(clock.now())
        except SQLAlchemyError as error:
            log.error("journal_months_not_made", error=type(error).__name__, again_in_s=AGAIN_S)
            await asyncio.sleep(AGAIN_S)
        else:
            if made:
                log.info("journal_months_made", partitions=made)
            await asyncio.sleep(EVERY_S)
