"""Prepared webhooks of new calls, and one round of them: send, wait for the last row, count."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from tests.bench.running import PUBLIC_URL, TOKEN, AnyRows, wait_for
from tests.running import ROOT

CONNECTIONS = 16
WARM_UP = 200
ROWS_A_CALL = 7  # in the journal; one more in `calls`
DRAIN_S = 30.0
SEND_S = 120.0
MOST_TRIES = 8
_VALIDATOR = RequestValidator(TOKEN)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    requests: int
    rounds: int
    pilot: int
    pilots: int


class OtherAnswers(RuntimeError):
    """Not every request was answered as it was meant to, or not every row came."""


def sound_round(start: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """A round in which every call was begun.

    On a machine that others keep busy, Redis may seem to be away for a moment, and then the caller rightly gets the
    static document of the fall-back. Such a round measures something else: it is measured anew, and how often is told.
    """
    for again in range(MOST_TRIES):
        try:
            return start(folder / str(again)) | {"rounds_repeated": again}
        except OtherAnswers as reason:
            last = reason
    raise last


class Program(Protocol):
    """What a round needs of a running program."""

    port: int

    @property
    def pid(self) -> int: ...


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of each figure that is compared."""
    names = ("requests_per_s", "answered_per_s", "drain_s", "cpu_ms_a_request", "p50_ms", "p95_ms", "p99_ms")
    return {name: median([each[name] for each in rounds]) for name in names}


def without_documents(rounds: Sequence[dict[str, dict[str, Any]]]) -> None:
    """Take the documents out of the figures. Raises RuntimeError if one differs from the others by an octet."""
    documents = {each.pop("document") for one in rounds for each in one.values()}
    if len(documents) > 1:
        raise RuntimeError("the documents differ:\n" + "\n".join(sorted(documents)))


def round_of(
    program: AbstractContextManager[Program],
    rows_of: Callable[[], AnyRows],
    folder: Path,
    requests: int,
    *,
    connections: int = CONNECTIONS,
) -> dict[str, Any]:
    """Start, warm up, send ``requests``, wait for the last row.

    Raises OtherAnswers when an answer was wrong or a row is missing.
    """
    warm_up, measured = folder / "warm-up", folder / "requests"
    folder.mkdir(parents=True, exist_ok=True)
    write_starts(warm_up, WARM_UP, "1")
    write_starts(measured, requests, "2")
    with program as running:
        send(running.port, warm_up, connections)
        rows = rows_of()
        wait_rows(rows, WARM_UP * ROWS_A_CALL)
        before, busy = cpu_seconds(running.pid), Busy.now()
        sent = send(running.port, measured, connections)
        if sent["errors"]:
            raise OtherAnswers(f"{sent['errors']} of {requests} were not answered as the others; see {folder}")
        everything = (WARM_UP + requests) * ROWS_A_CALL
        # a rival that has committed before it answers has nothing left to wait for
        drained = sent["last"] if rows.newest() >= everything else wait_rows(rows, everything)
        cpu = cpu_seconds(running.pid) - before
        others = Busy.now().others(busy, cpu + sent["cpu_s"])
        counted = rows.count()
        rows.close()
    expected = {"calls": WARM_UP + requests, "journal": (WARM_UP + requests) * ROWS_A_CALL}
    if any(counted[table] != number for table, number in expected.items()):
        raise OtherAnswers(f"rows {counted}, expected {expected}; see {folder}")
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


def send(port: int, file: Path, connections: int = CONNECTIONS) -> dict[str, Any]:
    """Send what the file holds, as fast as it is answered."""
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(connections), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=SEND_S)
    found: dict[str, Any] = json.loads(done.stdout)
    found["document"] = re.sub(r"voice/[0-9a-f]{32}/", "voice/CALL/", found.pop("sample"))
    return found


def wait_rows(rows: AnyRows, number: int) -> float:
    """When (monotonic seconds) the last of ``number`` journal rows was seen. Raises OtherAnswers."""
    try:
        wait_for(lambda: rows.newest() >= number, DRAIN_S, "", pause=rows.PAUSE_S)
    except RuntimeError:
        raise OtherAnswers(f"{rows.newest()} of {number} rows") from None
    return time.monotonic()


def starts(count: int, series: str) -> Iterator[tuple[str, str]]:
    """CallSid and number of ``count`` callers; another series, other calls."""
    numbers = cycle(fictional_numbers())
    for n in range(count):
        yield f"CA{series}{n:031x}", next(numbers)


def write_starts(file: Path, count: int, series: str) -> None:
    """The first webhook of each of these callers."""
    with file.open("wb") as out:
        for call_sid, number in starts(count, series):
            request = signed_request("/twilio/voice", call_sid, number, {}, "ringing")
            out.write(struct.pack("!I", len(request)) + request)


def signed_request(path: str, call_sid: str, number: str, more: Mapping[str, str], status: str) -> bytes:
    """A webhook as Twilio sends it."""
    form = {
        "AccountSid": "AC00000000000000000000000000000000", "ApiVersion": "2010-04-01", "CallSid": call_sid,
        "CallStatus": status, "CallToken": "x" * 120, "Called": "+442079460111", "CalledCity": "",
        "CalledCountry": "GB", "CalledState": "", "CalledZip": "", "Caller": number, "CallerCity": "",
        "CallerCountry": "GB", "CallerState": "", "CallerZip": "", "Direction": "inbound", "From": number,
        "FromCity": "", "FromCountry": "GB", "FromState": "", "FromZip": "", "To": "+442079460111", "ToCity": "",
        "ToCountry": "GB", "ToState": "", "ToZip": "", **more,
    }  # fmt: skip
    body = urlencode(form).encode()
    head = {
        "Host": "calls.example", "User-Agent": "TwilioProxy/1.1", "Accept": "*/*",
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Content-Length": str(len(body)),
        "X-Twilio-Signature": _VALIDATOR.compute_signature(f"{PUBLIC_URL}{path}", form),
        "I-Twilio-Idempotency-Token": f"token-{call_sid}-{path[-6:]}",
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
