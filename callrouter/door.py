"""The one door, put together: calls, and what they need of the world while a caller waits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

from adapters.asterisk.absence import is_connected
from callrouter.alerting.probe import FlowsWithProbe
from callrouter.calls import Calls
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import Providers
from callrouter.dispatch.shared import SharedDispatch
from callrouter.errors import ConfigurationError
from callrouter.hours import read_hours
from callrouter.lookups import Lookups
from callrouter.nearby import Nearby
from callrouter.plans.pathways import FoundPlans
from callrouter.ports import CallBacks, Meaning, Messages
from callrouter.repeat.contacts import RepeatCalls
from callrouter.settings import Settings
from callrouter.stores import Stores
from infra.areas import london
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.health import Health
from nlp.errors import LexiconError
from nlp.lexicon import read_lexicon, read_reason_words
from nlp.service import KeywordUnderstanding


def open_door(
    settings: Settings,
    stores: Stores,
    providers: Providers,
    flows: FlowsWithProbe,
    *,
    plans: FoundPlans,
    repeats: RepeatCalls,
    shared: frozenset[str],
    messages: Messages,
    call_backs: CallBacks,
    keys: KeyRing,
    clock: Clock,
    health: Health,
) -> tuple[Calls, LocalDispatch | SharedDispatch]:
    """The door, and the dispatch behind it. Raises :class:`ConfigurationError` naming file, line and cause."""
    dispatch = _dispatch(stores, providers, clock, health)
    lookups = Lookups(
        plans=plans,
        repeats=repeats,
        understanding=_understanding(),
        clock=clock,
        messages=messages,
        budget_s=settings.lookup_budget_ms / 1000,
        health=health,
        nearby=Nearby(clock, hours=read_hours(settings.hours_file), areas=london(), free_state=dispatch.state),
        call_backs=call_backs,
    )
    calls = Calls(
        states=stores.states,
        flows=flows,
        lookups=lookups,
        dispatch=dispatch,
        keys=keys,
        clock=clock,
        new_id=lambda: secrets.token_hex(16),
        answers={each.id: each.answers for each in providers},
        nudge=stores.nudges.send if stores.nudges else None,
        connected=partial(is_connected, stores.leases),
        is_shared=shared.__contains__,
    )
    dispatch.on_offer = calls.offered
    return calls, dispatch


def _dispatch(stores: Stores, providers: Providers, clock: Clock, health: Health) -> LocalDispatch | SharedDispatch:
    if stores.link is None:
        return LocalDispatch(providers, clock)
    return SharedDispatch(stores.link, providers, clock, secrets.token_hex(8), health=health)


def _understanding() -> KeywordMeanings:
    try:
        return KeywordMeanings(KeywordUnderstanding(read_lexicon(), read_reason_words()))
    except LexiconError as error:
        raise ConfigurationError(str(error)) from error


class KeywordMeanings:
    """What was said, as the door asks for it (:class:`callrouter.ports.Understanding`)."""

    def __init__(self, understanding: KeywordUnderstanding) -> None:
        self._understanding = understanding

    async def understand(self, said: str, vocabulary: Mapping[str, Sequence[str]]) -> Meaning:
        understood = self._understanding.understand(said, vocabulary)
        flag, why = understood.red_flag, (tuple(sorted(understood.reasons)), understood.reason_words)
        if flag is None:
            return Meaning(understood.choice, None, "", "", *why)
        return Meaning(understood.choice, flag.category, flag.phrase, flag.lexicon, *why)
