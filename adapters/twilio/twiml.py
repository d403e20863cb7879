"""Replies as TwiML: a pure function from what the door says to the document that Twilio performs.

A Twilio call is always performing a document; each webhook's answer takes the place of the one before. So
every document here ends in a verb that asks us again (a gather's action, a dial's action, a redirect), hangs
up after a talk, or dials the default 111 service.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote

from twilio.twiml.voice_response import Gather as GatherVerb  # type: ignore[import-untyped]
from twilio.twiml.voice_response import VoiceResponse

from adapters.twilio.fallback import dial_default
from adapters.twilio.settings import OVERRIDES, TwilioSettings
from callrouter.dispatch.providers import Provider, Providers
from callrouter.model import Reply
from infra.numbers import Number
from ivr.model import Connect, End, Gather, HandBack, Hold, Instruction, OfferWait, Play, PlaybackWait, Record
from ivr.voices import is_slow, language_of, stand_ins

DIAL_BUFFER_S = 5  # Twilio rings this much longer than the timeout of a Dial
LEAST_RING_S = 5
HOLD_ROUND_S = 10.0  # an offer waits at most this long for its caller to come round
PROMPT_EVERY = 3  # rounds: a hold prompt about twice a minute
LEAST_PAUSE_S = 2
LEAST_TIMEOUT_S = 1
WORDS_A_SECOND = 2.7
SLOW_RATE = "80%"
LOCALES = {"pl": "pl-PL", "cy": "cy-GB", "ro": "ro-RO", "pt": "pt-PT", "es": "es-ES", "it": "it-IT", "fr": "fr-FR"}
"""Languages in which Twilio speaks by itself, by the code in a prompt's key; one that is not here has recordings."""
MOST_HINTS = 500  # Twilio's limit; each at most 100 characters


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a document needs besides the reply: settings, texts, providers, and the call's two numbers."""

    settings: TwilioSettings
    prompts: Mapping[str, str]
    providers: Providers
    caller: Number
    dialled: str

    def url(self, reply: Reply, what: str) -> str:
        """Where Twilio goes on. Its ids are random; the wait in it is the fence against late answers."""
        return f"{self.settings.base}/twilio/voice/{reply.call_ref}/{reply.wait_id}/{what}{OVERRIDES}"


def twiml(reply: Reply, sheet: Sheet) -> str:
    """The document that performs ``reply``. Nothing to perform: the default 111 service."""
    document = VoiceResponse()
    plays = [each for each in reply.instructions if isinstance(each, Play)]
    match _step(reply.instructions):
        case Gather() as gather:
            _gather(document, reply, gather, plays, sheet)
        case Connect() as connect:
            _play(document, plays, sheet)
            _dial(document, reply, connect, sheet)
        case Hold() as hold:
            _play(document, plays, sheet)
            _hold(document, reply, hold, sheet, 0)
        case HandBack():
            _play(document, plays, sheet)
            dial_default(document, sheet.settings.fallback, sheet.settings.language)
        case End():
            _play(document, plays, sheet)
            document.hangup()
        case _ if plays and isinstance(reply.wait, PlaybackWait):
            _message(document, reply, plays, sheet)
        case _ if plays:
            _play(document, plays, sheet)
            document.redirect(sheet.url(reply, "hold"), method="POST")
        case _:
            dial_default(document, sheet.settings.fallback, sheet.settings.language)
    return str(document)


def hold_again(reply: Reply, sheet: Sheet, count: int) -> str:
    """The hold's next round for a caller who still waits; prompts come back every third round only."""
    document = VoiceResponse()
    hold = next((each for each in reply.instructions if isinstance(each, Hold)), Hold())
    _hold(document, reply, hold, sheet, count)
    return str(document)


def _step(instructions: Sequence[Instruction]) -> Instruction | None:
    """The one instruction that decides where the call goes; an offer that came at once replaces a hold."""
    steps = [each for each in instructions if isinstance(each, Gather | Connect | Hold | HandBack | End)]
    return steps[-1] if steps else None


def _gather(document: VoiceResponse, reply: Reply, gather: Gather, plays: list[Play], sheet: Sheet) -> None:
    """Prompts that a key may stop go inside, those that must be heard come before.

    The redirect is never reached, since an empty result asks us too; without it, a gather that Twilio gives
    up would end the call.
    """
    heard = max((n + 1 for n, play in enumerate(plays) if not play.barge_in), default=0)
    _play(document, plays[:heard], sheet)
    speech = {
        "language": sheet.settings.language,
        "speech_timeout": "auto",
        "hints": ",".join(hint[:100] for hint in gather.hints[:MOST_HINTS]) or None,
        "profanity_filter": "false",  # words for the body are symptoms here
    }
    verb = document.gather(
        input="dtmf speech" if gather.speech else "dtmf",
        num_digits=gather.digits,
        finish_on_key=gather.finish_on,  # empty: else # would end the gather and never arrive as a key
        timeout=max(LEAST_TIMEOUT_S, math.ceil(gather.timeout_s)),
        action_on_empty_result="true",
        action=sheet.url(reply, "gather"),
        method="POST",
        **(speech if gather.speech else {}),
    )
    _play(verb, plays[heard:], sheet)
    document.redirect(sheet.url(reply, "gather"), method="POST")


def _message(document: VoiceResponse, reply: Reply, plays: list[Play], sheet: Sheet) -> None:
    """The message, which comes last, inside a gather: Twilio hears key 0 nowhere else. The rest stays before it."""
    _play(document, plays[:-1], sheet)
    verb = document.gather(
        input="dtmf",
        num_digits=1,
        finish_on_key="",
        timeout=LEAST_TIMEOUT_S,
        action_on_empty_result="true",
        action=sheet.url(reply, "message"),
        method="POST",
    )
    _play(verb, plays[-1:], sheet)
    document.redirect(sheet.url(reply, "finished"), method="POST")


def _dial(document: VoiceResponse, reply: Reply, connect: Connect, sheet: Sheet) -> None:
    """Dial the provider.

    Over SIP the context id travels in ``User-to-User`` (RFC 7433). Over the telephone network nothing does:
    the provider's page finds the call by the events that the leg's status callbacks bring.
    """
    recording = {}
    if any(isinstance(each, Record) for each in reply.instructions):
        recording = {
            "record": "record-from-answer-dual",
            "recording_status_callback": f"{sheet.settings.base}/twilio/recording{OVERRIDES}",
        }
    dial = document.dial(
        timeout=max(LEAST_RING_S, round(connect.ring_s) - DIAL_BUFFER_S),
        answer_on_bridge="true",
        caller_id=_caller_id(sheet),
        action=sheet.url(reply, "dial"),
        method="POST",
        **recording,
    )
    callback = {
        "status_callback": sheet.url(reply, "leg"),
        "status_callback_event": "ringing answered completed",
        "status_callback_method": "POST",
    }
    provider = sheet.providers[connect.target]
    if _reachable_by_sip(provider):
        dial.sip(_sip_address(provider, reply.context, sheet.dialled), **callback)
    else:
        dial.number(provider.tel, **callback)


def _caller_id(sheet: Sheet) -> str | None:
    """The caller's own number; for a withheld one the dialled number, which Twilio never refuses."""
    if sheet.caller.e164 is not None:
        return sheet.caller.e164
    return sheet.dialled if sheet.dialled.startswith("+") else None


def _reachable_by_sip(provider: Provider) -> bool:
    """Whether Twilio could reach the provider's SIP address: an address inside our house it cannot."""
    host = (provider.sip or "localhost:5060").rpartition(":")[0]
    try:
        return ip_address(host).is_global
    except ValueError:
        return host != "localhost"


def _sip_address(provider: Provider, context: str, dialled: str) -> str:
    user = dialled if dialled != "unknown" else "111"
    transport = "" if provider.transport == "udp" else f";transport={provider.transport}"
    return f"sip:{user}@{provider.sip}{transport}?User-to-User={context}%3Bencoding%3Dhex"


def _hold(document: VoiceResponse, reply: Reply, hold: Hold, sheet: Sheet, count: int) -> None:
    """One round; where key 0 leads from the hold to 111, inside a gather, whose action is the next round."""
    spoken = hold.prompts if count % PROMPT_EVERY == 0 else ()
    again = sheet.url(reply, f"hold?round={count + 1}")
    may_leave = isinstance(reply.wait, OfferWait) and reply.wait.may_leave
    into = _listening(document, again) if may_leave else document
    _say(into, spoken, sheet)
    if sheet.settings.prompts_url and not spoken:
        into.play(_audio(sheet.settings.prompts_url, "hold_music"))
    else:
        words = sum(len((_text(key, sheet) or "").split()) for key in spoken)
        into.pause(length=max(LEAST_PAUSE_S, round(HOLD_ROUND_S - words / WORDS_A_SECOND)))
    document.redirect(again, method="POST")


def _listening(document: VoiceResponse, action: str) -> GatherVerb:
    """A gather of one key, which brings nothing if none is pressed."""
    return document.gather(
        input="dtmf", num_digits=1, finish_on_key="", timeout=LEAST_TIMEOUT_S, action=action, method="POST"
    )


def _play(into: VoiceResponse | GatherVerb, plays: Sequence[Play], sheet: Sheet) -> None:
    for play in plays:
        _say(into, play.prompts, sheet)


def _say(into: VoiceResponse | GatherVerb, prompts: Sequence[str], sheet: Sheet) -> None:
    for key in prompts:
        if sheet.settings.prompts_url:
            into.play(_audio(sheet.settings.prompts_url, key))
        elif text := _text(key, sheet):
            _speak(into, text, key, sheet)


def _speak(into: VoiceResponse | GatherVerb, text: str, key: str, sheet: Sheet) -> None:
    foreign = LOCALES.get(language_of(key))
    # without a voice named for a language, Twilio takes its own for it
    voice = {"language": foreign} if foreign else {"voice": sheet.settings.voice, "language": sheet.settings.language}
    if is_slow(key):
        into.say(**voice).prosody(text, rate=SLOW_RATE)
    else:
        into.say(text, **voice)


def _text(key: str, sheet: Sheet) -> str | None:
    return next((sheet.prompts[each] for each in stand_ins(key) if each in sheet.prompts), None)


def _audio(base: str, key: str) -> str:
    return f"{base.rstrip('/')}/{quote(key)}.wav"
