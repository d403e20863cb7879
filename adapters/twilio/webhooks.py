"""Use cases of the webhooks: what Twilio tells becomes inputs, and the door's replies become documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from adapters.twilio.forms import arrival, caller, dialled, is_over, keys_pressed, seconds, words_said
from adapters.twilio.settings import TwilioSettings
from adapters.twilio.signature import Form
from adapters.twilio.twiml import Sheet, hold_again, twiml
from callrouter.calls import Calls
from callrouter.dispatch.providers import Providers
from callrouter.events import RecordingReported
from callrouter.model import Input, InputKind, Reply
from infra.clock import Clock
from infra.crypto import KeyRing
from ivr.model import End, OfferWait, TalkWait

REF_LENGTH = 32
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_RECORDING = re.compile(r"RE[0-9a-f]{32}")
_RECORDED = frozenset({"completed", "absent", "failed"})
"""What can become of a recording (Twilio, RecordingStatus); ``in-progress`` is none of it."""
_SIP_CAUSES = {"486": "busy", "600": "busy", "403": "rejected", "603": "rejected", "607": "rejected"}
_CAUSES = {"busy": "busy", "no-answer": "no_answer", "canceled": "no_answer", "completed": "no_answer"}


@dataclass(frozen=True, slots=True)
class Step:
    """Which step of which call a webhook continues: what the signed URL and Twilio's retry token say."""

    call_ref: str
    wait_id: str = ""
    what: str = "started"
    token: str = ""

    @property
    def key(self) -> str:
        """The same for a retried webhook: its idempotency token, else call and step."""
        if _TOKEN.fullmatch(self.token):
            return f"token.{self.token}"
        return f"{self.wait_id}.{self.what}"


class WithoutCall(Exception):
    """The form names no call: there is nothing that could go on."""


class Webhooks:
    """One method for each kind of webhook. Errors go up; the routes answer them with the static document."""

    def __init__(
        self,
        calls: Calls,
        settings: TwilioSettings,
        *,
        keys: KeyRing,
        providers: Providers,
        prompts: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._calls = calls
        self._settings = settings
        self._keys = keys
        self._providers = providers
        self._prompts = prompts
        self._clock = clock

    async def call_ref(self, form: Form) -> str:
        """The call of a CallSid: random to outsiders, the same when the first webhook is retried.

        While keys are changed, a call that began under an older one goes on under its name.
        Raises :class:`WithoutCall`.
        """
        if not (sid := form.get("CallSid")):
            raise WithoutCall
        newest, *older = (each[:REF_LENGTH] for each in self._keys.index_all("twilio-call", sid))
        for each in older:
            if await self._calls.knows(each):
                return each
        return newest

    async def started(self, form: Form, token: str) -> str:
        """A new call, or the first webhook of one again."""
        step = Step(await self.call_ref(form), token=token)
        given = Input(step.key, InputKind.STARTED, self._clock.now(), arrival=arrival(form))
        return await self._document(await self._calls.handle(step.call_ref, given), form)

    async def gathered(self, step: Step, form: Form) -> str:
        """Keys, words, or silence, which is an input of its own."""
        if is_over(form):
            return await self._document(await self._hung_up(step.call_ref), form)
        kind, value = InputKind.SILENCE, ""
        if keys := keys_pressed(form):
            kind, value = InputKind.DIGIT, keys
        elif words := words_said(form):
            kind, value = InputKind.SPEECH_FINAL, words
        return await self._document(await self._tell(step, kind, value), form)

    async def played(self, step: Step, form: Form) -> str:
        """A message was heard to its end."""
        if is_over(form):
            return await self._document(await self._hung_up(step.call_ref), form)
        return await self._document(await self._tell(step, InputKind.PLAYBACK_FINISHED), form)

    async def heard(self, step: Step, form: Form) -> str:
        """A message was heard to its end, or a key was pressed in it: 0 leads to a person, others play it again."""
        keys = keys_pressed(form)
        if not keys or is_over(form):
            return await self.played(replace(step, what="finished"), form)
        return await self._document(await self._tell(replace(step, what=f"key-{keys}"), InputKind.DIGIT, keys), form)

    async def held(self, step: Step, form: Form, count: int) -> str:
        """The hold came round, or key 0 was pressed in it: the next round, unless the call has moved meanwhile."""
        if is_over(form):
            return await self._document(await self._hung_up(step.call_ref), form)
        reply = await self._calls.present(step.call_ref)
        if (keys := keys_pressed(form)) and isinstance(reply.wait, OfferWait):
            left = await self._tell(replace(step, what=f"key-{keys}"), InputKind.DIGIT, keys)
            if left.instructions:
                return twiml(left, self._sheet(form))
        if isinstance(reply.wait, OfferWait) and reply.wait_id == step.wait_id:
            await self._calls.postpone(step.call_ref)  # the caller is still there
            return hold_again(reply, self._sheet(form), count)
        return twiml(reply, self._sheet(form))

    async def dialled(self, step: Step, form: Form) -> str:
        """A dial is over: a talk has ended, or the provider could not take the caller."""
        reply = await self._leg_over(step, form)
        if is_over(form):
            reply = await self._hung_up(step.call_ref)
        return await self._document(reply, form)

    async def leg(self, step: Step, form: Form) -> None:
        """How the provider's leg gets on. May come late or twice; ``completed`` means that it was answered."""
        status = form.get("CallStatus", "")
        if status == "ringing":
            await self._calls.handle(step.call_ref, self._leg_input(step, InputKind.LEG_RINGING))
        elif status in ("in-progress", "answered"):
            await self._answered(step, 0)
        elif status == "completed" and (talked := seconds(form, "CallDuration")):
            await self._answered(step, talked)

    async def status(self, form: Form) -> None:
        """The call's own status: only that it is over counts."""
        if not is_over(form):
            return
        call_ref = await self.call_ref(form)
        present = await self._calls.present(call_ref)
        ended = next((each for each in present.instructions if isinstance(each, End)), None)
        if form["CallStatus"] not in ("completed", "canceled"):
            await self._hung_up(call_ref, "network failed")
        elif ended is not None:  # Twilio only says that it is over; we know that we ended it, and why
            by = "provider" if ended.reason == "talk_ended" else "us"
            await self._hung_up(call_ref, f"{by} {ended.reason}")
        else:
            await self._hung_up(call_ref)

    async def recorded(self, form: Form) -> None:
        """What became of a recording; the journal keeps it once, however often and late it is told.

        Its address is not kept: it names the account, and opens for whoever knows it where the account allows that.
        """
        recording, outcome = form.get("RecordingSid", ""), form.get("RecordingStatus", "")
        if not _RECORDING.fullmatch(recording) or outcome not in _RECORDED:
            return
        told = RecordingReported(
            kept_by="twilio", recording=recording, outcome=outcome, seconds=seconds(form, "RecordingDuration")
        )
        await self._calls.note(await self.call_ref(form), told)

    # ------------------------------------------------------------------ inputs

    async def _leg_over(self, step: Step, form: Form) -> Reply:
        status = form.get("DialCallStatus", "")
        talked = seconds(form, "DialCallDuration")
        bridged = form.get("DialBridged", "").lower() == "true"
        if status in ("completed", "answered") and (talked or bridged):
            reply = await self._answered(step, talked)
        else:
            reply = await self._calls.present(step.call_ref)
        if isinstance(reply.wait, TalkWait) and status in ("completed", "answered"):
            value = "caller hung_up" if is_over(form) else "provider normal"
            ended = Input(step.key, InputKind.TALK_ENDED, self._clock.now(), wait_id=reply.wait_id, value=value)
            return await self._calls.handle(step.call_ref, ended)
        if is_over(form):
            return reply  # the caller left while it rang: nobody else is to be dialled
        return await self._tell(step, InputKind.LEG_FAILED, _cause(form))

    async def _answered(self, step: Step, talked_s: int) -> Reply:
        """The provider answered ``talked_s`` ago. One key, whichever callback tells it first."""
        given = self._leg_input(step, InputKind.LEG_ANSWERED, ago_s=talked_s)
        return await self._calls.handle(step.call_ref, given)

    def _leg_input(self, step: Step, kind: InputKind, ago_s: int = 0) -> Input:
        at = self._clock.now() - timedelta(seconds=ago_s)
        return Input(f"{step.wait_id}.{kind}", kind, at, wait_id=step.wait_id)

    async def _tell(self, step: Step, kind: InputKind, value: str = "") -> Reply:
        given = Input(step.key, kind, self._clock.now(), wait_id=step.wait_id, value=value)
        return await self._calls.handle(step.call_ref, given)

    async def _hung_up(self, call_ref: str, value: str = "caller hung_up") -> Reply:
        given = Input("hung_up", InputKind.HUNG_UP, self._clock.now(), value=value)
        return await self._calls.handle(call_ref, given)

    # ------------------------------------------------------------------ documents

    async def _document(self, reply: Reply, form: Form) -> str:
        """The reply's document; a late input brings nothing to perform, so then the present wait's."""
        if not reply.instructions:
            reply = await self._calls.present(reply.call_ref)
        return twiml(reply, self._sheet(form))

    def _sheet(self, form: Form) -> Sheet:
        return Sheet(self._settings, self._prompts, self._providers, caller(form), dialled(form))


def _cause(form: Form) -> str:
    """Why a leg failed, in the journal's words."""
    by_sip = _SIP_CAUSES.get(form.get("DialSipResponseCode", ""))
    return by_sip or _CAUSES.get(form.get("DialCallStatus", ""), "unreachable")
