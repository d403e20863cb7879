"""To whom calls of ours came: a report that names one is taken for that call only if it comes from one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from callrouter import events as ev
from callrouter.journal import Journal
from infra.crypto import SealError

CameTo = Callable[[str], Awaitable[frozenset[str] | None]]
"""The ODS codes of those whom the call of a context id came to; None where that cannot be told."""


async def nobody_knows(_context: str) -> frozenset[str] | None:
    """:data:`CameTo` where there is no journal to ask."""
    return None


def came_to(journal: Journal, ods: Mapping[str, str]) -> CameTo:
    """As the journal tells it; ``ods``: the code of each provider, by its id, empty for one that names none.

    What it gives raises SQLAlchemyError.
    """

    async def ask(context: str) -> frozenset[str] | None:
        call_ref = await journal.call_of_context(context)
        try:
            recorded = await journal.read(call_ref) if call_ref else []
        except SealError:  # its key is destroyed or not here: nobody can tell, and the report counts all the same
            return None
        codes = {ods.get(each.event.provider, "") for each in recorded if isinstance(each.event, ev.LegStarted)}
        return None if not codes or "" in codes else frozenset(codes)

    return ask
