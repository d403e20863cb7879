"""The alert auditor's telephone: makes a call over the same signed webhooks as every other, and rings nobody."""

from __future__ import annotations

import secrets
from contextlib import suppress
from xml.etree import ElementTree as ET

from adapters.phone.line import Line, LineError
from adapters.twilio.settings import OVERRIDES

WITHHELD = "anonymous"
"""Probes have no number: nothing can be kept of their caller, no earlier call, no distress, no place to resume."""


class ProbeCall:
    """One call to the reserved number, from a caller who only waits."""

    def __init__(self, line: Line, number: str) -> None:
        self._line = line
        self._about = {
            "AccountSid": f"AC{secrets.token_hex(16)}",
            "CallSid": f"CA{secrets.token_hex(16)}",
            "From": WITHHELD,
            "To": number,
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }

    async def enter(self) -> str:
        """Call; why the service did not take the call, in a few words, or nothing: then it has the caller wait.

        A document that dials and does not ask what came of it is the network's fall-back, and none of the service's.
        """
        url = f"{self._line.public_url}/twilio/voice{OVERRIDES}"
        try:
            text = await self._line.document(url, {**self._about, "CallStatus": "ringing"})
            dials = ET.fromstring(text).findall("Dial")  # noqa: S314  our own service's answer
        except LineError as error:
            return str(error)
        except ET.ParseError:
            return "an answer that is no document"
        return "" if any(each.get("action") for each in dials) else "the fall-back document"

    async def hang_up(self) -> None:
        """End the call. A service that does not hear it ends the call by itself, within a minute."""
        with suppress(LineError):
            url = f"{self._line.public_url}/twilio/status{OVERRIDES}"
            await self._line.post(url, {**self._about, "CallStatus": "completed"})
