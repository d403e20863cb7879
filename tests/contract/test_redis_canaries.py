"""docs/safety/rules.md, 7: nothing of a caller passes through Redis, or lies on its disk, in clear.

Looked for in every command (MONITOR), in the snapshot (RDB), the append-only file and the server's log. The call's own
reference stands there on purpose and must be found: a search that finds nothing would find no canary either.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter import events as ev
from callrouter.model import Arrival, Input, InputKind, Reply
from callrouter.ports import PlanFound
from infra.numbers import read_number
from infra.redis import RedisAddress, RedisLink
from infra.redis_state import RedisStates
from infra.redis_stream import RedisStream
from tests.missing import or_skip
from tests.redis_server import RedisServer
from tests.service import CallService, FakePlans, build_calls

CONTROL, END = "zzcontrolcall", "zzend-of-the-test"
CANARIES = (
    "7700900987", "07700 900987", "zzcanary", "breathe", "03021951", "1951-02-03", "1951, 2, 3", "candidates", '"PRC"',
    "confirmed",
)  # fmt: skip
"""Each too long to stand by chance in what is sealed, in ids or in times."""
FOUND = PlanFound("candidates", "one", raises=True, candidates=("zzcanary-plan",), people=1)
PATIENCE_S = 20.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    # what is compressed could not be searched
    with or_skip(), RedisServer("--rdbcompression", "no", "--loglevel", "debug") as made:
        yield made


class Told(threading.Thread):
    """Every command that the server is given, until :data:`END`."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(daemon=True)
        self.commands: list[str] = []
        self._monitor = server.client.monitor()
        self._monitor.__enter__()  # it listens before the first command is given
        self.start()

    def run(self) -> None:
        for each in self._monitor.listen():
            self.commands.append(str(each["command"]))
            if END in self.commands[-1]:
                return


async def a_call(service: CallService, call_ref: str, *heard: tuple[InputKind, str]) -> Reply:
    """A caller from the canary's number who does this."""
    now = service.clock.now
    arrival = Arrival("test", "111", read_number("07700 900987"))
    reply = await service.calls.handle(call_ref, Input("start", InputKind.STARTED, now(), arrival=arrival))
    for at, (kind, value) in enumerate(heard):
        named = reply.wait_id if kind in (InputKind.DIGIT, InputKind.SPEECH_FINAL) else ""
        reply = await service.calls.handle(call_ref, Input(f"k{at}", kind, now(), wait_id=named, value=value))
    return reply


async def work_everything(url: str, folder: Path) -> None:
    """A plan, a date of birth, a red flag, a check at the page, a call that we cut off and that is resumed."""
    link = RedisLink(RedisAddress.parse(url), budget_s=PATIENCE_S)
    stores = RedisStates(link), RedisStream(link)
    service = await build_calls(folder, plans=FakePlans(FOUND), stores=stores)
    keyed = [(InputKind.DIGIT, each) for each in "503021951"]
    await a_call(service, f"{CONTROL}1", *keyed, (InputKind.LEG_ANSWERED, ""))
    checked = ev.PlanChecked(role="handler", by="birth_date", outcome="confirmed", plans=["zzcanary-plan"],
                             user="zzcanary.user")  # fmt: skip
    assert await service.calls.note(f"{CONTROL}1", checked)
    assert await service.calls.note(f"{CONTROL}1", ev.ContextOpened(role="handler", user="zzcanary.user"))
    assert await service.calls.note(f"{CONTROL}1", ev.AmbulanceRequested(device="d1", incident="zzcanary-incident"))
    await a_call(service, f"{CONTROL}2", (InputKind.SPEECH_FINAL, "i can't breathe"), (InputKind.HUNG_UP, "us restart"))
    await a_call(service, f"{CONTROL}3")  # goes on where the second was cut off
    recorded = await service.journal(f"{CONTROL}3")
    assert isinstance(offered := recorded[0].event, ev.Offered)
    assert offered.resumes == f"{CONTROL}2"
    await service.close()
    await link.close()


async def test_no_canary_passes_through_redis_or_lies_on_its_disk(server: RedisServer, tmp_path: Path) -> None:
    told = Told(server)
    await work_everything(server.url, tmp_path)
    server.client.save()
    server.client.set(END, "1")
    told.join(PATIENCE_S)
    assert not told.is_alive()

    files = [each for each in server.folder.rglob("*") if each.is_file()]
    snapshot = server.folder / "dump.rdb"
    kept = b"".join(each.read_bytes() for each in files if "appendonly" in each.name)
    assert CONTROL.encode() in snapshot.read_bytes()
    assert CONTROL.encode() in kept
    commands = "\n".join(told.commands)
    assert CONTROL in commands
    everything = commands.encode() + b"".join(each.read_bytes() for each in files)
    assert [each for each in CANARIES if each.lower().encode() in everything.lower()] == []
