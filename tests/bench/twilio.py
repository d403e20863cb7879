"""Twilio's first webhook: requests a second of the real service against a plain Flask app.

Both are one process on SQLite. A round is: start the program on an empty database, warm it up, send the prepared
requests, and stop the clock when the last row is committed, so that writing behind the answer wins nothing.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from tests.bench.figures import median, percentiles
from tests.bench.machine import Busy, cpu_seconds
from tests.bench.numbers import fictional_numbers
from tests.bench.running import KEYS, PUBLIC_URL, TOKEN, MeasuredService, Rival, Rows, wait_for
from tests.running import ROOT, free_port

CONNECTIONS = 16
WARM_UP = 200
ROWS_A_CALL = 7  # in the journal; one more in `calls`
DRAIN_S = 60.0
SEND_S = 120.0
RIVAL_SETTINGS: dict[str, tuple[str, ...]] = {
    "sync": ("--worker-class", "sync"),
    "gthread, 1 thread": ("--worker-class", "gthread", "--threads", "1"),
    "gthread, 2 threads": ("--worker-class", "gthread", "--threads", "2"),
    "gthread, 4 threads": ("--worker-class", "gthread", "--threads", "4"),
}


class Program(Protocol):
    """What a round needs of a running program."""

    port: int

    @property
    def pid(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    requests: int
    rounds: int
    pilot: int
    pilots: int


FULL = Size(requests=3000, rounds=5, pilot=1000, pilots=3)
QUICK = Size(requests=200, rounds=1, pilot=100, pilots=1)


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every raw figure: rival settings that were tried, then interleaved rounds of both."""
    tried = _try_settings(folder, size)
    best = max(tried, key=lambda name: median([each["requests_per_s"] for each in tried[name]]))
    rounds: list[dict[str, Any]] = []
    for number in range(size.rounds):
        both = {
            "ours": lambda place: _our_round(place, size.requests),
            "flask": lambda place: _rival_round(place, RIVAL_SETTINGS[best], size.requests),
        }
        names = list(both) if number % 2 == 0 else list(reversed(both))
        rounds.append({name: both[name](folder / f"round-{number}-{name}") for name in names})
    same = all(each["ours"]["document"] == each["flask"]["document"] for each in rounds)
    if not same:
        raise RuntimeError(f"the documents differ: {rounds[0]['ours']['document']}\n{rounds[0]['flask']['document']}")
    for each in (*(one for some in tried.values() for one in some), *(one for both in rounds for one in both.values())):
        del each["document"]
    return {
        "conditions": {"connections": CONNECTIONS, "requests_a_round": size.requests, "warm_up": WARM_UP,
                       "rounds": size.rounds, "rival": f"gunicorn, 1 worker, {best}"},
        "same_document": same,
        "rival_settings_tried": tried,
        "rounds": rounds,
        "medians": {name: _medians([each[name] for each in rounds]) for name in ("ours", "flask")},
        "ratios_a_round": [round(each["ours"]["requests_per_s"] / each["flask"]["requests_per_s"], 3)
                           for each in rounds],
    }  # fmt: skip


def _try_settings(folder: Path, size: Size) -> dict[str, list[dict[str, Any]]]:
    """Short rounds of the rival under each of its settings, in turn, so that the best one is measured."""
    tried: dict[str, list[dict[str, Any]]] = {name: [] for name in RIVAL_SETTINGS}
    for turn in range(size.pilots):
        for number, (name, how) in enumerate(RIVAL_SETTINGS.items()):
            tried[name].append(_rival_round(folder / f"try-{turn}-{number}", how, size.pilot))
    return tried


def _medians(rounds: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = ("requests_per_s", "answered_per_s", "drain_s", "cpu_ms_a_request", "p50_ms", "p95_ms", "p99_ms")
    return {name: median([each[name] for each in rounds]) for name in names}


def _our_round(folder: Path, requests: int) -> dict[str, Any]:
    settings = {"TWILIO_AUTH_TOKENS": TOKEN, "PUBLIC_URL": PUBLIC_URL, "KEYS": KEYS}
    return _round(MeasuredService(folder, settings), folder / "data" / "callrouter.db", folder, requests)


def _rival_round(folder: Path, how: Sequence[str], requests: int) -> dict[str, Any]:
    port, database = free_port(), folder / "rival.db"
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--keep-alive", "60",
               "--no-control-socket", *how]  # fmt: skip
    command.append("tests.bench.rivals.flask_app:create_app()")
    environment = {"BENCH_DATABASE": str(database), "BENCH_KEYS": KEYS, "BENCH_TOKEN": TOKEN,
                   "BENCH_PUBLIC_URL": PUBLIC_URL}  # fmt: skip
    return _round(Rival(command, port, folder / "log", environment), database, folder, requests)


def _round(program: AbstractContextManager[Any], database: Path, folder: Path, requests: int) -> dict[str, Any]:
    warm_up, measured = folder / "warm-up", folder / "requests"
    folder.mkdir(parents=True, exist_ok=True)
    _write_requests(warm_up, WARM_UP, "1")
    _write_requests(measured, requests, "2")
    with program as running:
        _send(running.port, warm_up)
        rows = Rows(database)
        _wait_rows(rows, WARM_UP * ROWS_A_CALL)
        before, busy = cpu_seconds(running.pid), Busy.now()
        sent = _send(running.port, measured)
        everything = (WARM_UP + requests) * ROWS_A_CALL
        # a rival that has committed before it answers has nothing left to wait for
        drained = sent["last"] if rows.newest() >= everything else _wait_rows(rows, everything)
        cpu = cpu_seconds(running.pid) - before
        others = Busy.now().others(busy, cpu + sent["cpu_s"])
        counted = rows.count()
        rows.close()
    expected = {"calls": WARM_UP + requests, "journal": (WARM_UP + requests) * ROWS_A_CALL}
    if sent["errors"] or any(counted[table] != number for table, number in expected.items()):
        raise RuntimeError(f"{sent['errors']} errors; rows {counted}, expected {expected}; see {folder}")
    return _figures(sent, drained, cpu, others, requests, counted)


def _figures(
    sent: dict[str, Any], drained: float, cpu: float, others: float, requests: int, counted: dict[str, int]
) -> dict[str, Any]:
    took = drained - sent["first"]
    return {
        "requests_per_s": round(requests / took, 1),
        "answered_per_s": round(requests / (sent["last"] - sent["first"]), 1),
        "drain_s": round(drained - sent["last"], 3),
        "cpu_ms_a_request": round(cpu / requests * 1000, 3),
        "client_cpu_share": round(sent["cpu_s"] / (sent["last"] - sent["first"]), 3),
        "other_cores_busy": others,
        **percentiles(sent["latencies_ms"]),
        "errors": sent["errors"],
        "rows": counted,
        "document": sent["document"],
    }


def _send(port: int, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(CONNECTIONS), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=SEND_S)
    found: dict[str, Any] = json.loads(done.stdout)
    found["document"] = re.sub(r"voice/[0-9a-f]{32}/", "voice/CALL/", found.pop("sample"))
    return found


def _wait_rows(rows: Rows, number: int) -> float:
    """When (monotonic seconds) the last of ``number`` rows was seen in the database."""
    wait_for(lambda: rows.newest() >= number, DRAIN_S, f"{rows.newest()} of {number} rows", pause=0.002)
    return time.monotonic()


def _write_requests(file: Path, count: int, series: str) -> None:
    validator = RequestValidator(TOKEN)
    numbers = cycle(fictional_numbers())
    with file.open("wb") as out:
        for n in range(count):
            request = _request(f"CA{series}{n:031x}", next(numbers), validator)
            out.write(struct.pack("!I", len(request)) + request)


def _request(call_sid: str, number: str, validator: RequestValidator) -> bytes:
    """A webhook as Twilio sends it for a new call."""
    form = {
        "AccountSid": "AC00000000000000000000000000000000", "ApiVersion": "2010-04-01", "CallSid": call_sid,
        "CallStatus": "ringing", "CallToken": "x" * 120, "Called": "+442079460111", "CalledCity": "",
        "CalledCountry": "GB", "CalledState": "", "CalledZip": "", "Caller": number, "CallerCity": "",
        "CallerCountry": "GB", "CallerState": "", "CallerZip": "", "Direction": "inbound", "From": number,
        "FromCity": "", "FromCountry": "GB", "FromState": "", "FromZip": "", "To": "+442079460111", "ToCity": "",
        "ToCountry": "GB", "ToState": "", "ToZip": "",
    }  # fmt: skip
    body = urlencode(form).encode()
    head = {
        "Host": "calls.example", "User-Agent": "TwilioProxy/1.1", "Accept": "*/*",
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Content-Length": str(len(body)),
        "X-Twilio-Signature": validator.compute_signature(f"{PUBLIC_URL}/twilio/voice", form),
        "I-Twilio-Idempotency-Token": f"token-{call_sid}",
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST /twilio/voice HTTP/1.1\r\n{lines}\r\n".encode() + body
