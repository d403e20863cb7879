"""The document that needs nothing of ours: it dials the default 111 service.

It is what a caller gets when anything here fails, and what Twilio's fallback URL serves from another host
when all of this is away. ``python -m adapters.twilio.fallback +44…`` prints it.
"""

from __future__ import annotations

import sys

from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

RING_S = 60  # nobody stands behind the default service: let it ring
AFTER = "If you still need help, call 111 again. If this is a life-threatening emergency, hang up and dial 999 now."
"""Said when the default service ended the call or did not answer. Static XML cannot tell which."""


def fallback_document(number: str, *, language: str = "en-GB") -> str:
    """TwiML that dials ``number`` (E.164) and depends on no other URL."""
    document = VoiceResponse()
    dial_default(document, number, language)
    return str(document)


def dial_default(document: VoiceResponse, number: str, language: str) -> None:
    """Add the same to a document that says something first."""
    document.dial(timeout=RING_S, answer_on_bridge="true").number(number)
    document.say(AFTER, language=language)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("say which number the fallback dials: python -m adapters.twilio.fallback +442079460111")
    sys.stdout.write(fallback_document(sys.argv[1]) + "\n")
