"""What one call counts to. Pure: whatever comes twice or late, a call is in each of its cells once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from alerts.figures.items import NOWHERE, PROBE_FLOW
from alerts.surges.indicators import Indicator, Indicators
from alerts.surges.model import ALL, EVERYWHERE, KEPT_FROM_THE_QUEUE, OF_AGE, Cell, CountedCall, quarter_of
from infra.areas import Areas
from infra.bus import Entry

SEALED = frozenset({"red_flag_heard", "reasons_heard", "age_band_known"})
"""The events of which the stream says only that they were: the journal opens what they say."""

HEARD = frozenset({"offered", "choice_made", "area_known", "ended"}) | SEALED
"""The events that change what a call counts to."""


def heard(
    call: CountedCall, entry: Entry, indicators: Indicators, told: Collection[str] = (), resumes: str = ""
) -> CountedCall:
    """The call after one more of its events. ``told``: what it says under seal (category, reasons or age band).

    ``resumes``: what stands for the first call of the contact, where the event names one.
    """
    facts = entry.facts
    match entry.kind:
        case "offered" if facts.get("flow") != PROBE_FLOW:
            menu = str(facts.get("flow_version", ""))
            return replace(call, quarter=quarter_of(entry.at), menu=menu, resumes=resumes)
        case "choice_made":
            return replace(call, signals=call.signals | indicators.of_choice(str(facts.get("choice", ""))))
        case "red_flag_heard":
            found = indicators.of_red_flags(told)
            return replace(call, signals=call.signals | found, lexicon=str(facts.get("lexicon", "")))
        case "reasons_heard":
            found = indicators.of_reasons(told)
            return replace(call, signals=call.signals | found, reasons=str(facts.get("lexicon", "")))
        case "age_band_known":
            return replace(call, age=next(iter(told), call.age))
        case "area_known":
            return replace(call, area=str(facts.get("area", "")))
        case "ended":
            return replace(call, end_class=str(facts.get("end_class", "")))
        case _:
            return call


def together(first: CountedCall, others: Collection[CountedCall]) -> CountedCall:
    """One caller whom we cut off and who rang back (docs/safety/rules.md, 8): when they first called, all they chose.

    What the first call does not tell, those that resume it do, in the order of time.
    """
    later = sorted(others, key=lambda each: (each.quarter or 0, each.area, each.lexicon, each.reasons, each.age))
    kept = [each.end_class for each in (first, *later) if each.end_class in KEPT_FROM_THE_QUEUE]
    return replace(
        first,
        signals=first.signals.union(*(each.signals for each in later)),
        area=next((each.area for each in (first, *later) if each.area), ""),
        lexicon=next((each.lexicon for each in (first, *later) if each.lexicon), ""),
        reasons=next((each.reasons for each in (first, *later) if each.reasons), ""),
        age=next((each.age for each in (first, *later) if each.age), ""),
        end_class=kept[0] if kept else first.end_class,
    )


def cells(call: CountedCall, indicators: Indicators) -> dict[Cell, tuple[int, int]]:
    """Where the call is counted: demand (1) and deflected (0 or 1) of each cell. Nowhere before it was offered."""
    if call.quarter is None:
        return {}
    amount = (1, int(call.end_class in KEPT_FROM_THE_QUEUE))
    area = call.area or NOWHERE
    found = {Cell(call.quarter, ALL, area, ""): amount}
    for signal in call.signals:
        if signal in indicators:
            version = f"{_asked(call, indicators[signal])}/{indicators.version}"
            found[Cell(call.quarter, signal, area, version)] = amount
            if call.age:
                found[Cell(call.quarter, signal, OF_AGE + call.age, version)] = amount
    return found


def counted_in(area: str, areas: Areas) -> tuple[str, ...]:
    """The areas of all series that a cell of this one counts to: an age band only to its own."""
    return (area,) if area.startswith(OF_AGE) else (EVERYWHERE, *areas.around(area))


def _asked(call: CountedCall, signal: Indicator) -> str:
    """The version of what the caller answered, or of what was listened for."""
    if signal.red_flags:
        return call.lexicon
    return call.reasons if signal.reasons else call.menu
