"""How a call begins: at the start of its flow, where it was cut off, with a person at once, or without us."""

from __future__ import annotations

from callrouter.model import WITHOUT_US, CallRecord, Input
from ivr import engine
from ivr.flow import Flow
from ivr.model import Sprint

TEXT_RELAY = "18001"
"""Dialled before the number by who types and reads (Relay UK): straight to a person (docs/safety/rules.md, 2)."""


def first_sprint(flow: Flow, given: Input, dropped: CallRecord | None) -> Sprint:
    """The first sprint of a call; ``dropped`` is the one that we cut off, of a caller who rang back."""
    if given.value == WITHOUT_US:
        return engine.without_us(flow)
    if given.arrival is not None and given.arrival.dialled.lstrip("+").startswith(TEXT_RELAY):
        return engine.straight_to_a_person(flow, "text_relay")
    return engine.start(flow) if dropped is None else engine.come_back(flow, dropped.session)
