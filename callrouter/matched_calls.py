"""The calls that plans were matched to, as the journal tells them."""

from __future__ import annotations

import re

from sqlalchemy.exc import SQLAlchemyError

from callrouter.journal import Journal
from callrouter.view import fold
from careplans.access.ports import MatchedCall
from careplans.errors import PlanStoreFailed

_CONTEXT = re.compile("[0-9a-f]{32}")


class JournalCalls:
    """:class:`careplans.access.ports.MatchedCalls`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def by_context(self, context: str) -> MatchedCall | None:
        """See :class:`careplans.access.ports.MatchedCalls`."""
        if not _CONTEXT.fullmatch(context):
            return None
        try:
            call_ref = await self._journal.call_of_context(context)
            view = fold(await self._journal.read(call_ref)) if call_ref else None
        except (SQLAlchemyError, OSError) as error:
            raise PlanStoreFailed("the journal did not answer") from error
        if view is None:
            return None
        found = view.finding("plan")
        return MatchedCall(view.call_ref, tuple(found.candidates if found else ()), view.ended_at)
