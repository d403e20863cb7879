"""The whole menu call over SIP: CPU of Asterisk and of whoever steers it, in four variants, round after round.

A caller dials, hears the first prompt, cuts the second short by key 1, is put through to a provider who answers at
once and hangs up at once. CPU is user and system time from /proc; SIPp plays both sides and is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.asterisk.instance import find_installation
from tests.bench import first_prompt
from tests.bench.figures import median
from tests.bench.line import KEY_AFTER_MS, PROMPT_S, TALK_MS, House, ManyCallers, house
from tests.bench.machine import Busy, cpu_seconds
from tests.bench.numbers import fictional_numbers
from tests.bench.running import KEYS, MeasuredService, Rival, Rows, wait_for
from tests.running import free_port

WARM_UP = 10
SETTLE_S = 1.0
DRAIN_S = 20.0
MOST_TRIES = 4
TOTALS = ("cpu_ms_a_call", "asterisk_ms", "program_ms")


class OtherCall(RuntimeError):
    """Not every call went as it was meant to."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: calls a round and variant, at so many a second."""

    calls: int
    rate: int
    rounds: int
    first_prompts: int


FULL = Size(calls=100, rate=8, rounds=4, first_prompts=25)
BUSY = Size(calls=320, rate=32, rounds=4, first_prompts=5)
"""Half of what one worker carries: threads that have work do not wake for each piece of it."""
QUICK = Size(calls=10, rate=8, rounds=1, first_prompts=3)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is dialled, which program steers the call (none: dialplan alone), and where its rows are."""

    extension: str
    program: Callable[[House, Path], AbstractContextManager[Any]]
    database: str | None = None


VARIANTS = {
    "dialplan": Variant("2001", lambda _house, _folder: nullcontext(None)),
    "memory": Variant("111", lambda house, folder: _memory(house, folder)),
    "full": Variant("111", lambda house, folder: _full(house, folder), "data/callrouter.db"),
    "fastagi": Variant("2002", lambda house, folder: _fastagi(house, folder), "rival.db"),
}


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every raw figure of interleaved rounds. Raises AsteriskUnavailable where no SIP call is possible."""
    installation, numbers = find_installation(), fictional_numbers()
    rounds: list[dict[str, Any]] = []
    with house(folder, installation, free_port()) as line:
        for number in range(size.rounds):
            names = list(VARIANTS)[number % len(VARIANTS) :] + list(VARIANTS)[: number % len(VARIANTS)]
            rounds.append(
                {name: _sound_round(line, name, folder / f"round-{number}-{name}", size, numbers) for name in names}
            )
    return {
        "conditions": {"calls_a_round": size.calls, "calls_per_s": size.rate, "rounds": size.rounds,
                       "warm_up": WARM_UP, "prompt_s": PROMPT_S, "key_after_ms": KEY_AFTER_MS, "talk_ms": TALK_MS,
                       "first_prompt_calls_a_round": size.first_prompts},
        "rounds": rounds,
        "medians": {name: _medians([each[name] for each in rounds]) for name in VARIANTS},
    }  # fmt: skip


def _medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    found = {name: median([each[name] for each in rounds]) for name in TOTALS}
    return found | {name: median([each[name] for each in rounds]) for name in ("sound_p50_ms", "answer_p50_ms")}


def _sound_round(line: House, name: str, folder: Path, size: Size, numbers: Iterator[str]) -> dict[str, Any]:
    """A round in which every call went as written.

    On a machine that others keep busy a claim may come after half a second, and then Asterisk's fall-back rightly
    takes the caller. Such a round measures another call: it is measured anew, and how often is told.
    """
    for again in range(MOST_TRIES):
        try:
            return _round(line, name, folder / str(again), size, numbers) | {"rounds_repeated": again}
        except OtherCall as reason:
            last = reason
    raise last


def _round(line: House, name: str, folder: Path, size: Size, numbers: Iterator[str]) -> dict[str, Any]:
    variant = VARIANTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    with variant.program(line, folder) as program:
        pids = {"asterisk": line.asterisk.pid} | ({"program": program.pid} if program is not None else {})
        rows = Rows(folder / variant.database) if variant.database else None
        call_many(line, variant, folder / "warm-up", WARM_UP, size.rate, numbers)
        drained(rows, WARM_UP)
        before, busy = {who: cpu_seconds(pid) for who, pid in pids.items()}, Busy.now()
        call_many(line, variant, folder / "calls", size.calls, size.rate, numbers)
        drained(rows, WARM_UP + size.calls)
        used = {who: cpu_seconds(pid) - before[who] for who, pid in pids.items()}
        others = Busy.now().others(busy, sum(used.values()))
        counted = rows.count() if rows else {}
        waits = [first_prompt.call(variant.extension, next(numbers), line.asterisk.ports.sip)
                 for _ in range(size.first_prompts)]  # fmt: skip
        if rows:
            rows.close()
    _check_rows(name, counted, WARM_UP + size.calls)
    return {
        "cpu_ms_a_call": round(sum(used.values()) / size.calls * 1000, 3),
        "asterisk_ms": round(used["asterisk"] / size.calls * 1000, 3),
        "program_ms": round(used.get("program", 0.0) / size.calls * 1000, 3),
        "other_cores_busy": others,
        "rows": counted,
        "answer_p50_ms": median([each.answer_ms for each in waits]),
        "sound_p50_ms": median([each.sound_ms for each in waits]),
        "sound_ms": [each.sound_ms for each in waits],
        "answer_ms": [each.answer_ms for each in waits],
    }


def call_many(line: House, variant: Variant, folder: Path, count: int, rate: int, numbers: Iterator[str]) -> None:
    """So many whole calls; returns when the last has ended. Raises OtherCall when one went otherwise."""
    own = [next(numbers) for _ in range(count)]
    with ManyCallers(folder, line.asterisk.ports.sip, line.sink, variant.extension, own, rate) as callers:
        code = callers.wait_ended(count / rate + 30)
    if code != 0:
        raise OtherCall(f"SIPp says {code}: not every call went as written; see {callers.folder}")


def drained(rows: Rows | None, calls: int) -> None:
    """All that is still to be done for the calls is done: the same rest for everybody, then the last row."""
    time.sleep(SETTLE_S)
    if rows is not None:
        try:
            wait_for(lambda: rows.ended() >= calls, DRAIN_S, "")
        except RuntimeError:
            raise OtherCall(f"{rows.ended()} of {calls} calls are in the index") from None


def _check_rows(name: str, counted: dict[str, int], calls: int) -> None:
    """Every call wrote all of its rows, each kind as often."""
    if not counted:
        return
    odd = {kind: rows for kind, rows in counted.items() if rows % calls}
    if odd or counted["calls"] != calls or counted["journal.ended"] != calls:
        raise OtherCall(f"{name}: rows of {calls} calls are {counted}")


# ------------------------------------------------------------------ the programs


def _full(line: House, folder: Path) -> MeasuredService:
    settings = line.asterisk.settings
    own = {"PROVIDERS_FILE": str(line.providers), "PROMPTS_AUDIO_DIR": str(line.prompts), "KEYS": KEYS,
           "ARI_URL": line.asterisk.ari_url, "ARI_USER": settings.ari_user,
           "ARI_PASSWORD": settings.ari_password}  # fmt: skip
    return MeasuredService(folder, own)


def _memory(line: House, folder: Path) -> Rival:
    settings, port = line.asterisk.settings, free_port()
    environment = {"BENCH_PORT": str(port), "BENCH_PROVIDERS": str(line.providers),
                   "BENCH_PROMPTS": str(line.prompts), "BENCH_ARI_URL": line.asterisk.ari_url,
                   "BENCH_ARI_USER": settings.ari_user, "BENCH_ARI_PASSWORD": settings.ari_password}  # fmt: skip
    return Rival(["tests.bench.memory_worker"], port, folder / "log", environment)


def _fastagi(line: House, folder: Path) -> Rival:
    environment = {"BENCH_PORT": str(line.agi_port), "BENCH_PROMPTS": str(line.prompts), "BENCH_KEYS": KEYS,
                   "BENCH_DATABASE": str(folder / "rival.db")}  # fmt: skip
    return Rival(["tests.bench.rivals.fastagi"], line.agi_port, folder / "log", environment)
