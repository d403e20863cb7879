"""Who sees every count; for everybody else small ones of places and needs are held back."""

from __future__ import annotations

from callrouter.handover import Role

CLINICAL = frozenset({Role.CLINICIAN, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY})
"""Who sees every count (docs/safety/rules.md, 9)."""
