"""Look-ups that are answered from this process' memory: hours, area, the state of a service, the own number.

They never wait, so they have no budget; what is not known is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Callable

from callrouter import events as ev
from callrouter.hours import OpeningHours
from callrouter.model import CallRecord
from infra.areas import Areas, district_of
from infra.clock import Clock
from infra.numbers import Number
from ivr.actions.lookup import OUTCOMES
from ivr.model import Answered, LookupWait

LAST_DIGITS = 4  # of the caller's number, read back for them to confirm

_ICBS = frozenset(OUTCOMES["area"])


class Nearby:
    """``free_state`` says of a service ``free``, ``busy``, ``down`` or ``unknown``."""

    def __init__(
        self,
        clock: Clock,
        *,
        hours: OpeningHours | None = None,
        areas: Areas | None = None,
        free_state: Callable[[str], str] | None = None,
    ) -> None:
        self._clock = clock
        self._hours = hours or OpeningHours({})
        self._areas = areas
        self._free_state = free_state

    def answer(self, record: CallRecord, wait: LookupWait) -> Answered | None:
        """The answer; None for a look-up that somebody else must be asked."""
        match wait.what:
            case "hours":
                return Answered(self._hours.state(wait.about, self._clock.now()))
            case "service_state":
                return Answered(self._free_state(wait.about) if self._free_state else "unknown")
            case "area":
                return Answered(self._area(record, wait.about))
            case "number":
                return _own_number(record)
            case _:
                return None

    def certain_area(self, record: CallRecord, postcode: str = "") -> ev.AreaKnown | None:
        """The area that the caller's number or ``postcode`` tells for certain; None if it tells none."""
        if self._areas is None:
            return None
        where = self._areas.of_postcode(postcode) if postcode else self._areas.of_number(record.number.e164)
        area = self._areas.certain(where)
        return ev.AreaKnown(area=area, by="postcode" if postcode else "number") if area else None

    def _area(self, record: CallRecord, postcode: str) -> str:
        if self._areas is None:
            return "unknown"
        where = self._areas.of_postcode(postcode) if postcode else self._areas.of_number(record.number.e164)
        found = sorted(where & _ICBS)
        if len(found) == 1:
            return found[0]
        known = district_of(postcode) if postcode else _has_a_place(record.number)
        return "elsewhere" if known and not where else "unknown"


def _has_a_place(number: Number) -> bool:
    """Whether it is a British number of a town: one that says where the line is."""
    return (number.e164 or "").startswith(("+441", "+442"))


def _own_number(record: CallRecord) -> Answered:
    e164 = record.number.e164
    if e164 is None:
        return Answered("none")
    return Answered("mobile" if record.number.is_mobile else "other", digits=e164[-LAST_DIGITS:])
