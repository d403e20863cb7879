"""Made-up calls as their journals would tell them, of every kind that counting knows, from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from callrouter import events as ev
from infra.bus import Entry

PROVIDERS = ("kings", "thames", "mersey")
SERVICES = ("111", "clinician", "dental")
AREAS = ("southwark", "bexley", "london")
STEPS_S = (0.0, 0.000_001, 0.4, 3.0, 29.999, 30.0, 60.0, 61.5)


class MadeUpCall:
    """One call, told from ``start`` on; its number of events and its times are the seed's."""

    def __init__(self, ref: str, start: datetime, random: Random, *, resumes: str | None = None) -> None:
        self.ref = ref
        self.at = start
        self.random = random
        self.resumes = resumes
        self.entries: list[Entry] = []

    def tell(self, event: ev.Event) -> None:
        """The next event, a while after the one before; once in a while a clock runs back."""
        facts, _ = ev.split(event)
        self.at += timedelta(seconds=self.random.choice(STEPS_S) * (-0.1 if self.random.random() < 0.02 else 1))
        key = b"key" if not self.entries else None
        self.entries.append(Entry(self.ref, len(self.entries) + 1, self.at, event.kind, facts, None, key))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def whole(self, *, dropped: bool = False) -> list[Entry]:
        """All of its events, perhaps without an end; ``dropped``: we cut it off."""
        flow = "probe" if self.chance(0.04) else "front-door"
        self.tell(
            ev.Offered(
                network="sip", dialled="111", cli_class="present", flow=flow, flow_version="1",
                context=f"context-{self.ref}"[:32], resumes=self.resumes,
            )
        )  # fmt: skip
        if self.chance(0.4):
            self.tell(ev.AreaKnown(area=self.random.choice(AREAS), by="number"))
        for node in range(self.random.randint(0, 3)):
            self.tell(ev.NodeEntered(node=f"node{node}"))
        if self.chance(0.2):
            self.tell(ev.MessageHeard(node="flu", marker="pharmacy"))
        if self.chance(0.2):
            self.tell(ev.AreaKnown(area=self.random.choice(AREAS), by="postcode"))
        answered = self.chance(0.85) and self._wait_for_a_person()
        if dropped or self.chance(0.85):
            ends = ["answered", "answer_unknown"] if answered else [*ev.END_CLASSES, "vanished"]
            how = "dropped_by_us" if dropped else self.random.choice(ends)
            self.tell(ev.Ended(end_class=how, reason="done", by="caller"))
            if self.chance(0.1):
                self.tell(ev.ContextOpened(role="handler"))
        return self.entries

    def _wait_for_a_person(self) -> bool:
        service = self.random.choice(SERVICES)
        if self.chance(0.7):
            self.tell(ev.Queued(services=(service, "111"), band="routine"))
        for _ in range(self.random.randint(0, 3)):
            provider = self.random.choice(PROVIDERS)
            self.tell(ev.LegStarted(provider=provider, service=service, band="routine"))
            if self.chance(0.3):
                self.tell(ev.LegFailed(provider=provider, cause="busy"))
                continue
            if self.chance(0.8):
                evidence = self.random.choice(["agent", "agent", "switch"])
                self.tell(ev.LegAnswered(provider=provider, evidence=evidence))
                for role in ("handler", "commissioner"):
                    if self.chance(0.25):
                        self.tell(ev.ContextOpened(role=role))
                if self.chance(0.7):
                    self.tell(ev.TalkEnded(provider=provider, by="caller", cause="normal", talk_s=1.0))
                if self.chance(0.8):
                    return True
        if self.chance(0.1):
            self.tell(ev.HandedBack(reason="worker_gone"))
            self.tell(ev.LegAnswered(provider="fall_back", evidence="switch"))
        return False


def made_up_day(seed: int, calls: int, start: datetime, hours: float) -> list[Entry]:
    """Each call's events in order; some calls are cut off and resumed by another."""
    random = Random(seed)
    return [entry for number in range(calls) for entry in _contact(f"{seed}-{number}", start, hours, random)]


def _contact(ref: str, start: datetime, hours: float, random: Random) -> Iterator[Entry]:
    at = start + timedelta(seconds=random.random() * hours * 3600)
    resumed = random.random() < 0.1
    first = MadeUpCall(ref, at, random)
    yield from first.whole(dropped=resumed)
    if resumed:
        yield from MadeUpCall(f"{ref}-again", first.at + timedelta(seconds=40), random, resumes=ref).whole()


def as_they_come(seed: int, entries: list[Entry]) -> list[Entry]:
    """The same as a stream may bring them: reordered, some late, some twice."""
    random = Random(seed)
    again = random.sample(entries, len(entries) // 5)
    return sorted([*entries, *again], key=lambda entry: entry.at + timedelta(seconds=random.choice([0, 0, 0, 5, 900])))
