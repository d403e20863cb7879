"""What a channel's variables say of its call: who rings, what was dialled, why a leg failed."""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.model import Arrival
from infra.numbers import Number, calling_number
from ivr.model import LEFT_FOR_111

NETWORK = "sip"

_CAUSES = {"BUSY": "busy", "NOANSWER": "no_answer", "CHANUNAVAIL": "unreachable", "CONGESTION": "rejected",
           "CANCEL": LEFT_FOR_111}  # fmt: skip
"""DIALSTATUS of the dialplan → cause. By status code first where the provider gave one.

A caller who is still there after a CANCEL has pressed 0.
"""
_STATUS = {"480": "no_answer", "486": "busy", "408": "unreachable", "503": "unreachable", "404": "rejected",
           "603": "rejected"}  # fmt: skip


def arrival(facts: Mapping[str, str], edge: str) -> Arrival:
    """The call as the network tells it."""
    return Arrival(NETWORK, facts.get("DIALLED", "111"), caller_number(facts), edge)


def started_key(facts: Mapping[str, str]) -> str:
    """The same for an INVITE that the carrier sends again, whichever Asterisk it comes to.

    Of a line whose Call-ID did not reach us, its own: two callers must never be one, whom the second would cut off.
    """
    return f"{facts.get('SIP_CALL_ID') or facts['CALL_REF']}.{facts.get('FROM_TAG', '')}"


def named_first(facts: Mapping[str, str], call_ref: str) -> tuple[str, str]:
    """What to ask the door which line of an INVITE was the first: its key, and how this line names itself.

    A line's name bears the edge's try that brought it: of two, the lower one was given up.
    """
    return started_key(facts), f"{call_ref} {facts.get('TRY', '')}".strip()


def first_line(value: str) -> tuple[str, int]:
    """The first line's call, and by which of the edge's tries it came; 0 without an edge."""
    call_ref, _, tried = value.partition(" ")
    return call_ref, int(tried) if tried.isdecimal() else 0


def failure(facts: Mapping[str, str]) -> str:
    """Why the last dial brought no talk, in the journal's words."""
    return _STATUS.get(facts.get("LEG_SIP", "")) or _CAUSES.get(facts.get("DIALSTATUS", ""), "unreachable")


def caller_number(facts: Mapping[str, str]) -> Number:
    """The number that a look-up may use: the network's own (P-Asserted-Identity) before the presented one.

    ``Privacy: id`` withholds it. ``Diversion`` or ``History-Info`` name the line that was diverted: where the
    carrier gives that line's number as the caller's, there is no caller's number.
    """
    withheld = any(word in ("id", "user", "header") for word in facts.get("PRIVACY", "").lower().split(";"))
    asserted = _user_of(facts.get("PAI", ""))
    return calling_number(asserted or facts.get("CLI", ""), withheld=withheld, diverter=facts.get("DIVERTER", ""))


def _user_of(header: str) -> str:
    """The user part of the first ``sip:`` or ``tel:`` address in a header's value; empty if there is none."""
    for scheme in ("sip:", "sips:", "tel:"):
        _, found, rest = header.partition(scheme)
        if found:
            return rest.split("@")[0].split(">")[0].split(";")[0]
    return ""
