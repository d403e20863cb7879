"""One form of a call's journal for every network: without times, ids, and what a network is called.

What stays must be the same for the same call: which steps, prompts, choices, look-ups, offers, bands, ends, and what
is sealed in the journal (what was pressed, what look-ups found). What goes:

- times (``took_ms``, ``talk_s``) and ids (``call_ref``, ``context``, ``wait_id``, those of plans and earlier calls in
  ``detail``, the version, which holds a hash of the sound that only some networks play);
- names of channels: the network, the number that was dialled, how the caller's number came;
- what only some networks tell: that a telephone rings, and in which words a network says that a leg or a call ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from callrouter.events import Event

NOT_COMPARED = frozenset({"leg_ringing", "late_input", "context_opened", "taken_over"})
"""Events of one network's signalling, or of somebody beside the call."""

FIELDS_LEFT_OUT = {
    "offered": {"network", "dialled", "cli_class", "context", "flow_version", "resumes"},
    "prompts_played": {"wait_id"},
    "input_taken": {"wait_id"},
    "looked_up": {"took_ms", "detail"},
    "talk_ended": {"talk_s", "cause"},
    "ended": {"reason"},
}


def canonical(events: Iterable[Event]) -> list[tuple[str, dict[str, Any]]]:
    """The journal of one call in the form in which networks are compared."""
    return [
        (
            event.kind,
            {each.name: getattr(event, each.name) for each in fields(event) if each.name not in _left_out(event)},
        )
        for event in events
        if event.kind not in NOT_COMPARED
    ]


def _left_out(event: Event) -> set[str]:
    return FIELDS_LEFT_OUT.get(event.kind, set())
