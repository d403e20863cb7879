"""The one door: ``Calls.handle`` is the only place where a call moves.

Load the record, run the engine, answer its look-ups within their budgets, commit session, events and reply
together, then act. One input at a time for each call; a commit that loses re-reads and runs again, since the
engine is pure. Whatever goes wrong, the caller is on the way to a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import datetime

import structlog
from msgspec.structs import replace

from callrouter import events as ev
from callrouter.asking import Asking
from callrouter.beginning import first_sprint
from callrouter.catching_up import before_waiting
from callrouter.deadlines import Deadlines, watched_s, with_due_time
from callrouter.dispatch.finding import Finding
from callrouter.elsewhere import go_on_elsewhere
from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.journal import seal
from callrouter.lanes import Lane, Moved
from callrouter.lookups import Lookups
from callrouter.model import CallRecord, Input, InputKind, Reply
from callrouter.moves import (
    end_class,
    happened,
    heard_as,
    is_for_this_wait,
    is_stale,
    leg_events,
    performed,
    record_after,
    record_noting,
    remembering,
    was_dropped,
)
from callrouter.ports import Dispatch, Flows, IsShared, Nudge, Offer, Performer
from callrouter.pushing import Pushing
from callrouter.records import Records
from callrouter.resuming import CutOff, IsConnected, Resuming, always, nobody
from infra.bus import Entry
from infra.clock import Clock
from infra.crypto import DataKey, KeyRing
from infra.state import CallStates
from ivr import engine
from ivr.flow import Flow
from ivr.model import (
    Answered,
    GoneWait,
    HandBack,
    Heard,
    Hold,
    Instruction,
    LegWait,
    LookupWait,
    OfferWait,
    Session,
    Sprint,
    TalkWait,
)

KEEP_LIVE_S = 6 * 3600.0  # longer than the longest talk (4 h) and wait together
KEEP_OVER_S = 3600.0  # late webhooks and the call page's questions come within minutes
MOST_COMMITS = 10  # lost commits in a row before we give up and the network's fall-back takes the caller

log = structlog.get_logger()


class Calls:
    """The door. Everything that it needs of the world is passed in."""

    def __init__(
        self,
        *,
        states: CallStates,
        flows: Flows,
        lookups: Lookups,
        dispatch: Dispatch,
        keys: KeyRing,
        clock: Clock,
        new_id: Callable[[], str],
        answers: Mapping[str, str] | None = None,
        nudge: Nudge | None = None,
        connected: IsConnected = always,
        is_shared: IsShared = nobody,
    ) -> None:
        self._states = states
        self._flows = flows
        self._lookups = lookups
        self._dispatch = dispatch
        self._finding = Finding(dispatch)
        self._keys = keys
        self._records = Records(keys)
        self._clock = clock
        self._new_id = new_id
        self._answers = dict(answers or {})  # provider id → what a picked-up call means there
        self._lanes: dict[str, Lane] = {}
        self._pushing = Pushing(self.present, self.give_up, nudge)
        self._deadlines = Deadlines(clock, self.deliver)
        self._resuming = Resuming(states, CutOff(states, keys, is_shared), self, clock, connected)

    def perform_with(self, network: str, performer: Performer) -> None:
        """Have replies that no input of ``network`` asked for (offers, timers) performed by its adapter."""
        self._pushing.add(network, performer)

    async def nudged(self, call_ref: str) -> None:
        """Another process has moved a call that may be ours to perform."""
        await self._pushing.nudged(call_ref)

    async def handle(self, call_ref: str, given: Input) -> Reply:
        """Move the call by one input and say what to do.

        The same key again gives the same reply. Raises :class:`UnknownCall` for a call that never started
        here, :class:`StaleEpoch` when a newer owner has it.
        """
        if (lane := self._lanes.get(call_ref)) is None:
            lane = self._lanes[call_ref] = Lane(asyncio.Lock(), asyncio.get_running_loop().create_future())
        lane.users += 1
        if given.kind is InputKind.HUNG_UP and not lane.hung_up.done():
            lane.hung_up.set_result(None)
        try:
            async with lane.lock:
                return await self._commit(call_ref, given, lane)
        finally:
            lane.users -= 1
            if not lane.users:
                self._lanes.pop(call_ref, None)

    async def deliver(self, call_ref: str, given: Input) -> bool:
        """Handle an input that no adapter waits on, and have it performed; False if the call is not ours."""
        try:
            reply = await self.handle(call_ref, given)
        except (UnknownCall, StaleEpoch):
            return False
        except Exception as error:  # noqa: BLE001 - nobody awaits this: the caller must not wait for ever
            log.error("call_step_failed", call_ref=call_ref, error=type(error).__name__)
            if not await self.give_up(call_ref, "step_failed"):
                return False
            reply = await self.present(call_ref)
        record, _ = await self._read(call_ref)
        if record is not None and reply.instructions:
            await self._pushing.push(record.network, reply)
        return True

    async def present(self, call_ref: str) -> Reply:
        """The present wait's instructions again, without a move; raises :class:`UnknownCall`."""
        record, _ = await self._read(call_ref)
        if record is None:
            raise UnknownCall
        self._deadlines.arm(record)  # whoever asks may have it from another process, which may be gone
        if isinstance(record.session.wait, OfferWait | LegWait | TalkWait):
            await self._dispatch.keep(call_ref)  # likewise their place or line
        return record.present()

    async def record(self, call_ref: str) -> CallRecord | None:
        """What is kept of the call now; None if it never started or was forgotten."""
        return (await self._read(call_ref))[0]

    async def knows(self, call_ref: str) -> bool:
        """Whether the call has begun here under this name. Arms nothing and keeps nothing."""
        return await self.record(call_ref) is not None

    async def postpone(self, call_ref: str) -> None:
        """The call was seen alive: it is not overdue before the next look. Moves nothing."""
        record, key = await self._read(call_ref)
        if record is not None and key is not None and record.ended is None:
            await self._dispatch.keep(call_ref)
            await self._write(record, replace(record, step=record.step + 1), (), key, self._clock.now())

    async def first_of(self, key: str, call_ref: str) -> str:
        """The first call to bear ``key``: a carrier may send one INVITE twice, over two of our Asterisks."""
        hidden = self._keys.index("started", key)  # a carrier may put a number into its ids
        return await self._states.name(f"first.{hidden}", call_ref, keep_s=KEEP_OVER_S)

    async def note(self, call_ref: str, event: ev.Event) -> bool:
        """Record an event that moves nothing (the call's page was opened).

        False, and it is not recorded, for a forgotten call and for what :func:`callrouter.moves.record_noting` refuses.
        """
        for _ in range(MOST_COMMITS):
            record, key = await self._read(call_ref)
            if record is None or key is None:
                return False
            flow = self._flows.version(record.session.flow, record.session.version)
            if (after := record_noting(record, event, flow)) is None:
                return False
            if await self._write(record, after, (event,), key, self._clock.now()):
                return True
        return False

    async def give_up(self, call_ref: str, reason: str) -> bool:
        """The adapter itself has given the call to the network's fall-back, because something of ours broke.

        No line is sought for the caller any more. False for a call that is not known here.
        """
        for _ in range(MOST_COMMITS):
            record, key = await self._read(call_ref)
            if record is None or key is None:
                return False
            if record.ended is not None or record.handed_back:
                return True
            step = record.step + 1
            gone = replace(record.session, wait=GoneWait(record.session.node), present=(HandBack(reason),))
            after = replace(
                record, step=step, session=gone, handed_back=True, wait_id=f"{record.epoch}.{step}", due_at=None
            )
            if await self._write(record, after, (ev.HandedBack(reason=reason),), key, self._clock.now()):
                self._deadlines.arm(after)
                await self._dispatch.leave(call_ref)
                return True
        return False

    async def offered(self, call_ref: str, offer: Offer) -> None:
        """Dispatch has a line for a caller who waits."""
        key = f"offer.{offer.provider}.{self._new_id()}"
        given = Input(key, InputKind.OFFERED, self._clock.now(), value=f"{offer.provider} {offer.service}", epoch=0)
        if not await self.deliver(call_ref, given):
            await self._dispatch.leave(call_ref)

    async def close(self) -> None:
        """Stop every timer; calls in progress are left to whoever takes them over."""
        await self._deadlines.close()

    # ------------------------------------------------------------------ load, work out, commit

    async def _commit(self, call_ref: str, given: Input, lane: Lane) -> Reply:
        # a call that starts is hardly ever known: that it is, its commit finds out, and nobody need ask before
        is_new = given.kind is InputKind.STARTED and given.arrival is not None
        for _ in range(MOST_COMMITS):
            record, key = (None, None) if is_new else await self._read(call_ref)
            is_new = False
            if record is None or key is None:
                if given.kind is not InputKind.STARTED:
                    raise UnknownCall
                key = self._keys.new_data_key()
                moved = await self._begin(call_ref, given, lane)
            else:
                if (known := record.replies.get(given.key)) is not None:
                    return known
                if is_stale(record, given):
                    raise StaleEpoch
                if given.kind is InputKind.TIMER and given.wait_id != record.wait_id:
                    return record.reply(())  # armed by a process that did not hear how the call went on
                moved = await self._move(record, given, lane)
            kept = with_due_time(record, remembering(moved.record, given.key, moved.reply), self._clock.now())
            if await self._write(record, kept, moved.events, key, given.at):
                self._deadlines.arm(kept)
                if moved.leaves:
                    await self._dispatch.leave(call_ref)
                await self._resuming.remember(record, kept)
                return moved.reply
        raise StaleEpoch

    async def _read(self, call_ref: str) -> tuple[CallRecord | None, DataKey | None]:
        stored = await self._states.read(call_ref)
        return (None, None) if stored is None else self._records.open(call_ref, stored)

    async def _write(
        self,
        before: CallRecord | None,
        after: CallRecord,
        events: Iterable[ev.Event],
        key: DataKey,
        at: datetime,
    ) -> bool:
        entries: list[Entry] = []
        at = min(at, self._clock.now())  # what is told late happened when it happened
        for event in events:
            entries.append(seal(event, after.call_ref, after.seq + len(entries) + 1, at, key))
        after = replace(after, seq=after.seq + len(entries))
        stored = self._records.seal(after, key)
        expected = before.version if before else None
        keep_s = KEEP_OVER_S if after.ended else KEEP_LIVE_S
        due_s = watched_s(after, self._clock.now())
        return await self._states.commit(after.call_ref, expected, stored, entries, keep_s=keep_s, due_s=due_s)

    async def _begin(self, call_ref: str, given: Input, lane: Lane) -> Moved:
        arrival = given.arrival
        if arrival is None:
            raise ValueError("a started input needs its arrival")
        if arrival.begins_again:
            await self._dispatch.leave(arrival.begins_again)  # else a line is offered to a name that nobody is on
        wait_id, now = f"{given.epoch}.1", min(given.at, self._clock.now())
        dropped = await self._resuming.find(arrival, call_ref) if not given.value else None
        same = self._flows.version(dropped.session.flow, dropped.session.version) if dropped else None
        flow = same or self._flows.for_dialled(arrival.dialled, call_ref)
        sprint = first_sprint(flow, given, dropped)
        record = CallRecord(
            call_ref=call_ref, context=self._new_id(), network=arrival.network, edge=arrival.edge,
            number=arrival.number, dialled=arrival.dialled, offered_at=now,
            arrived_at=dropped.arrived_at if dropped else now, session=sprint.session, epoch=given.epoch,
            step=1, seq=0, wait_id=wait_id, replies={}, resumes=dropped.first if dropped else arrival.begins_again,
            call_back=bool(dropped and dropped.call_back),
        )  # fmt: skip
        offered = ev.Offered(
            network=arrival.network, dialled=arrival.dialled, cli_class=arrival.number.kind, flow=flow.flow,
            flow_version=flow.version, context=record.context, number=arrival.number.e164, resumes=record.resumes,
        )  # fmt: skip
        events = [offered, *self._lookups.area_known(record)]
        return await self._play_out(record, flow, sprint, lane, events, wait_id, given.at)

    async def _move(self, record: CallRecord, given: Input, lane: Lane) -> Moved:
        if given.kind is InputKind.HUNG_UP:
            return self._end(record, given)
        if not is_for_this_wait(record, given):
            late = ev.LateInput(wait_id=given.wait_id, input=given.kind)
            after = replace(record, step=record.step + 1)
            # an offer may have crossed with the caller's leaving
            leaves = not isinstance(record.session.wait, OfferWait | LegWait | TalkWait)
            return Moved(after, (late,), after.reply(()), leaves)
        return await self._run(record, given, lane)

    async def _run(self, record: CallRecord, given: Input, lane: Lane) -> Moved:
        await self._finding.tell(record, given)
        flow = self._flows.version(record.session.flow, record.session.version)
        heard = heard_as(record, given, self._clock.now())
        found: list[ev.Event] = []
        if flow is None:
            flow, sprint, found = await go_on_elsewhere(record, given, heard, self._flows, self._lookups, lane.hung_up)
        else:
            sprint = engine.resume(flow, record.session, heard)
        epoch, step = max(given.epoch, record.epoch), record.step + 1
        stays = sprint.session is record.session and given.kind is not InputKind.TAKEN_OVER
        wait_id = record.wait_id if stays else f"{epoch}.{step}"
        edge = given.value or record.edge if given.kind is InputKind.TAKEN_OVER else record.edge
        after = replace(record, epoch=epoch, step=step, edge=edge)
        events = [*leg_events(record, given, self._answers), *found]
        if stays:  # a key that means nothing there: nobody is sought again
            return _waiting(after, sprint, list(sprint.instructions), [*events, *happened(sprint)], wait_id, given.at)
        return await self._play_out(after, flow, sprint, lane, events, wait_id, given.at)

    async def _play_out(
        self,
        record: CallRecord,
        flow: Flow,
        sprint: Sprint,
        lane: Lane,
        events: list[ev.Event],
        wait_id: str,
        at: datetime,
    ) -> Moved:
        """Answer the look-ups and the search for a line that the sprint ends in, until the call must wait."""
        events += happened(sprint)
        instructions = list(sprint.instructions)
        with closing(Asking(self._lookups, record, flow, lane.hung_up)) as asking:
            while isinstance(sprint.wait, LookupWait | OfferWait):
                known = await before_waiting(asking, record, flow, sprint, events)
                if known is not sprint:
                    sprint, instructions = known, [*instructions, *known.instructions]
                    continue
                found = await self._answer(record, sprint.session, asking, events)
                if found is None:
                    break
                if isinstance(found, Heard):
                    # a caller who is put through at once, or sent on at once, is not told to hold
                    instructions = [each for each in instructions if not isinstance(each, Hold)]
                sprint = engine.resume(flow, sprint.session, found)
                events += happened(sprint)
                instructions += sprint.instructions
        return _waiting(record, sprint, instructions, events, wait_id, at)

    async def _answer(
        self, record: CallRecord, session: Session, asking: Asking, events: list[ev.Event]
    ) -> Heard | Answered | None:
        wait = session.wait
        if isinstance(wait, LookupWait):
            return await asking.answer(wait, events)
        assert isinstance(wait, OfferWait)
        return await self._finding.seek(record, wait, session.band, events)

    def _end(self, record: CallRecord, given: Input) -> Moved:
        after = replace(record, step=record.step + 1)
        if record.ended is not None:
            return Moved(after, (), after.reply(()), leaves=True)
        events: list[ev.Event] = []
        if record.answered_at is not None and not record.talk_over:
            events += leg_events(record, replace(given, kind=InputKind.TALK_ENDED), {})
        by, _, reason = given.value.partition(" ")
        ended = end_class(record, by)
        events.append(ev.Ended(end_class=ended, reason=reason or "hung_up", by=by or "caller"))
        gone = replace(record.session, wait=GoneWait(record.session.node), present=())
        after = replace(after, ended=ended, dropped=was_dropped(record, by), talk_over=True, session=gone,
                        wait_id=f"{after.epoch}.{after.step}")  # fmt: skip
        return Moved(after, tuple(events), after.reply(()), leaves=True)


def _waiting(
    record: CallRecord, sprint: Sprint, instructions: list[Instruction], events: list[ev.Event], wait_id: str,
    at: datetime,
) -> Moved:  # fmt: skip
    """The move that leaves the call where the sprint ends."""
    events += performed(instructions, wait_id)
    after = replace(record_after(record, at, events), session=sprint.session, wait_id=wait_id)
    return Moved(after, tuple(events), after.reply(tuple(instructions)), isinstance(sprint.wait, GoneWait))
