"""A telephone: performs TwiML as Twilio does, asks its caller what they do, and tells the service of it.

Verbs: Say, Play, Pause, Gather, Redirect, Dial (Number, Sip), Hangup. Time runs at the caller's pace.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

from adapters.phone.line import Line, LineError
from adapters.phone.model import (
    Act,
    Caller,
    Experience,
    Far,
    FarEnd,
    HangUp,
    Moment,
    MomentKind,
    Pace,
    Press,
    Speak,
    speaking_s,
)
from adapters.twilio.settings import OVERRIDES

DIALLED = "+442079460000"
"""The service's own number in demos; fictional."""

AUDIO_S = 3.0  # how long a Play lasts: we do not fetch the audio
DIAL_BUFFER_S = 5.0  # Twilio rings this much longer than the timeout of a Dial
MOST_DOCUMENTS = 5000  # of one call: a redirect loop without sound would never end


class _Ended(Exception):
    """The call is over; the experience says how."""


@dataclass(frozen=True, slots=True)
class _Rung:
    """How a dialled leg ended: Twilio's DialCallStatus, the seconds of talk, and who was there no more."""

    status: str
    talked_s: float = 0.0
    caller_left: bool = False


class Phone:
    """One call from one caller."""

    def __init__(
        self, line: Line, caller: Caller, *, number: str, far: Far, pace: Pace, dialled: str = DIALLED
    ) -> None:
        self._line = line
        self._caller = caller
        self._far = far
        self._pace = pace
        self._about = {
            "AccountSid": f"AC{secrets.token_hex(16)}",
            "CallSid": f"CA{secrets.token_hex(16)}",
            "From": number,
            "To": dialled,
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }
        self._experience = Experience()

    async def call(self) -> Experience:
        """Call, and stay on the line until somebody hangs up."""
        url = f"{self._line.public_url}/twilio/voice{OVERRIDES}"
        try:
            text = await self._ask(url, CallStatus="ringing")
            for _ in range(MOST_DOCUMENTS):
                url, text = await self._perform(url, text)
            self._end("system", "error")
        except _Ended:
            pass
        finally:
            await self._tell(f"{self._line.public_url}/twilio/status{OVERRIDES}", CallStatus="completed")
        return self._experience

    # ------------------------------------------------------------------ documents

    async def _perform(self, url: str, text: str) -> tuple[str, str]:
        """Perform a document; returns the next one and its address."""
        for verb in ET.fromstring(text):  # noqa: S314  our own service's answer; there is nobody else on this line
            target = None
            match verb.tag:
                case "Say" | "Play" | "Pause":
                    await self._hear(verb)
                case "Gather":
                    target, said = await self._gather(verb)
                case "Redirect":
                    target, said = (verb.text or "").strip(), {}
                case "Dial":
                    target, said = await self._dial(verb)
                case "Hangup":
                    self._end("far" if self._experience.talked_to else "system", "hangup")
                case _:
                    self._end("system", "error")
            if target:
                url = urljoin(url, target)
                return url, await self._ask(url, **{"CallStatus": "in-progress", **said})
        self._end("far" if self._experience.talked_to else "system", "document_ended")
        raise AssertionError  # _end always raises

    async def _hear(self, verb: ET.Element) -> None:
        if verb.tag == "Pause":
            moment = Moment(MomentKind.PAUSE, float(verb.get("length", "1")))
        else:
            words = _words(verb)
            self._experience.heard.append(words)
            moment = Moment(MomentKind.PROMPT, _lasts(verb), words)
        if isinstance(await self._live(moment), HangUp):
            self._end("caller", "hung_up")

    async def _gather(self, verb: ET.Element) -> tuple[str | None, dict[str, str]]:
        text = " ".join(_words(each) for each in verb if each.tag != "Pause")
        on_hold = any(each.tag == "Pause" for each in verb)
        if text or not on_hold:
            self._experience.heard.append(text)
        seconds = sum(_lasts(each) for each in verb) + float(verb.get("timeout", "5"))
        kinds = verb.get("input", "dtmf").split()
        digits = int(verb.get("numDigits", "1")) if "dtmf" in kinds else 0
        action = verb.get("action", "")
        kind = MomentKind.PAUSE if on_hold else MomentKind.QUESTION
        match await self._live(Moment(kind, seconds, text, digits, "speech" in kinds)):
            case HangUp():
                self._end("caller", "hung_up")
            case Press(keys=keys) if digits:
                return action, {"Digits": keys.partition(verb.get("finishOnKey", "#") or " ")[0][:digits]}
            case Speak(words=words) if "speech" in kinds:
                return action, {"SpeechResult": words, "Confidence": "0.9"}
        return (action if verb.get("actionOnEmptyResult") == "true" else None), {"Digits": ""}

    # ------------------------------------------------------------------ the other end

    async def _dial(self, verb: ET.Element) -> tuple[str | None, dict[str, str]]:
        noun = verb[0] if len(verb) else verb
        target = (noun.text or "").strip()
        action = verb.get("action")
        self._experience.tried.append(target)
        if action is None:
            self._experience.fell_back = True  # the dial is nobody's to continue: a static document
        longest_s = float(verb.get("timeout", "30")) + DIAL_BUFFER_S
        rung = await self._ring(noun, target, self._far.take(target), longest_s)
        said = {
            "DialCallStatus": rung.status,
            "DialCallDuration": str(int(rung.talked_s)),
            "DialBridged": "true" if rung.status == "completed" else "false",
            "CallStatus": "completed" if rung.caller_left else "in-progress",
        }
        if rung.caller_left:
            if action:
                await self._tell(action, **said)
            self._end("caller", "hung_up")
        return action, said

    async def _ring(self, noun: ET.Element, target: str, end: FarEnd, longest_s: float) -> _Rung:
        """Ring, and talk if it is answered."""
        status = "no-answer" if end.ring_s > longest_s else end.outcome
        rings_s = longest_s if status == "no-answer" else end.ring_s
        await self._leg(noun, "ringing")
        if isinstance(await self._live(Moment(MomentKind.RINGING, rings_s, target=target)), HangUp):
            await self._leg(noun, "canceled")
            return _Rung("canceled", caller_left=True)
        if status == "answered":
            return await self._talk(noun, target, end)
        await self._leg(noun, status)
        return _Rung(status)

    async def _talk(self, noun: ET.Element, target: str, end: FarEnd) -> _Rung:
        await self._leg(noun, "in-progress")
        self._experience.talked_to.append(target)
        began = asyncio.get_running_loop().time()
        act = await self._live(Moment(MomentKind.TALK, end.talk_s, target=target))
        talked_s = (asyncio.get_running_loop().time() - began) * self._pace.speed
        self._experience.talk_s += talked_s
        await self._leg(noun, "completed", CallDuration=str(int(talked_s)))
        return _Rung("completed", talked_s, caller_left=isinstance(act, HangUp))

    async def _leg(self, noun: ET.Element, status: str, **more: str) -> None:
        url = noun.get("statusCallback")
        event = {"ringing": "ringing", "in-progress": "answered"}.get(status, "completed")
        if url and event in noun.get("statusCallbackEvent", "completed").split():
            await self._tell(url, CallStatus=status, ParentCallSid=self._about["CallSid"], **more)

    # ------------------------------------------------------------------ the caller's time, and the line

    async def _live(self, moment: Moment) -> Act | None:
        """Let a moment pass, or end it by what the caller does."""
        doing = asyncio.ensure_future(self._caller.during(moment))
        over = asyncio.ensure_future(self._pace.sleep(moment.seconds))
        try:
            await asyncio.wait({doing, over}, return_when=asyncio.FIRST_COMPLETED)
            act = doing.result() if doing.done() else None
            if act is None or not _counts(act, moment):
                await over
                return None
            return act
        finally:
            doing.cancel()
            over.cancel()

    async def _ask(self, url: str, **said: str) -> str:
        """The next document; Twilio's fallback document when the service gives none."""
        try:
            return await self._line.document(url, {**self._about, **said})
        except LineError as error:
            self._experience.http_errors += 1
            self._experience.fell_back = True
            self._experience.why = str(error)
            return self._line.fallback

    async def _tell(self, url: str, **said: str) -> None:
        """A callback: what is answered does not matter, nor does a failure to the caller."""
        try:
            await self._line.post(url, {**self._about, **said})
        except LineError:
            self._experience.http_errors += 1

    def _end(self, by: str, how: str) -> None:
        self._experience.ended_by = by
        self._experience.how = how
        raise _Ended


def _counts(act: Act, moment: Moment) -> bool:
    return isinstance(act, HangUp) or moment.kind is MomentKind.QUESTION or bool(moment.digits)


def _words(verb: ET.Element) -> str:
    """What is heard: a text, or the name of a recording."""
    text = "".join(verb.itertext()).strip()
    return text if verb.tag == "Say" else text.rpartition("/")[2].partition(".")[0].replace("_", " ")


def _lasts(verb: ET.Element) -> float:
    if verb.tag == "Pause":
        return float(verb.get("length", "1"))
    return AUDIO_S if verb.tag == "Play" else speaking_s(_words(verb))
