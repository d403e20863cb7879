"""Small counts of places say something of single people: outside the clinical roles they are held back."""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.handover import Role

SMALLEST = 5
CLINICAL = frozenset({Role.CLINICIAN, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY})
"""Who sees every count (docs/safety/rules.md, 9)."""

SMALL = f"<{SMALLEST}"
HELD_BACK = "–"


def shown(counts: Mapping[str, int]) -> dict[str, str]:
    """Each count as text, those under 5 as ``<5``.

    Beside the sum of them all, a single one that is held back would be no secret: the smallest other goes with it,
    as :data:`HELD_BACK`.
    """
    small = [name for name, count in counts.items() if count < SMALLEST]
    texts = {name: SMALL if count < SMALLEST else f"{count:,}" for name, count in counts.items()}
    others = sorted(counts.keys() - small, key=lambda name: (counts[name], name))
    if len(small) == 1 and others:
        texts[others[0]] = HELD_BACK
    return texts
