"""What one more event costs while many calls are live: CPU of our process, which should not grow with them.

With 10, 100 and 300 real callers who hold and hear music: one more whole menu call (:data:`INPUTS` inputs at the door,
one of them the key), what renewing their leases costs taken off. With a hundred, a thousand and five thousand calls in
Redis and no lines: one key by Twilio's webhook. Times come from the scheduler, in nanoseconds.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from infra.asterisk.instance import find_installation
from infra.crypto import KeyRing
from tests.bench.figures import percentiles
from tests.bench.line import HOUR_MS, PATIENCE_MS, PROVIDER, STAYING, TEAMS, House, ManyCallers, house
from tests.bench.machine import Busy, running_ns
from tests.bench.numbers import fictional_numbers
from tests.bench.running import KEYS, PUBLIC_URL, TOKEN, MeasuredService, PostgresRows, Rows, wait_for
from tests.bench.servers import Servers, servers
from tests.bench.webhooks import ROWS_A_CALL, send, signed_request, starts, wait_rows, write_starts
from tests.running import free_port

INPUTS = 7
"""Of one menu call: started, key, offered a line at once, ringing, answered, talk ended, hung up."""
ROWS_A_KEY = 3  # in the journal, of a key that is not on offer
RATE = 5
CONNECTIONS = 4  # so few that nobody waits long: what is measured is CPU
MUSIC_S = 2.0  # the last one's music has begun
IDLE_S = 3.0
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How many calls are live, and how many more are measured, how often."""

    held: tuple[int, ...]
    calls: int
    stored: tuple[int, ...]
    keys: int
    times: int


FULL = Size(held=(10, 100, 300), calls=40, stored=(100, 1000, 5000), keys=200, times=2)
QUICK = Size(held=(2, 10), calls=10, stored=(50, 200), keys=50, times=1)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """One round: each number of live calls, with real lines and with none."""
    lines = {str(held): _sound(folder / f"held-{held}", held, size) for held in size.held}
    with servers(folder / "stored") as both:
        stored = {str(live): _without_lines(folder / f"stored-{live}", live, size, both) for live in size.stored}
    return {"conditions": {"menu_calls": size.calls, "rate": RATE, "inputs_a_menu_call": INPUTS, "keys": size.keys,
                           "times": size.times},
            "rounds": [{"lines": lines, "stored": stored}]}  # fmt: skip


# ------------------------------------------------------------------ real callers with music


class OtherCalls(RuntimeError):
    """Not every call went as it was meant to."""


def _sound(folder: Path, held: int, size: Size) -> dict[str, Any]:
    """With everybody still there at the end: on a busy machine leases run out, and callers go to the fall-back."""
    for again in range(MOST_TRIES):
        try:
            return _with_lines(folder / str(again), held, size) | {"rounds_repeated": again}
        except OtherCalls as reason:
            last = reason
    raise last


def _with_lines(folder: Path, held: int, size: Size) -> dict[str, Any]:
    numbers = fictional_numbers()
    port = free_port()
    with house(folder, find_installation(), port, capacity=held + 100) as line, _service(line, folder) as service:
        rows = Rows(folder / "data" / "callrouter.db")
        waiting = [next(numbers) for _ in range(held + 1)]  # the first has the only line of 111
        with _callers(line, folder / "held", waiting, "1", HOUR_MS):
            wait_for(lambda: rows.kind("queued") > held, held / RATE + 60, f"not all of {held} callers wait")
            time.sleep(MUSIC_S)
            idle = _cost(service.pid, lambda: time.sleep(size.calls / RATE))
            found = []
            for again in range(size.times):
                more = [next(numbers) for _ in range(size.calls)]
                found.append(_cost(service.pid, partial(_menu_calls, line, folder / f"calls-{again}", more)))
            wait_for(lambda: rows.kind("ended") >= size.calls * size.times, 20, "some calls did not end")
            ended, talks = rows.kind("ended"), rows.kind("leg_answered")
        rows.close()
    if (ended, talks) != (size.calls * size.times, size.calls * size.times + 1):
        raise OtherCalls(f"of {held} who hold some have gone: {ended} ends and {talks} talks")
    idle_ms_s = idle["cpu_ms"] / idle["took_s"]
    events = [(each["cpu_ms"] - idle_ms_s * each["took_s"]) / size.calls / INPUTS for each in found]
    return {"event_ms": events, "idle_ms_a_second": round(idle_ms_s, 3),
            "idle_ms_a_held_call_and_second": round(idle_ms_s / held, 4), "idle": idle, "calls": found}  # fmt: skip


@contextmanager
def _service(line: House, folder: Path) -> Iterator[MeasuredService]:
    """The real service: 111 has one line, which its first caller keeps; dental takes as many as come."""
    rows = [
        {"id": STAYING, "name": STAYING, "tel": "+442079460102", "answers": "agent", "lines": 1,
         "services": ["111", "clinician"]},
        {"id": PROVIDER, "name": PROVIDER, "tel": "+442079460101", "answers": "agent",
         "services": ["dental", "mental_health", "pharmacy", *TEAMS]},
    ]  # fmt: skip
    line.providers.write_text(yaml.safe_dump({"providers": rows}))
    settings = line.asterisk.settings
    own = {"PROVIDERS_FILE": str(line.providers), "PROMPTS_AUDIO_DIR": str(line.prompts), "KEYS": KEYS,
           "ARI_URL": line.asterisk.ari_url, "ARI_USER": settings.ari_user,
           "ARI_PASSWORD": settings.ari_password}  # fmt: skip
    with MeasuredService(folder, own) as service:
        yield service


def _callers(line: House, folder: Path, numbers: list[str], digit: str, patience_ms: int) -> ManyCallers:
    port = line.asterisk.ports.sip
    return ManyCallers(folder, port, line.sink, "111", numbers, RATE, digit=digit, patience_ms=patience_ms)


def _menu_calls(line: House, folder: Path, numbers: list[str]) -> None:
    with _callers(line, folder, numbers, "3", PATIENCE_MS) as callers:
        code = callers.wait_ended(len(numbers) / RATE + 30)
    if code != 0:
        raise OtherCalls(f"SIPp says {code}: not every call went as written; see {callers.folder}")
    time.sleep(1)  # what is done behind the calls


# ------------------------------------------------------------------ calls in Redis


def _without_lines(folder: Path, live: int, size: Size, both: Servers) -> dict[str, Any]:
    """Twilio holds their lines: we know them by their state alone."""
    database = both.fresh()
    settings = {"TWILIO_AUTH_TOKENS": TOKEN, "PUBLIC_URL": PUBLIC_URL, "KEYS": KEYS, "DATABASE_URL": database,
                "REDIS_URL": both.redis.url}  # fmt: skip
    folder.mkdir(parents=True)
    with MeasuredService(folder, settings) as service:
        rows = PostgresRows(database)
        write_starts(folder / "live", live, "1")
        send(service.port, folder / "live", CONNECTIONS)
        begun, found, waits = live, [], []
        for again in range(size.times):
            write_starts(folder / "start", size.keys, f"{again + 2}")
            send(service.port, folder / "start", CONNECTIONS)
            begun += size.keys
            wait_rows(rows, begun * ROWS_A_CALL + again * size.keys * ROWS_A_KEY)
            idle = _cost(service.pid, lambda: time.sleep(IDLE_S))
            _write_keys(folder / "keys", size.keys, f"{again + 2}")
            everything = begun * ROWS_A_CALL + (again + 1) * size.keys * ROWS_A_KEY
            found.append(
                {"idle": idle, **_cost(service.pid, partial(_press, service.port, folder, rows, everything, waits))}
            )
        rows.close()
    events = [(each["cpu_ms"] - each["idle"]["cpu_ms"] / each["idle"]["took_s"] * each["took_s"]) / size.keys
              for each in found]  # fmt: skip
    return {"event_ms": events, "latency": percentiles(waits), "keys": found}


def _press(port: int, folder: Path, rows: PostgresRows, everything: int, waits: list[float]) -> None:
    waits.extend(send(port, folder / "keys", CONNECTIONS)["latencies_ms"])
    wait_rows(rows, everything)


def _write_keys(file: Path, count: int, series: str) -> None:
    """A key that is not on offer, from each of the callers of that series: the menu is said again."""
    ring = KeyRing.from_base64(KEYS)
    with file.open("wb") as out:
        for call_sid, number in starts(count, series):
            path = f"/twilio/voice/{ring.index('twilio-call', call_sid)[:32]}/1.1/gather"
            request = signed_request(path, call_sid, number, {"Digits": "9", "msg": "Gather End"}, "in-progress")
            out.write(struct.pack("!I", len(request)) + request)


def _cost(pid: int, work: Callable[[], None]) -> dict[str, float]:
    """CPU of a process and of its threads while ``work`` goes on."""
    before, busy = running_ns(pid), Busy.now()
    work()
    used = running_ns(pid) - before
    now = Busy.now()
    return {"cpu_ms": round(used / 1e6, 3), "took_s": round(now.at - busy.at, 3),
            "other_cores_busy": now.others(busy, used / 1e9)}  # fmt: skip
