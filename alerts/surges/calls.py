"""What one call counts to. Pure: whatever comes twice or late, a call is in each of its cells once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from alerts.figures.items import NOWHERE, PROBE_FLOW
from alerts.surges.indicators import Indicators
from alerts.surges.model import ALL, KEPT_FROM_THE_QUEUE, Cell, CountedCall, quarter_of
from infra.bus import Entry

HEARD = frozenset({"offered", "choice_made", "red_flag_heard", "area_known", "ended"})
"""The events that change what a call counts to."""


def heard(
    call: CountedCall, entry: Entry, indicators: Indicators, categories: Collection[str] = (), resumes: str = ""
) -> CountedCall:
    """The call after one more of its events. ``categories``: of the red flags, as the journal has them by now.

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
            found = indicators.of_red_flags(categories)
            return replace(call, signals=call.signals | found, lexicon=str(facts.get("lexicon", "")))
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
    later = sorted(others, key=lambda each: (each.quarter or 0, each.area, each.lexicon))
    kept = [each.end_class for each in (first, *later) if each.end_class in KEPT_FROM_THE_QUEUE]
    return replace(
        first,
        signals=first.signals.union(*(each.signals for each in later)),
        area=next((each.area for each in (first, *later) if each.area), ""),
        lexicon=next((each.lexicon for each in (first, *later) if each.lexicon), ""),
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
            asked = call.lexicon if indicators.by_words(signal) else call.menu
            found[Cell(call.quarter, signal, area, f"{asked}/{indicators.version}")] = amount
    return found
