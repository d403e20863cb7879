"""What passes through the door, and what is kept of a call between two inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from msgspec.json import Encoder

from infra.numbers import Number
from infra.state import Version
from ivr.model import InputKind as InputKind
from ivr.model import Instruction, Session, Wait
from ivr.values import Value, reader

NEXT_LIFE = 1000
"""A call's epochs on one line stay below this (the network's rounds); a twin line's begin at the next thousand."""

WITHOUT_US = "without_us"
"""Value of a ``started`` input: the network has carried the call to its fall-back, and we only write it down."""

MOST_REPLIES = 32
"""Stored replies kept for a call: a network retries within seconds, so only the newest can be asked again."""

MOST_LOOKS = 5
"""Looks for earlier contacts by typed details in one call: its page must not become a search for anybody's."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the network knows of a new call.

    ``network`` names the adapter that speaks for it, ``edge`` the Asterisk that holds the line, if one does.
    ``begins_again``: the first life of a call that is taken over and whose state cannot be read: one contact with it.
    """

    network: str
    dialled: str
    number: Number
    edge: str = ""
    begins_again: str | None = None


class Input(Value):
    """Something that happened to a call, as an adapter tells it.

    ``key`` is the same when the same thing is told again. ``wait_id`` names the wait that it answers; empty
    for what no prompt leads to (started, hung_up, taken_over, offered, leg and talk events). ``epoch`` is the
    owner's, as the network's side counts it. ``value``: digit, words, target, cause, evidence, or the edge that
    holds the line of a call that was taken over.
    """

    UNSAID = frozenset({"value"})

    key: str
    kind: InputKind
    at: datetime
    wait_id: str = ""
    value: str = ""
    epoch: int = 1
    arrival: Arrival | None = None


class Reply(Value):
    """What the network shall do now, and what the call then waits for."""

    call_ref: str
    context: str
    epoch: int
    step: int
    wait_id: str
    wait: Wait
    instructions: tuple[Instruction, ...] = ()

    def object_id(self, kind: str) -> str:
        """The id of whatever is made in performing this reply, so that a repeat is recognised."""
        return f"{self.call_ref}.{self.epoch}.{self.step}.{kind}"


class CallRecord(Value):
    """A call between two inputs: sealed in the state store, gone some time after the call.

    ``arrived_at``: since when the caller has waited; before ``offered_at`` for one whom we cut off and who came back.
    ``call_back``: they were promised one.
    ``due_at``: when the present wait is over, whoever owns the call then. ``looks``: how many of :data:`MOST_LOOKS`
    were made. ``looked_up``: which of plan and repeat were asked in this call.
    ``resumes``: the first call of this contact, if this one is not.

    The flags below the session only ever go from unset to set, so that the life of a call moves forward.
    """

    call_ref: str
    context: str
    network: str
    number: Number
    dialled: str
    offered_at: datetime
    arrived_at: datetime
    session: Session
    epoch: int
    step: int
    seq: int
    wait_id: str
    replies: dict[str, Reply]
    edge: str = ""
    due_at: datetime | None = None
    queued: bool = False
    message_heard: bool = False
    provider: str | None = None
    answered_at: datetime | None = None
    answer_evidence: str | None = None
    talk_over: bool = False
    handed_back: bool = False
    call_back: bool = False
    ended: str | None = None
    dropped: bool = False
    looks: int = 0
    looked_up: tuple[str, ...] = ()
    resumes: str | None = None

    @property
    def first(self) -> str:
        """The first call of this contact: one resumed, or begun again without its state, is no other."""
        return self.resumes or self.call_ref

    @property
    def version(self) -> Version:
        """The version under which the store keeps this record."""
        return Version(self.epoch, self.step)

    def reply(self, instructions: tuple[Instruction, ...]) -> Reply:
        """A reply from where the call is now."""
        return Reply(self.call_ref, self.context, self.epoch, self.step, self.wait_id, self.session.wait, instructions)

    def present(self) -> Reply:
        """The instructions of the present wait, for a network that asks again (a Twilio redirect)."""
        return self.reply(self.session.present)


def lives(call_ref: str, epoch: int) -> Iterator[str]:
    """Names of the later lives that a call may have had under this many owners, the latest first.

    A call whose state was lost with its worker begins again, under the name of its first life and the owner's epoch.
    """
    return (f"{call_ref}e{number}" for number in range(epoch, 1, -1))


written: Callable[[CallRecord], bytes] = Encoder().encode
"""The record as JSON, without what is as it is by default. :data:`read_record` gives the same one back."""

read_record: Callable[[bytes], CallRecord] = reader(CallRecord)
"""A record from JSON; raises :class:`ivr.values.Unreadable`, which names no caller."""
