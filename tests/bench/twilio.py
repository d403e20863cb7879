"""Twilio's first webhook: requests a second of the real service against a plain Flask app.

Both are one process on SQLite. A round is: start the program on an empty database, warm it up, send the prepared
requests, and stop the clock when the last row is committed, so that writing behind the answer wins nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import median
from tests.bench.running import KEYS, PUBLIC_URL, TOKEN, MeasuredService, Rival, Rows
from tests.bench.webhooks import CONNECTIONS, WARM_UP, Size, medians, round_of, without_documents
from tests.running import free_port

RIVAL_SETTINGS: dict[str, tuple[str, ...]] = {
    "sync": ("--worker-class", "sync"),
    "gthread, 1 thread": ("--worker-class", "gthread", "--threads", "1"),
    "gthread, 2 threads": ("--worker-class", "gthread", "--threads", "2"),
    "gthread, 4 threads": ("--worker-class", "gthread", "--threads", "4"),
}


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
    without_documents([*rounds, *({str(n): each for n, each in enumerate(some)} for some in tried.values())])
    return {
        "conditions": {"connections": CONNECTIONS, "requests_a_round": size.requests, "warm_up": WARM_UP,
                       "rounds": size.rounds, "rival": f"gunicorn, 1 worker, {best}"},
        "same_document": True,
        "rival_settings_tried": tried,
        "rounds": rounds,
        "medians": {name: medians([each[name] for each in rounds]) for name in ("ours", "flask")},
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


def _our_round(folder: Path, requests: int) -> dict[str, Any]:
    settings = {"TWILIO_AUTH_TOKENS": TOKEN, "PUBLIC_URL": PUBLIC_URL, "KEYS": KEYS}
    database = folder / "data" / "callrouter.db"
    return round_of(MeasuredService(folder, settings), lambda: Rows(database), folder, requests)


def _rival_round(folder: Path, how: Sequence[str], requests: int) -> dict[str, Any]:
    port, database = free_port(), folder / "rival.db"
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--keep-alive", "60",
               "--no-control-socket", *how]  # fmt: skip
    command.append("tests.bench.rivals.flask_app:create_app()")
    environment = {"BENCH_DATABASE": str(database), "BENCH_KEYS": KEYS, "BENCH_TOKEN": TOKEN,
                   "BENCH_PUBLIC_URL": PUBLIC_URL}  # fmt: skip
    return round_of(Rival(command, port, folder / "log", environment), lambda: Rows(database), folder, requests)
