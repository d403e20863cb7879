"""The workbench of one sprint: what actions read and change while the engine steps from node to node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ivr.errors import SessionError
from ivr.model import (
    MAX_VISITS,
    Band,
    Entered,
    FactValue,
    Happening,
    Hold,
    Instruction,
    Play,
    Session,
    Sprint,
    Wait,
)
from ivr.voices import SLOWLY, in_voice

if TYPE_CHECKING:
    from ivr.flow import Flow

LANGUAGE = "language"
"""The fact that holds the caller's language; a flow of several languages declares it."""

SLOW = "slow_speech"
"""The fact that has the caller spoken to more slowly."""


SEARCHED, HELD = "searched_s", "held_s"
"""What is counted of a search for somebody: whole seconds of ringing, and of hold before it."""

SHORT_MENUS = "short_menus"
"""The fact that has menus say ``short_prompts``."""


def voiced(instruction: Instruction, voice: str) -> Instruction:
    """The same, with each prompt key under its voice: ``pl/main_menu``."""
    if not isinstance(instruction, Play | Hold):
        return instruction
    return replace(instruction, prompts=tuple(in_voice(voice, key) for key in instruction.prompts))


class Run:
    """Mutable for the length of one sprint, then frozen into a :class:`Sprint`."""

    __slots__ = (
        "band", "counts", "facts", "flow", "happenings", "instructions", "node", "record", "visits", "wait",
    )  # fmt: skip

    facts: dict[str, FactValue]
    counts: dict[str, int]
    visits: dict[str, int]

    def __init__(self, flow: Flow, session: Session | None = None) -> None:
        """Of a call that is at ``session``; None: of a new one."""
        self.flow = flow
        self.wait: Wait | None
        if session is None:
            self.node, self.wait, self.band, self.record = flow.start, None, Band.NORMAL, False
            self.facts, self.counts, self.visits = flow.first_facts(), {}, {}
        else:
            self.node, self.wait, self.band, self.record = session.node, session.wait, session.band, session.record
            self.facts, self.counts, self.visits = session.facts.copy(), session.counts.copy(), session.visits.copy()
        self.instructions: list[Instruction] = []
        self.happenings: list[Happening] = []

    def visit(self, node: str) -> None:
        """Enter ``node``; raises :class:`SessionError` when this call was here too often."""
        self.node = node
        self.visits[node] = visits = self.visits.get(node, 0) + 1
        if visits > MAX_VISITS:
            raise SessionError("too_many_visits", node)
        self.happenings.append(Entered(node))

    def do(self, *instructions: Instruction) -> None:
        """Have the network perform these, in order, in the caller's language and at their speed."""
        if (LANGUAGE in self.facts or SLOW in self.facts) and (voice := self.voice):
            self.instructions += [voiced(each, voice) for each in instructions]
        else:
            self.instructions += instructions

    @property
    def language(self) -> str:
        """The language that the caller chose, else the flow's first."""
        chosen = self.facts.get(LANGUAGE)
        return chosen if isinstance(chosen, str) and chosen in self.flow.languages else self.flow.language

    @property
    def voice(self) -> str:
        """How the caller is spoken to: empty for the first language at ordinary speed, else ``pl``, ``en_slow``."""
        slow = SLOWLY if self.facts.get(SLOW) is True else ""
        return "" if self.language == self.flow.language and not slow else f"{self.language}{slow}"

    @property
    def hears_words(self) -> bool:
        """Whether words are understood, red flags among them: in the flow's first language."""
        return LANGUAGE not in self.facts or self.language == self.flow.language

    def tell(self, happening: Happening) -> None:
        """Have the journal record this."""
        self.happenings.append(happening)

    def count(self, what: str, more: int = 1) -> int:
        """Count ``what`` at this node once (or ``more``) again, for the whole call, and return the count."""
        key = f"{self.node}.{what}"
        self.counts[key] = self.counts.get(key, 0) + more
        return self.counts[key]

    def counted(self, what: str) -> int:
        """How often ``what`` was counted at this node so far."""
        return self.counts.get(f"{self.node}.{what}", 0)

    def search_anew(self) -> None:
        """Whoever is sought from here on is sought for the whole of the time again."""
        self.counts = {key: of for key, of in self.counts.items() if key.rpartition(".")[2] not in (SEARCHED, HELD)}

    def raise_to(self, band: Band) -> None:
        """Put the caller into ``band`` if that is higher than where they are. Nothing lowers a caller."""
        if band is not self.band and band.rank < self.band.rank:
            self.band = band

    def sprint(self, wait: Wait) -> Sprint:
        """Freeze. The instructions become those of the present wait, for whoever takes the call over."""
        present = tuple(self.instructions)
        session = Session(
            self.flow.flow, self.flow.version, self.node, self.facts, self.counts, self.visits, wait,
            present, self.band, self.record,
        )  # fmt: skip
        return Sprint(session, present, tuple(self.happenings))

    def stay(self, session: Session) -> Sprint:
        """Freeze without a move: the same wait, nothing to perform again."""
        return Sprint(session, (), tuple(self.happenings))
