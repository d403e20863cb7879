"""Places and lines in Redis: ``dispatch.lua`` as typed questions, each one atomic and within its budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from callrouter.dispatch.lines import LONGEST_COOL_DOWN_S, TOLD_AGAIN_S
from callrouter.dispatch.places import Place
from callrouter.dispatch.providers import Providers
from callrouter.ports import STATEMENT_S, Nobody, Offer, Sought, Waiting
from infra.redis import RedisLink, Script
from ivr.model import Band

LEASE_S = 30.0
"""How long a place or line outlives the last word of the worker that keeps it: three renewals may be missed."""

LEFT_S = 900.0
"""How long it is known that a caller has left, so that a worker that was cut off meanwhile does not bring them back."""

SWEEP_S = 1.0
"""Between sweeps of the whole house, whichever worker makes them."""

TAG = "{dispatch}"
_SCRIPT = Script(Path(__file__).with_name("dispatch.lua").read_text())
_BAND_STEP = 10**13  # milliseconds; more than any time of arrival, and small enough for a score to be exact
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Known:
    """A caller as Redis knows them: the place in which they wait, or with ``offer`` the line that they have."""

    place: Place
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Answer:
    """``offers``: lines that the move has found for callers who waited; whoever asked must tell them.

    ``mine``: callers who are kept by the worker that asked; ``lost``: those whom Redis should know and does not.
    """

    sought: Sought
    offers: tuple[tuple[str, Offer], ...]
    mine: tuple[Known, ...]
    lost: frozenset[str]


_TERMS = {
    "lease_ms": round(LEASE_S * 1000),
    "left_ms": round(LEFT_S * 1000),
    "longest_ms": round(LONGEST_COOL_DOWN_S * 1000),
    "statement_ms": round(STATEMENT_S * 1000),
}


class RedisLines:
    """The shared lines as one worker, ``holder``, asks about them; raises :class:`infra.errors.StateUnavailable`.

    ``now_ms`` replaces the time of day of Redis; a test moves it by hand.
    """

    def __init__(
        self,
        link: RedisLink,
        providers: Providers,
        holder: str,
        cool_down_s: Callable[[str], float],
        *,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._link = link
        self._house = json.dumps([_as_json(id=p.id, services=p.services, lines=p.lines) for p in providers])
        self._holder = holder
        self._cool_down_s = cool_down_s
        self._now_ms = now_ms

    async def seek(self, place: Place, *, hold: bool) -> Answer:
        """A line or a place; see :meth:`callrouter.ports.Dispatch.seek`."""
        return await self._ask(
            "seek", call=place.call_ref, services=place.services, order=_order(place), hold=hold, holder=self._holder
        )

    async def keep(self, call_refs: Iterable[str], *, take_over: bool) -> Answer:
        """Renew the leases of these callers, of those only whom this worker keeps unless it takes them over."""
        return await self._ask("keep", calls=list(call_refs), holder=self._holder, take_over=take_over)

    async def in_use(self, call_refs: Iterable[str]) -> Answer:
        """Renew the leases of those of these callers who have one, whoever keeps them."""
        return await self._ask("in_use", calls=list(call_refs))

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> Answer:
        """The line is free again, and the provider is passed over for a while."""
        cool_ms = _ms(self._cool_down_s(cause))
        return await self._ask("leg_failed", call=call_ref, provider=provider, cause=cause, cool_ms=cool_ms)

    async def leg_answered(self, call_ref: str, provider: str) -> Answer:
        """The provider works."""
        return await self._ask("leg_answered", call=call_ref, provider=provider)

    async def leave(self, call_ref: str) -> Answer:
        """The caller has neither place nor line any more."""
        return await self._ask("leave", call=call_ref)

    async def taken(self, call_ref: str, offer: Offer) -> Answer:
        """Somebody has dealt with this offer: it need not be told again."""
        return await self._ask("taken", call=call_ref, provider=offer.provider)

    async def reachable(self, provider: str, edge: str, up: bool | None) -> Answer:
        """Keep an edge's word on a provider; None takes it back."""
        return await self._ask("reachable", provider=provider, edge=edge, up=up)

    async def restore(self, callers: Iterable[tuple[Known, float]], gone: Mapping[str, float]) -> Answer:
        """Write what this worker knows since it was cut off, each with its age in seconds."""
        return await self._ask(
            "restore",
            holder=self._holder,
            callers=[_told(known, age_s) for known, age_s in callers],
            gone=[{"call": call_ref, "age_ms": _ms(age_s)} for call_ref, age_s in gone.items()],
        )

    async def sweep(self) -> Answer:
        """Offer what has become free without anybody's doing, and tell again what nobody has taken."""
        return await self._ask("sweep", every_ms=_ms(SWEEP_S * 0.9), told_again_ms=_ms(TOLD_AGAIN_S))

    async def _ask(self, move: str, **asked: object) -> Answer:
        now = self._now_ms() if self._now_ms else None
        args = [move, json.dumps(_as_json(**asked, **_TERMS, now=now)), self._house]
        return _answer(json.loads(await self._link.run(_SCRIPT, [TAG], args)))


def _answer(said: dict[str, Any]) -> Answer:
    # an empty list comes as an empty object: Lua knows no difference
    found = said.get("sought")
    sought: Sought = Nobody() if found is None else Offer(found["provider"], found["service"]) if found else Waiting()
    offers = tuple((each["call"], Offer(each["provider"], each["service"])) for each in said["offers"])
    mine = tuple(_known(each) for each in said["mine"])
    return Answer(sought, offers, mine, frozenset(said["lost"]))


def _known(told: dict[str, Any]) -> Known:
    rank, arrived_ms = divmod(int(told["order"]), _BAND_STEP)
    arrived = _EPOCH + timedelta(milliseconds=arrived_ms)
    place = Place(told["call"], tuple(told["services"]), list(Band)[rank], arrived)
    return Known(place, Offer(told["provider"], told["service"]) if "provider" in told else None)


def _told(known: Known, age_s: float) -> dict[str, object]:
    place, offer = known.place, known.offer
    return _as_json(
        call=place.call_ref,
        services=place.services,
        order=_order(place),
        age_ms=_ms(age_s),
        provider=offer.provider if offer else None,
        service=offer.service if offer else None,
    )


def _order(place: Place) -> int:
    """Band, then time of arrival in milliseconds, as one number: the lowest comes first."""
    return place.band.rank * _BAND_STEP + (place.arrived - _EPOCH) // timedelta(milliseconds=1)


def _as_json(**values: object) -> dict[str, object]:
    """Without what is None: Lua's reader would take it for something."""
    return {key: value for key, value in values.items() if value is not None}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
