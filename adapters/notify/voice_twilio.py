"""Calls to staff by Twilio's Calls API (https://www.twilio.com/docs/voice/api/call-resource).

Twilio dials, asks our address what to say, and tells it the key and the end. The addresses end in the notice's
reference, by which any process knows what to say; number and name stand in none of them. A notice that stands in no
database is known to its own process alone: another says that there is an alert, and without a receipt the person's
next channel has it (:mod:`alerts.notices.carrying`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

from adapters.notify.twilio_account import TwilioAccount, TwilioApi
from adapters.notify.voice import (
    KEY_S,
    LONGEST_S,
    MOST_AT_ONCE,
    MOST_ROUNDS,
    PERSON_BUSY,
    RING_S,
    SORRY,
    TAKE_ON,
    UNKNOWN,
    Outcomes,
    question,
)
from alerts.model import Notice
from alerts.notices.sent import SentNotices
from alerts.notices.short import spoken
from alerts.ports import NoticeFailed

PATH = "/notices/voice"
LANGUAGE, VOICE = "en-GB", "Polly.Amy-Neural"

NOT_REACHED = {"busy": "line_busy", "no-answer": "no_answer", "failed": "not_dialled", "canceled": "stopped"}
"""Values of ``CallStatus`` after which nobody was spoken to, and our word for each."""

_LATER = (401, 403, 429)
"""Refusals after which another try may go through: our account, too many."""


class TwilioVoice:
    """:class:`alerts.ports.Notifier` for the channel ``voice``. It has taken a notice when Twilio will dial.

    ``caller``: the number that staff see, E.164, one of the account's. At most :data:`MOST_AT_ONCE` calls of this
    process at once, one to each person. ``transport`` replaces the network in tests, ``now`` the clock (monotonic
    seconds).
    """

    def __init__(
        self,
        account: TwilioAccount,
        caller: str,
        sent: SentNotices,
        outcomes: Outcomes,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = TwilioApi(account, transport)
        self._here = f"{account.own}{PATH}"
        self._caller = caller
        self._sent = sent
        self._outcomes = outcomes
        self._now = now
        self._until: dict[str, float] = {}  # person → when their call is over at the latest
        self._answered: set[str] = set()

    async def send(self, notice: Notice) -> None:
        """Have it dialled. An answer that got lost is a call that may come twice: the person is engaged by then."""
        person = self._sent.person(notice)
        self._until = {each: until for each, until in self._until.items() if until > self._now()}
        if person in self._until:
            raise NoticeFailed(PERSON_BUSY)
        if len(self._until) >= MOST_AT_ONCE:
            raise NoticeFailed("voice_lines_full")
        self._until[person] = self._now() + RING_S + LONGEST_S
        try:
            await self._dial(notice)
        except BaseException:
            self._until.pop(person, None)
            raise

    async def _dial(self, notice: Notice) -> None:
        here = f"{self._here}/{await self._sent.reference(notice)}"
        form = {
            "To": notice.recipient.address,
            "From": self._caller,
            "Url": f"{here}/say",
            "StatusCallback": f"{here}/status",
            "Timeout": str(RING_S),
            "TimeLimit": str(LONGEST_S),
        }
        try:
            answer = await self._api.create("Calls", form)
        except httpx.HTTPError as error:
            raise NoticeFailed("twilio_unreachable") from error
        if answer.status_code != httpx.codes.CREATED:
            # its words are not repeated: they quote the number
            final = answer.is_client_error and answer.status_code not in _LATER
            raise NoticeFailed(f"twilio_{answer.status_code}", final=final)

    async def say(self, reference: str, *, again: int = 0) -> str:
        """What Twilio performs when somebody answers: the notice, twice, and the question for a key."""
        notice = await self._sent.find(reference)
        document = VoiceResponse()
        if notice is None:
            _say(document, UNKNOWN)
        else:
            keys = document.gather(
                input="dtmf",
                num_digits=1,
                finish_on_key="",
                timeout=int(KEY_S),
                action=f"{self._here}/{reference}/key?again={again}",
                method="POST",
            )
            for words in (spoken(notice), question(notice)) * 2:
                _say(keys, words)
            _say(document, SORRY)
        return str(document)

    async def key(self, reference: str, key: str, *, again: int) -> str:
        """What Twilio performs after a key; ``again``: how often it was said again before."""
        if key != TAKE_ON and again + 1 < MOST_ROUNDS:
            return await self.say(reference, again=again + 1)
        notice = await self._sent.find(reference)
        words = SORRY
        if key == TAKE_ON and notice is not None:
            pressed = await self._outcomes.pressed(notice)
            words = pressed.words
            if pressed.delivered:
                self._answered.add(reference)
                await self._outcomes.over(notice, delivered=True, why=pressed.why)
        document = VoiceResponse()
        _say(document, words)
        return str(document)

    async def status(self, reference: str, status: str) -> None:
        """The call is over. Without a key 1 the notice was not delivered; of two words on it the first counts."""
        notice = await self._sent.find(reference)
        if notice is None or (status != "completed" and status not in NOT_REACHED):
            return
        self._until.pop(self._sent.person(notice), None)
        if reference in self._answered:
            self._answered.discard(reference)
        else:
            await self._outcomes.over(notice, delivered=False, why=NOT_REACHED.get(status, "no_key"))


def _say(into: VoiceResponse, words: str) -> None:
    into.say(words, voice=VOICE, language=LANGUAGE)
