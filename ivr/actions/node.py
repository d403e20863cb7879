"""What every node has: an action, exits, and the two questions that the engine asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ivr.errors import SessionError
from ivr.model import Answered, Heard, Wait

if TYPE_CHECKING:
    from ivr.run import Run

PERSON_KEY = "0"
PERSON = "person"
"""The engine's own choice wherever a caller may press keys: key 0 leads to the default 111 service."""

Step: TypeAlias = str | Wait
"""Where an action leaves the call: the name of an exit, or something to wait for."""


class Node(BaseModel):
    """Base of the actions. ``exits`` maps the action's exit names to node ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    SUPPLIED: ClassVar[frozenset[str]] = frozenset()
    """Exits of this action that the engine leads to the default 111 service where the author gives none."""

    note: str = ""
    exits: dict[str, str] = Field(default_factory=dict)

    def exit_names(self) -> frozenset[str]:
        """Every exit that this node may take and that the author may lead somewhere."""
        return frozenset({"next"})

    def prompt_keys(self) -> tuple[str, ...]:
        """Every prompt that this node may play."""
        return ()

    def enter(self, run: Run) -> Step:
        """The caller arrives here."""
        raise SessionError("action_cannot_enter", run.node)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        """Something happened while waiting here. None: it means nothing here, keep waiting."""
        del heard
        raise SessionError("action_cannot_resume", run.node)
