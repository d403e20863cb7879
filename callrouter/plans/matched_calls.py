"""The calls that plans were matched to, as the journal tells them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from callrouter import events as ev
from callrouter.events import Recorded
from callrouter.journal import Journal
from callrouter.view import fold
from careplans.access.ports import MatchedCall
from careplans.errors import PlanStoreFailed

_CONTEXT = re.compile("[0-9a-f]{32}")


WhoLooksAfter = Callable[[str], Awaitable[str]]
"""Who has taken on the caller of a call; empty: nobody. Raises SQLAlchemyError."""


class JournalCalls:
    """:class:`careplans.access.ports.MatchedCalls`.

    ``organisations``: of each provider, by its id, where it names one. ``taken_on_by``: whom to ask who has the welfare
    task, as people read them; ``taken_back_by``: which user calls the caller back.
    """

    def __init__(
        self,
        journal: Journal,
        organisations: Mapping[str, str] | None = None,
        taken_on_by: WhoLooksAfter | None = None,
        taken_back_by: WhoLooksAfter | None = None,
    ) -> None:
        self._journal = journal
        self._organisations = organisations or {}
        self._taken_on_by = taken_on_by
        self._taken_back_by = taken_back_by

    async def by_context(self, context: str) -> MatchedCall | None:
        """See :class:`careplans.access.ports.MatchedCalls`."""
        if not _CONTEXT.fullmatch(context):
            return None
        try:
            call_ref = await self._journal.call_of_context(context)
            return await self.of(await self._journal.read(call_ref)) if call_ref else None
        except (SQLAlchemyError, OSError) as error:
            raise PlanStoreFailed("the journal did not answer") from error

    async def of(self, recorded: Sequence[Recorded]) -> MatchedCall | None:
        """The call of which this is the journal; raises what the database raises."""
        view = fold(recorded) if recorded else None
        if view is None:
            return None
        came_to = self._came_to(each.event.provider for each in recorded if isinstance(each.event, ev.LegStarted))
        refs = {view.call_ref, view.resumes or view.call_ref}  # what is owed after a drop is owed to the first call
        asked = refs if came_to is not None else set()
        taken_on_by, taken_back_by = await _said(self._taken_on_by, asked), await _said(self._taken_back_by, asked)
        found = view.finding("plan")
        plans = tuple(found.candidates if found else ())
        return MatchedCall(view.call_ref, plans, view.ended_at, came_to, taken_on_by, taken_back_by)

    def _came_to(self, providers: Iterable[str]) -> frozenset[str] | None:
        """None, and so no bar, for a call that came to nobody yet, or to somebody whose organisation is not told."""
        named = frozenset(self._organisations.get(each, "") for each in providers)
        return None if not named or "" in named else named


async def _said(ask: WhoLooksAfter | None, refs: Iterable[str]) -> frozenset[str]:
    return frozenset([await ask(ref) for ref in refs] if ask else ()) - {""}
