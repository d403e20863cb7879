"""Calls as the journal keeps them, for what replays them."""

from __future__ import annotations

from datetime import datetime

from callrouter import events as ev
from callrouter.journal import Entry, seal
from infra.crypto import KeyRing

KEYS = KeyRing(b"m" * 32, b"i" * 32)


def recorded_call(call_ref: str, version: str, at: datetime, key_pressed: str = "1") -> list[Entry]:
    """A caller of the small flow of :mod:`tests.publishing_world` who pressed a key and came to the nurses."""
    key = KEYS.new_data_key()
    told = [
        ev.Offered(
            network="sip", dialled="111", cli_class="present", flow="london-111", flow_version=version,
            context=call_ref.rjust(32, "0"), number="+447700900123",
        ),
        ev.NodeEntered(node="words_999"), ev.NodeEntered(node="ask"),
        ev.InputTaken(wait_id="1.1", input="digit", value=key_pressed),
        ev.ChoiceMade(node="ask", choice="nurse", by="key"), ev.NodeEntered(node="nurses"),
    ]  # fmt: skip
    return [seal(event, call_ref, seq, at, key) for seq, event in enumerate(told, 1)]
