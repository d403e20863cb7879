"""Twilio's first webhook on Redis and PostgreSQL: the service against Flask and Express on the same servers.

Every program is one process, and none of the three interpreters uses more than one core: what a rival gets is what ours
gets. Nothing is pinned, so that whatever else runs on the machine hinders all alike.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.figures import median
from tests.bench.rivals.flask_app import menu_texts
from tests.bench.running import KEYS, PUBLIC_URL, TOKEN, MeasuredService, PostgresRows, Rival, rival_packages
from tests.bench.servers import Servers, servers
from tests.bench.webhooks import WARM_UP, Size, medians, round_of, sound_round, without_documents
from tests.running import free_port

RIVALS = Path(__file__).parent / "rivals"
EXPRESS = RIVALS / "express"
CONNECTIONS = 8
"""Enough to keep every program busy. With many more than it can serve, a program on a machine that is busy otherwise
waits so long for its own turn that it takes Redis for lost."""
GUNICORN: dict[str, tuple[str, ...]] = {
    "sync": ("--worker-class", "sync"),
    "2 threads": ("--worker-class", "gthread", "--threads", "2"),
    "4 threads": ("--worker-class", "gthread", "--threads", "4"),
    "8 threads": ("--worker-class", "gthread", "--threads", "8"),
}


FULL = Size(requests=2000, rounds=4, pilot=600, pilots=2)
QUICK = Size(requests=200, rounds=1, pilot=100, pilots=1)


def missing() -> list[str]:
    """Why this part cannot run here, besides the servers."""
    return [] if shutil.which("npm") else ["no npm for the Express rival: apt-get install nodejs npm"]


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every raw figure: gunicorn's settings that were tried, then interleaved rounds of all three."""
    _install_rivals()
    folder.mkdir(parents=True, exist_ok=True)
    texts, hints = menu_texts()
    (folder / "texts.json").write_text(json.dumps({"prompts": texts, "hints": hints}))
    with servers(folder) as both:
        tried = _try_settings(folder, size, both)
        best = max(tried, key=lambda name: median([each["requests_per_s"] for each in tried[name]]))
        programs: dict[str, Callable[[Path, str], Any]] = {
            "ours": lambda place, database: _ours(place, database, both),
            "flask": lambda place, database: _flask(place, database, both, GUNICORN[best]),
            "express": lambda place, database: _express(place, database, both, folder / "texts.json"),
        }
        rounds: list[dict[str, Any]] = []
        names = list(programs)
        for number in range(size.rounds):
            turn = names[number % len(names) :] + names[: number % len(names)]
            rounds.append(
                {name: _round(programs[name], folder / f"round-{number}-{name}", both, size.requests)
                 for name in turn}
            )  # fmt: skip
    without_documents([*rounds, *({str(n): each for n, each in enumerate(some)} for some in tried.values())])
    return {
        "conditions": {"connections": CONNECTIONS, "requests_a_round": size.requests, "warm_up": WARM_UP,
                       "rounds": size.rounds, "flask": f"gunicorn, 1 worker, {best}",
                       "postgresql": "fsync off", "redis": "appendonly no"},
        "same_document": True,
        "flask_settings_tried": tried,
        "rounds": rounds,
        "medians": {name: medians([each[name] for each in rounds]) for name in programs},
    }  # fmt: skip


def _install_rivals() -> None:
    """The rivals' own packages, by their locks, into folders that are not kept with the source."""
    npm = str(shutil.which("npm"))
    if not (EXPRESS / "node_modules").exists():
        subprocess.run([npm, "ci", "--ignore-scripts"], cwd=EXPRESS, check=True, capture_output=True)
    rival_packages()


def _try_settings(folder: Path, size: Size, servers: Servers) -> dict[str, list[dict[str, Any]]]:
    tried: dict[str, list[dict[str, Any]]] = {name: [] for name in GUNICORN}
    for turn in range(size.pilots):
        for number, (name, how) in enumerate(GUNICORN.items()):
            start = _starter(servers, how)
            tried[name].append(_round(start, folder / f"try-{turn}-{number}", servers, size.pilot))
    return tried


def _starter(servers: Servers, how: Sequence[str]) -> Callable[[Path, str], Any]:
    return lambda place, database: _flask(place, database, servers, how)


def _round(start: Callable[[Path, str], Any], place: Path, servers: Servers, requests: int) -> dict[str, Any]:
    def once(folder: Path) -> dict[str, Any]:
        database = servers.fresh()
        rows = partial(PostgresRows, database)
        return round_of(start(folder, database), rows, folder, requests, connections=CONNECTIONS)

    return sound_round(once, place)


def _ours(place: Path, database: str, servers: Servers) -> MeasuredService:
    settings = {"TWILIO_AUTH_TOKENS": TOKEN, "PUBLIC_URL": PUBLIC_URL, "KEYS": KEYS, "DATABASE_URL": database,
                "REDIS_URL": servers.redis.url}  # fmt: skip
    return MeasuredService(place, settings)


def _flask(place: Path, database: str, servers: Servers, how: Sequence[str]) -> Rival:
    port = free_port()
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--keep-alive", "60",
               "--no-control-socket", *how, "tests.bench.rivals.flask_app:create_app()"]  # fmt: skip
    address = database.replace("postgresql://", "postgresql+psycopg://")
    environment = _environment(address, servers) | {"PYTHONPATH": str(rival_packages())}
    return Rival(command, port, place / "log", environment)


def _express(place: Path, database: str, servers: Servers, texts: Path) -> Rival:
    port = free_port()
    environment = _environment(database, servers) | {
        "BENCH_PORT": str(port), "BENCH_TEXTS": str(texts), "NODE_ENV": "production",
    }  # fmt: skip
    return Rival([str(EXPRESS / "app.js")], port, place / "log", environment, (str(shutil.which("node")),))


def _environment(database: str, servers: Servers) -> dict[str, str]:
    return {"BENCH_DATABASE": database, "BENCH_REDIS_URL": servers.redis.url, "BENCH_KEYS": KEYS,
            "BENCH_TOKEN": TOKEN, "BENCH_PUBLIC_URL": PUBLIC_URL}  # fmt: skip
