"""Small counts of places (areas) and of needs (services) say something of single people: what is told of them instead.

Outside the clinical roles (docs/safety/rules.md, 9; ADR 33 and 45). Figures of the whole service and of a provider say
nothing of anybody's health and are told in full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

SMALLEST = 5
SMALL = f"<{SMALLEST}"
HELD_BACK = "–"


def of_few(scope: str) -> bool:
    """Whether a scope (``area:camden``), or a kind of them, is a place or a need."""
    return scope.partition(":")[0] in ("area", "service")


def rounded(count: int) -> int:
    """To the nearest five: of two looks, one call apart, four times out of five both tell the same."""
    return (count + SMALLEST // 2) // SMALLEST * SMALLEST


def shown(counts: Mapping[str, int], also: Collection[str] = ()) -> dict[str, str]:
    """Each count as text, rounded, those under 5 as ``<5``; those of the names in ``also`` are held back in any case.

    Beside the sum of them all, a single one that is held back would be no secret, nor would several be that are all 1
    or all 4: the smallest other goes with them, as :data:`HELD_BACK`.
    """
    small = {name for name, count in counts.items() if count < SMALLEST}
    hidden = small | (counts.keys() & set(also))
    others = sorted(counts.keys() - hidden, key=lambda name: (counts[name], name))
    sum_of_them = sum(counts[name] for name in hidden)
    if others and hidden and (len(hidden) == 1 or sum_of_them in (len(hidden), (SMALLEST - 1) * len(hidden))):
        hidden.add(others[0])
    texts = {name: HELD_BACK if name in hidden else f"{rounded(count):,}" for name, count in counts.items()}
    return texts | dict.fromkeys(small, SMALL)
