"""Times as HL7 version 3 writes them: ``20201029131333+00``, ``202010291313+0000``, ``19650217``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_LONDON = ZoneInfo("Europe/London")
_TS = re.compile(r"(\d{8})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d{1,6})?)?)?)?(?:([+-])(\d{2}):?(\d{2})?|(Z))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hl7Time:
    """An instant in UTC. ``doubtful``: its zone, its hour or its minute was not told."""

    at: datetime
    doubtful: bool = False


def read_time(text: str) -> Hl7Time | None:
    """Read a TS value (HL7 v3 data types, TS); None if it is none. Fractions of a second are dropped.

    A zone is ``+HH`` or ``+HHMM``. Without one it is taken for London's own time, in the hour that comes twice for
    the first of the two, and is doubtful.
    """
    found = _TS.fullmatch(text.strip())
    if found is None:
        return None
    day, hour, minute, second, sign, zone_h, zone_m, zulu = found.groups()
    try:
        local = datetime.strptime(f"{day}{hour or '00'}{minute or '00'}{second or '00'}", "%Y%m%d%H%M%S")  # noqa: DTZ007
        offset = timedelta(hours=int(zone_h or 0), minutes=int(zone_m or 0))
        has_zone = bool(sign or zulu)
        zone = timezone(-offset if sign == "-" else offset) if has_zone else _LONDON
        return Hl7Time(local.replace(tzinfo=zone).astimezone(UTC), doubtful=not has_zone or minute is None)
    except (ValueError, OverflowError):
        return None


def read_day(text: str) -> date | None:
    """The day of a TS value, as it is written there; None for less than a day, or for no day that exists."""
    found = _TS.fullmatch(text.strip())
    try:
        return datetime.strptime(found.group(1), "%Y%m%d").date() if found else None  # noqa: DTZ007
    except ValueError:
        return None
