"""The whole house for faults: Asterisk, PostgreSQL, Redis, worker processes, stand-in providers and callers.

    async with house(folder, workers=2) as it:
        caller = it.caller(number)
        caller.dial()
        it.workers[0].kill()

Nothing in it is a stand-in but the people: every server is the real one, on loopback ports and in folders of its own.
Each worker reaches Asterisk by a wire of its own, and all reach the database by one, which a test can hold or cut.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from infra.asterisk.instance import (
    Asterisk,
    AsteriskSettings,
    AsteriskUnavailable,
    Provider,
    find_installation,
    free_ports,
)
from tests.faults.callers import Caller, Phones
from tests.faults.providers import Leg, StandIn
from tests.faults.sound import Voice, write_sound
from tests.missing import or_skip
from tests.postgres import own_postgres
from tests.redis_server import RedisServer
from tests.running import RunningService
from tests.wire import Wire

HERE = Path(__file__).parent
RTP_PORTS = 2_000  # four for each call, and those that the kernel still holds
NARROW_LINES = 4
SLOW_RING_S = 6.0
LOOKUP_BUDGET_MS = 1_000
ARI_PASSWORD = "of-the-fault-tests"

PROMPTS = {"emergency_999": 0.4, "recording_notice": 0.2, "long_menu": 8.0, "hold_111": 0.4, "sorry_missed_that": 0.4,
           "sorry_cut_off": 0.4, "red_flag_connecting": 0.4}  # fmt: skip
"""Every prompt of flow.yaml and of the engine, and how many seconds it takes."""
SOUNDS = {name: number for number, name in enumerate([*PROMPTS, "music"], start=0x11)}
PROVIDER_SOUNDS = {"one-eleven": 0x61, "narrow": 0x62, "slow": 0x63, "fallback": 0x64}
SERVICES = {"one-eleven": ["111", "clinician"], "narrow": ["narrow"], "slow": ["slow"], "fallback": ["fallback"]}
KEYS = base64.b64encode(bytes(range(64))).decode()


class Worker(RunningService):
    """One ``callrouter serve``, which can be killed, stopped and started again."""

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a crash would: no handler runs."""
        self.signal(signal.SIGKILL)

    def start(self) -> None:
        """Start it again; returns when it is ready."""
        self.__enter__()

    def stop(self) -> int:
        """As its parent; harmless for one that was killed."""
        if self._process is None or self._process.poll() is not None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
        return super().stop()


class Watch(Worker):
    """``callrouter watch``: sees ends that no worker saw, and callers whose worker is stuck."""

    COMMAND = "watch"

    def _wait_ready(self) -> None:
        """It has no port; what it does is seen later."""


@dataclass
class House:
    """What a test holds. ``wires``: each worker's to Asterisk, by its number; ``records``: all workers' to SQL."""

    folder: Path
    asterisk: Asterisk
    redis: RedisServer
    workers: list[Worker]
    watch: Watch
    wires: list[Wire]
    records: Wire
    providers: dict[str, StandIn]
    phones: Phones
    database: str
    second: Asterisk | None = None

    def caller(self, number: str) -> Caller:
        """Somebody with a telephone, who has not dialled yet."""
        return Caller(number, self.phones)

    @property
    def legs(self) -> list[Leg]:
        """Every INVITE that any provider saw."""
        return [leg for each in self.providers.values() for leg in each.legs]

    def reached(self, number: str) -> list[Leg]:
        """The legs of this caller that a provider has answered."""
        return [leg for leg in self.legs if leg.number == number and leg.answered_at is not None]

    async def channels(self) -> int:
        """How many channels Asterisk has."""
        text = await asyncio.to_thread(self.asterisk.cli, "core show channels count")
        return int(text.split()[0])


@asynccontextmanager
async def house(
    folder: Path,
    *,
    workers: int = 2,
    settings: Mapping[str, str] | None = None,
    beneath: Mapping[str, str] | None = None,
    asterisks: int = 1,
) -> AsyncIterator[House]:
    """Everything, running and connected. Skips, with the reason, where a server is not installed.

    ``beneath``: more of the environment of our own processes, as it stands (``settings`` are the service's). Of two
    ``asterisks`` the second has callers of its own, and neither a wire: all processes know an Asterisk by one address.
    """
    async with AsyncExitStack() as stack:
        servers = stack.enter_context(ExitStack())
        voice = Voice()
        stack.callback(voice.close)
        providers = {name: StandIn(name, sound, voice) for name, sound in PROVIDER_SOUNDS.items()}
        providers["slow"].ring_s = SLOW_RING_S
        for each in providers.values():
            await each.open()
            stack.callback(each.close)
        asterisk = await asyncio.to_thread(_asterisk, servers, folder, providers)
        redis, (database, records, by_wire) = _redis(servers), _postgres(servers)
        second = await asyncio.to_thread(_asterisk, servers, folder / "second", providers) if asterisks > 1 else None
        both = [asterisk, *([second] if second is not None else [])]
        environment = _settings(folder, both, providers, redis) | {"DATABASE_URL": by_wire} | dict(settings or {})
        phones = Phones(asterisk.ports.sip)
        await phones.open()
        stack.callback(phones.close)
        wires = [servers.enter_context(Wire(asterisk.ports.ari)) for _ in range(workers)]
        running = [
            Worker(folder / f"worker-{number}", environment | ({} if second else {"ARI_URL": _by_wire(wire)}))
            for number, wire in enumerate(wires)
        ]
        watch = Watch(folder / "watch", environment)
        for process in (*running, watch):
            process.environment |= dict(beneath or {})
            await asyncio.to_thread(servers.enter_context, process)
        for each in providers.values():
            for one in both:
                await asyncio.to_thread(one.cli, f"pjsip qualify provider-{each.name}")
            await each.probed()
        yield House(folder, asterisk, redis, running, watch, wires, records, providers, phones, database, second)


def _by_wire(wire: Wire) -> str:
    return f"http://127.0.0.1:{wire.port}/ari"


def _asterisk(servers: ExitStack, folder: Path, providers: Mapping[str, StandIn]) -> Asterisk:
    try:
        installation = find_installation()
    except AsteriskUnavailable as reason:
        pytest.skip(f"NO ASTERISK: {reason}")
    prompts = folder / "prompts"
    prompts.mkdir(parents=True)
    for name, seconds in PROMPTS.items():
        write_sound(prompts / f"{name}.alaw", SOUNDS[name], seconds)
    write_sound(folder / "music.alaw", SOUNDS["music"], 30.0)
    ports = free_ports()
    first = 10_000 + 2 * secrets.randbelow((32_000 - 10_000 - RTP_PORTS) // 2)
    settings = AsteriskSettings(
        providers=[Provider(name, "127.0.0.1", each.port) for name, each in providers.items()],
        default_provider="fallback",
        hold_music=[folder / "music"],
        ports=replace(ports, rtp_first=first, rtp_last=first + RTP_PORTS - 1),
        capacity=400,
        ari_password=ARI_PASSWORD,
    )
    return servers.enter_context(Asterisk(folder / "asterisk", settings, installation))


def _postgres(servers: ExitStack) -> tuple[str, Wire, str]:
    """Its own address for the test, the wire to it, and the address at the end of that wire."""
    url = servers.enter_context(own_postgres()).url
    port = urlsplit(url).port
    assert port is not None
    wire = servers.enter_context(Wire(port))
    return url, wire, url.replace(f":{port}", f":{wire.port}")


def _redis(servers: ExitStack) -> RedisServer:
    servers.enter_context(or_skip())
    return servers.enter_context(RedisServer())


def _settings(
    folder: Path, asterisks: Sequence[Asterisk], providers: Mapping[str, StandIn], redis: RedisServer
) -> dict[str, str]:
    rows = [
        {"id": name, "name": name, "tel": f"+44207946010{number}", "answers": "agent", "services": SERVICES[name],
         "sip": f"127.0.0.1:{each.port}"} | ({"lines": NARROW_LINES} if name == "narrow" else {})
        for number, (name, each) in enumerate(providers.items())
    ]  # fmt: skip
    files = {"providers.yaml": {"providers": rows}, "prompts.yaml": {name: f"The prompt {name}." for name in PROMPTS}}
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content))
    return {
        "REDIS_URL": redis.url,
        "KEYS": KEYS,
        "SESSION_SECRET": "a-secret-of-the-fault-tests-and-of-nobody-else",
        "FLOW_FILE": str(HERE / "flow.yaml"),
        "PROMPTS_FILE": str(folder / "prompts.yaml"),
        "PROVIDERS_FILE": str(folder / "providers.yaml"),
        "PROMPTS_AUDIO_DIR": str(folder / "prompts"),
        "LOOKUP_BUDGET_MS": str(LOOKUP_BUDGET_MS),
        "ARI_URL": ",".join(each.ari_url for each in asterisks),
        "AMI_ADDRESS": ",".join(f"127.0.0.1:{each.ports.ami}" for each in asterisks),
        "ARI_USER": asterisks[0].settings.ari_user,
        "ARI_PASSWORD": asterisks[0].settings.ari_password,
    }
