"""A plain FastAGI server that carries the menu call and writes the same rows, committed as things happen.

One thread for each call. It hears of the provider's leg only when Dial returns, so it cannot tell ringing and answer
as they come; it writes their rows then. It keeps no lease: a call on a dead server is lost, and none is taken over.
"""

from __future__ import annotations

import os
import socketserver
from typing import Any

from tests.bench.rivals.records import Call, Records

PROMPTS = os.environ.get("BENCH_PROMPTS", "")
KEYS = "0123456789*#"


class HungUp(Exception):
    """The caller is gone, or Asterisk is."""


class Agi:
    """One call's commands: a line out, a line back."""

    def __init__(self, handler: socketserver.StreamRequestHandler) -> None:
        self._read, self._write = handler.rfile, handler.wfile
        self.facts: dict[str, str] = {}
        while line := self._read.readline().decode().strip():
            name, _, value = line.partition(": ")
            self.facts[name] = value

    def ask(self, command: str) -> str:
        """The result's value. Raises :class:`HungUp`."""
        self._write.write(f"{command}\n".encode())
        while line := self._read.readline().decode():
            if line.startswith("200 result="):
                return line.removeprefix("200 result=").split()[0]
            if line.startswith(("5", "4")):
                raise ValueError(line)
        raise HungUp

    def variable(self, name: str) -> str:
        """A channel variable's value."""
        self._write.write(f"GET VARIABLE {name}\n".encode())
        return self._read.readline().decode().partition("(")[2].rpartition(")")[0]

    def key(self, command: str) -> str:
        """The key that ended this command, empty if none did."""
        code = int(self.ask(command))
        return chr(code) if code > 0 else ""


class Handler(socketserver.StreamRequestHandler):
    """One call from its arrival to its end."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        agi = Agi(self)
        records: Records = self.server.records  # type: ignore[attr-defined]
        call = records.new_call(agi.variable("CONTEXT_ID"), "sip", "111", agi.facts["agi_callerid"])
        records.commit_new(call)
        agi.ask("EXEC Answer ,i")
        agi.ask(f'STREAM FILE {PROMPTS}/emergency_999 ""')
        agi.ask(f'STREAM FILE {PROMPTS}/recording_notice ""')
        key = agi.key(f'STREAM FILE {PROMPTS}/main_menu "{KEYS}"') or agi.key("WAIT FOR DIGIT 4000")
        _take_key(records, call, key)
        agi.ask(f"EXEC Dial PJSIP/111@provider-one-eleven,20,gb(header^s^1({call.context}))")
        if agi.variable("DIALSTATUS") == "ANSWER":
            _answered(records, call)
        agi.ask("HANGUP")


def _take_key(records: Records, call: Call, key: str) -> None:
    call.add("input_taken", {"wait_id": "1.1", "input": "digit"}, {"value": key})
    call.add("choice_made", {"node": "main_menu", "choice": "medical", "by": "key"})
    plan, earlier = records.has_plan(call), records.earlier_calls(call)
    nodes = "reason_medical find_plan find_earlier_calls by_reason messages first_free handler"
    for node in nodes.split():
        call.add("node_entered", {"node": node})
    call.add("looked_up", _look_up("plan", "candidates" if plan else "none", "no_plan"))
    call.add("looked_up", _look_up("repeat", "PRC" if earlier > 1 else "NRC", "fewer_than_two_earlier"))
    call.add("looked_up", _look_up("messages", "none", "none_live"))
    call.add("queued", {"services": ["111"], "band": "normal"})
    call.add("leg_started", {"provider": "one-eleven", "service": "111", "band": "normal"})
    records.commit(call)


def _look_up(what: str, outcome: str, reason: str) -> dict[str, Any]:
    return {"what": what, "outcome": outcome, "reason": reason, "took_ms": 0.5}


def _answered(records: Records, call: Call) -> None:
    call.add("leg_ringing", {"provider": "one-eleven"})
    call.add("leg_answered", {"provider": "one-eleven", "evidence": "agent"})
    call.add("talk_ended", {"provider": "one-eleven", "by": "provider", "cause": "normal", "talk_s": 0.05})
    call.add("ended", {"end_class": "answered", "reason": "16", "by": "provider"})
    records.commit_answered(call)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each call."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        self.records = Records()
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that says nothing was only a look whether we are there."""


if __name__ == "__main__":
    with Server(int(os.environ["BENCH_PORT"])) as server:
        server.serve_forever()
