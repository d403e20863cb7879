"""A flow: declared facts, nodes, and where each exit leads."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ivr.actions.announce import Announce
from ivr.actions.ask_date import AskDate
from ivr.actions.ask_number import AskNumber
from ivr.actions.ask_postcode import AskPostcode
from ivr.actions.ask_yes_no import AskYesNo
from ivr.actions.branch import Branch
from ivr.actions.call_back import CallBack
from ivr.actions.connect import Connect
from ivr.actions.default_111 import Default111
from ivr.actions.disclose import Disclose
from ivr.actions.fall_back import FallBack
from ivr.actions.gather import Gather
from ivr.actions.hang_up import HangUp
from ivr.actions.lookup import Lookup
from ivr.actions.menu import Menu
from ivr.actions.node import Node
from ivr.actions.offer import Offer
from ivr.actions.play import Play
from ivr.actions.queue import Queue
from ivr.actions.record import Record
from ivr.actions.red_flag import RedFlag
from ivr.actions.say import Say
from ivr.actions.set import Set
from ivr.actions.survey import Survey
from ivr.errors import Defect, FlowDefect
from ivr.facts import Fact
from ivr.model import DEFAULT_NODE, DEFAULT_SERVICE, RED_FLAG_NODE, FactValue
from ivr.schema_words import in_words

FALL_BACK_NODE = "fall_back"
AnyNode = Annotated[
    Say | Play | Menu | Gather | AskNumber | AskDate | AskPostcode | AskYesNo | Branch | Lookup | Set | Announce | Offer
    | Disclose | Queue | Connect | CallBack | Survey | Record | HangUp,
    Field(discriminator="action"),
]  # fmt: skip

ENGINE_NODES: dict[str, Node] = {
    DEFAULT_NODE: Default111(
        action="queue",
        services=(DEFAULT_SERVICE,),
        hold_s=900,
        hold_prompts=("hold_111",),
        exits={"failed": FALL_BACK_NODE},
    ),
    RED_FLAG_NODE: RedFlag(exits={"failed": DEFAULT_NODE}),
    FALL_BACK_NODE: FallBack(),
}
"""Nodes that every flow has and no author can change."""

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}(\.[a-z][a-z0-9_]{0,47}){0,4}$")]
"""The name of a node or fact; with dots for what a subflow brings."""


class Flow(BaseModel):
    """What callers can meet, as one file says it. ``version`` is a hash of all of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    flow: str = Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")
    title: str
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1, max_length=12)
    start: Id
    facts: dict[Id, Fact] = Field(default_factory=dict)
    nodes: dict[Id, AnyNode]
    sounds: str = ""
    """A hash of the texts and recordings behind the prompts: set by whoever publishes, never by an author."""
    known_as: str = Field(default="", exclude=True)
    """The version under which it is kept, if it is kept: a later release must not give it another name."""

    @property
    def language(self) -> str:
        """The language in which callers are greeted, and in which words are understood."""
        return self.languages[0]

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change when anything does, not when a release adds a field that is left out here."""
        return self.known_as or hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:12]

    def node(self, node_id: str) -> Node | None:
        """One of the engine's nodes, which no author can replace, or an author's."""
        return ENGINE_NODES[node_id] if node_id in ENGINE_NODES else self.nodes.get(node_id)

    def target(self, node_id: str, exit_name: str) -> str:
        """Where an exit leads: always somewhere, to a person of 111 where there is no such node."""
        node = self.node(node_id)
        return node.target(exit_name) if node else DEFAULT_NODE

    def vocabulary(self, node_id: str) -> dict[str, tuple[str, ...]]:
        """What may be said at a menu: choice → words."""
        node = self.node(node_id)
        return node.vocabulary() if node else {}

    def first_facts(self) -> dict[str, FactValue]:
        """The facts of a new call."""
        return {name: fact.initial for name, fact in self.facts.items()} if self.facts else {}


def read_flow(data: Any) -> Flow:
    """A flow from plain data without subflows; raises :class:`FlowDefect` with every place that is wrong."""
    if not isinstance(data, dict):
        raise FlowDefect([Defect((), "schema", "a flow is a mapping with flow, title, start and nodes")])
    try:
        return Flow.model_validate(data)
    except ValidationError as error:
        raise FlowDefect([_as_defect(each) for each in error.errors(include_url=False)]) from error


def _as_defect(error: Any) -> Defect:
    where = [str(part) for part in error["loc"]]
    if len(where) > 2 and where[0] == "nodes":
        del where[2]  # pydantic puts the action's name between node id and field
    return Defect(tuple(where), "schema", in_words(error))
