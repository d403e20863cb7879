"""Probes of the alert auditor among the calls: the flow that they meet, and the provider that they wait for."""

from __future__ import annotations

from alerts.figures.items import PROBE_FLOW, PROBE_PROVIDER
from callrouter.dispatch.providers import Provider, Providers
from callrouter.errors import ConfigurationError
from callrouter.ports import Flows
from ivr.flow import FALL_BACK_NODE, Flow
from ivr.model import FIRST_WORDS, NOTICE

AUDIT_SERVICE = "audit"
"""The reserved service: offered by the reserved provider alone, named by the probes' flow alone."""

NOBODY = "+442079460998"
"""What a telephone is told to ring: a number of Ofcom's range for drama, which no network routes. The auditor's rings
nobody at all; somebody's who came here by mistake fails at once, and never comes round to us again."""

PROBE = Flow.model_validate(
    {
        "flow": PROBE_FLOW,
        "title": "A probe of the alert auditor",
        "start": "first_words",
        "nodes": {
            "first_words": {
                "action": "say", "prompts": [FIRST_WORDS, NOTICE], "barge_in": False, "exits": {"next": "listening"},
            },
            "listening": {"action": "connect", "services": [AUDIT_SERVICE], "exits": {"failed": FALL_BACK_NODE}},
        },
    }
)  # fmt: skip
"""Checked as any other flow. Who dialled this number by mistake hears of 999, and rings the default 111 service by the
network's fall-back once nobody has answered. A probe whose auditor died goes the same way, and rings nobody: nobody
performs it. It never takes a caller's place or a provider's line."""


class FlowsWithProbe:
    """:class:`callrouter.ports.Flows`: the probes' flow at the reserved number, ``flows`` for everybody else.

    ``name``: that of the flow of callers. Raises :class:`ConfigurationError` if it is the probes': every call would be
    taken for a probe, and be counted nowhere.
    """

    def __init__(self, flows: Flows, name: str, number: str) -> None:
        if name == PROBE_FLOW:
            raise ConfigurationError(f"the name {PROBE_FLOW} of a flow is reserved for the alert auditor")
        self._flows = flows
        self._number = number

    def for_dialled(self, dialled: str, call_ref: str) -> Flow:
        return PROBE if dialled == self._number else self._flows.for_dialled(dialled, call_ref)

    def version(self, name: str, version: str) -> Flow | None:
        return PROBE if name == PROBE_FLOW else self._flows.version(name, version)

    def is_recalled(self, version: str) -> bool:
        return self._flows.is_recalled(version)


def with_probe(providers: Providers) -> Providers:
    """These providers and the reserved one; raises :class:`ConfigurationError` if one of them bears its names."""
    if any(each.id == PROBE_PROVIDER for each in providers) or AUDIT_SERVICE in providers.services:
        text = f"the provider {PROBE_PROVIDER} and the service {AUDIT_SERVICE} are reserved for the alert auditor"
        raise ConfigurationError(text)
    reserved = Provider(id=PROBE_PROVIDER, name="Alert auditor", services=(AUDIT_SERVICE,), tel=NOBODY)
    return Providers((*providers, reserved))
