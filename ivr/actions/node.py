"""What every node has: an action, exits, and the two questions that the engine asks of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ivr.actions.move import Cause, Label, Move
from ivr.errors import Defect, SessionError
from ivr.facts import Fact
from ivr.model import DEFAULT_NODE, RED_FLAG_NODE, Answered, Heard, Wait

if TYPE_CHECKING:
    from ivr.run import Run

PERSON_KEY = "0"
PERSON = "person"
"""The engine's own choice wherever a caller may press keys: key 0 leads to the default 111 service."""

RED_FLAG = "red_flag"
"""The engine's own exit wherever words may be a red flag."""

Step: TypeAlias = str | Wait
"""Where an action leaves the call: the name of an exit, or something to wait for."""


def key_0(*heard: str, seconds: float = 0.0) -> Move:
    """The engine's escape wherever a caller may press keys, as a move."""
    return Move(f"key {PERSON_KEY}", PERSON, Cause.KEY, heard, seconds, label=Label.CALLER)


class Node(BaseModel):
    """Base of the actions. ``exits`` maps the action's exit names to node ids.

    A new action says what it does (``enter``, ``resume``), and tells the check everything that may happen there
    (``moves``): each key, each answer of a look-up, silence, what is not understood, a service that fails. The
    check believes the moves, and the tests play the engine against them. Where callers may press keys, one of the
    moves is :func:`key_0`. The engine's own ``error`` and ``timeout`` need not be told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    SUPPLIED: ClassVar[frozenset[str]] = frozenset()
    """Exits of this action that the engine leads to the default 111 service where the author gives none."""

    note: str = ""
    intent: str = Field(default="", max_length=60)
    """What the step is about, for replay: a step of another version with the same intent asks the same. Else its id."""
    exits: dict[str, str] = Field(default_factory=dict)

    def exit_names(self) -> frozenset[str]:
        """Every exit that this node may take and that the author may lead somewhere."""
        return frozenset({"next"})

    def target(self, exit_name: str) -> str:
        """Where an exit leads: always somewhere, to a person of 111 where the author says nothing."""
        if exit_name == RED_FLAG:
            return RED_FLAG_NODE
        return DEFAULT_NODE if exit_name == PERSON else self.exits.get(exit_name, DEFAULT_NODE)

    def prompt_keys(self) -> tuple[str, ...]:
        """Every prompt that this node may play."""
        return ()

    @abstractmethod
    def moves(self) -> tuple[Move, ...]:
        """Every way in which a call may go on from here, or end here, whatever the environment does."""

    def promises(self) -> frozenset[str]:
        """What callers are told here that the service will do for them later: ``call_back``, ``text``."""
        return frozenset()

    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        """What may be said here: choice → words that mean it."""
        return {}

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        """What is wrong with this node alone, given the declared facts; ``where`` counts from the node."""
        del facts
        yield from ()

    def enter(self, run: Run) -> Step:
        """The caller arrives here."""
        raise SessionError("action_cannot_enter", run.node)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        """Something happened while waiting here. None: it means nothing here, keep waiting."""
        del heard
        raise SessionError("action_cannot_resume", run.node)
