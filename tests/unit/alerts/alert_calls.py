"""Calls told as entries of the event stream, for tests of the figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callrouter import events as ev
from infra.bus import Entry

NOON = datetime(2025, 6, 2, 11, 0, tzinfo=UTC)  # 12:00 in London


class Told:
    """One call, told event by event at seconds since ``start``; ``seq`` counts by itself."""

    def __init__(self, ref: str = "call-1", start: datetime = NOON) -> None:
        self.ref = ref
        self.start = start
        self.entries: list[Entry] = []

    def at(self, seconds: float, event: ev.Event) -> Told:
        facts, secret = ev.split(event)
        when = self.start + timedelta(seconds=seconds)
        sealed = b"sealed" if secret else None
        self.entries.append(Entry(self.ref, len(self.entries) + 1, when, event.kind, facts, sealed))
        return self

    def offered(self, seconds: float = 0, *, flow: str = "front-door", resumes: str | None = None) -> Told:
        return self.at(
            seconds,
            ev.Offered(
                network="phone", dialled="111", cli_class="mobile", flow=flow, flow_version="1",
                context=f"context-{self.ref}", number="+447700900123", resumes=resumes,
            ),
        )  # fmt: skip

    def queued(self, seconds: float) -> Told:
        return self.at(seconds, ev.Queued(services=("handlers",), band="routine"))

    def leg(self, seconds: float, provider: str, service: str = "handlers") -> Told:
        return self.at(seconds, ev.LegStarted(provider=provider, service=service, band="routine"))

    def failed(self, seconds: float, provider: str, cause: str = "no_answer") -> Told:
        return self.at(seconds, ev.LegFailed(provider=provider, cause=cause))

    def answered(self, seconds: float, provider: str, evidence: str = "agent") -> Told:
        return self.at(seconds, ev.LegAnswered(provider=provider, evidence=evidence))

    def opened(self, seconds: float, role: str = "handler") -> Told:
        return self.at(seconds, ev.ContextOpened(role=role, user="h.smith"))

    def talk_ended(self, seconds: float, provider: str) -> Told:
        return self.at(seconds, ev.TalkEnded(provider=provider, by="caller", cause="hung_up", talk_s=30.0))

    def ended(self, seconds: float, end_class: str) -> Told:
        return self.at(seconds, ev.Ended(end_class=end_class, reason="done", by="caller"))
