"""Small counts of places and of needs say something of single people: outside the clinical roles they are held back."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from alerts.model import Rule
from alerts.notices.wording import amount
from alerts.rules.measures import COUNTS
from callrouter.handover import Role

SMALLEST = 5
CLINICAL = frozenset({Role.CLINICIAN, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY})
"""Who sees every count (docs/safety/rules.md, 9)."""

SMALL = f"<{SMALLEST}"
HELD_BACK = "–"


def shown(counts: Mapping[str, int], also: Collection[str] = ()) -> dict[str, str]:
    """Each count as text, those under 5 as ``<5``; those of the names in ``also`` are held back whatever they are.

    Beside the sum of them all, a single one that is held back would be no secret, nor would several be that are all 1
    or all 4: the smallest other goes with them, as :data:`HELD_BACK`.
    """
    small = {name for name, count in counts.items() if count < SMALLEST}
    hidden = small | (counts.keys() & set(also))
    others = sorted(counts.keys() - hidden, key=lambda name: (counts[name], name))
    sum_of_them = sum(counts[name] for name in hidden)
    if others and hidden and (len(hidden) == 1 or sum_of_them in (len(hidden), (SMALLEST - 1) * len(hidden))):
        hidden.add(others[0])
    texts = {name: HELD_BACK if name in hidden else f"{count:,}" for name, count in counts.items()}
    return texts | dict.fromkeys(small, SMALL)


def amount_shown(rule: Rule, scope: str, value: float, *, every_count: bool) -> str:
    """A value that a rule reads of a scope, in words; a small count of an area or a service is not told."""
    is_count = rule.metric in COUNTS and not rule.than_usual and scope.partition(":")[0] in ("area", "service")
    return f"fewer than {SMALLEST}" if is_count and value < SMALLEST and not every_count else amount(rule, value)
