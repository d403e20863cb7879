"""What only Redis must show: readers that share the work or die, what is removed, budgets, secrets."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.bus import Entry
from infra.errors import StateUnavailable
from infra.redis import RedisAddress, RedisLink
from infra.redis_keys import SHARDS, call_key, events_key, shard_of
from infra.redis_nudges import RedisNudges
from infra.redis_state import RedisStates
from infra.redis_stream import RedisStream
from infra.state import Stored, Version
from infra.turns import Turns
from tests.missing import or_skip
from tests.redis_server import RedisServer, RedisWithSentinel

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
PASSWORD = "not-for-logs"
PATIENT_S = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with or_skip(), RedisServer(password=PASSWORD) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    running.client.flushall()
    return running


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[RedisLink]:
    made = RedisLink(RedisAddress.parse(server.url), budget_s=PATIENT_S)
    yield made
    await made.close()


def entry(seq: int, call_ref: str = "call") -> Entry:
    return Entry(call_ref, seq, NOON, "node_entered", {"node": "menu"})


def kept(server: RedisServer) -> int:
    return sum(server.client.xlen(events_key(shard)) for shard in range(SHARDS))


async def take_all(reader: RedisStream, until: asyncio.Event) -> list[tuple[str, int]]:
    taken: list[tuple[str, int]] = []
    while True:
        last = until.is_set()
        batch = await reader.read("journal", limit=7, wait_s=0.05)
        if last and not batch:
            return taken
        taken += [(each.call_ref, each.seq) for _, each in batch]
        await reader.acknowledge("journal", [position for position, _ in batch])


async def test_three_readers_of_one_group_lose_nothing_and_double_nothing(link: RedisLink) -> None:
    readers = [RedisStream(link, idle_s=PATIENT_S) for _ in range(3)]
    for each in readers:
        await each.join("journal")
    over = asyncio.Event()
    taking = [asyncio.ensure_future(take_all(each, over)) for each in readers]
    calls = [f"call-{n}" for n in range(40)]
    await asyncio.gather(*(readers[0].append([entry(1, each), entry(2, each), entry(3, each)]) for each in calls))
    over.set()
    taken = [each for some in await asyncio.gather(*taking) for each in some]

    assert Counter(taken) == Counter((call, seq) for call in calls for seq in (1, 2, 3))


async def test_what_a_dead_reader_had_in_hand_comes_first_to_the_next(link: RedisLink) -> None:
    dead, heir = RedisStream(link, idle_s=0.2), RedisStream(link, idle_s=0.2)
    for each in (dead, heir):
        await each.join("journal")
    await dead.append([entry(1), entry(2)])
    await dead.read("journal", limit=9, wait_s=0)
    await asyncio.sleep(0.3)  # the lease of the dead
    await heir.append([entry(3)])

    assert [each.seq for _, each in await heir.read("journal", limit=9, wait_s=0)] == [1, 2, 3]


class BreaksOnce(RedisLink):
    """A connection that breaks in the midst of looking for what the dead had in hand."""

    claims = 0

    async def do(self, *command: Any, within_s: float | None = None) -> Any:
        self.claims += command[0] == "XAUTOCLAIM"
        if self.claims == SHARDS:
            self.claims += 1
            raise StateUnavailable("broken")
        return await super().do(*command, within_s=within_s)


async def test_what_a_reader_had_found_of_the_dead_when_its_connection_broke_is_not_lost(
    link: RedisLink, server: RedisServer
) -> None:
    dead = RedisStream(link, idle_s=0.1)
    await dead.join("journal")
    calls = {f"call-{n}" for n in range(40)}
    for call in calls:
        await dead.append([entry(1, call)])
    await dead.read("journal", limit=99, wait_s=0)
    await asyncio.sleep(0.2)  # the lease of the dead
    breaks = BreaksOnce(RedisAddress.parse(server.url), budget_s=PATIENT_S)
    heir = RedisStream(breaks, idle_s=0.1)
    await heir.join("journal")
    with pytest.raises(StateUnavailable):
        await heir.read("journal", limit=99, wait_s=0)
    await asyncio.sleep(0.2)  # until it looks again
    found = await heir.read("journal", limit=99, wait_s=0)
    await breaks.close()

    assert {each.call_ref for _, each in found} == calls


async def test_what_a_reader_is_slow_with_comes_again_without_what_it_has_done(link: RedisLink) -> None:
    stream = RedisStream(link, idle_s=0.2)
    await stream.join("journal")
    await stream.append([entry(1), entry(2), entry(3)])
    first, *_ = await stream.read("journal", limit=9, wait_s=0)
    await stream.acknowledge("journal", [first[0]])
    await asyncio.sleep(0.3)  # what is in hand for so long is taken from its reader, here from itself

    assert [each.seq for _, each in await stream.read("journal", limit=9, wait_s=0)] == [2, 3]


async def test_entries_go_when_they_are_old_and_every_durable_group_has_them(
    link: RedisLink, server: RedisServer
) -> None:
    stream = RedisStream(link, kept_s=0)
    for group in ("journal", "encounters"):
        await stream.join(group)
    for n in range(1000):
        await stream.append([entry(n)])
    mine = [position for position, _ in await stream.read("journal", limit=1000, wait_s=0)]
    await stream.acknowledge("journal", mine)
    await stream.trim()
    assert kept(server) == 1000, "one group has still to read them"

    theirs = [position for position, _ in await stream.read("encounters", limit=1000, wait_s=0)]
    await stream.acknowledge("encounters", theirs[:-1])
    await stream.trim()
    assert 1 <= kept(server) <= 200, "what is in somebody's hand stays, and what shares its page"
    assert [each.seq for _, each in await stream.read("encounters", limit=9, wait_s=0)] == [999]


async def test_young_entries_stay_for_readers_that_nobody_waits_for(link: RedisLink, server: RedisServer) -> None:
    stream = RedisStream(link)
    await stream.join("journal")
    for n in range(1000):
        await stream.append([entry(n)])
    await stream.acknowledge("journal", [place for place, _ in await stream.read("journal", limit=1000, wait_s=0)])
    await stream.trim()

    assert kept(server) == 1000


async def test_reader_goes_on_when_redis_came_back_empty(link: RedisLink, server: RedisServer) -> None:
    stream = RedisStream(link)
    await stream.join("journal")
    server.client.flushall()
    await stream.append([entry(1)])

    assert [each.seq for _, each in await stream.read("journal", limit=9, wait_s=PATIENT_S)] == [1]


async def test_commit_is_on_a_replica_before_it_is_answered_and_a_lost_replica_costs_one_wait() -> None:
    with or_skip(), RedisWithSentinel() as servers:
        patient, hasty = (RedisLink(RedisAddress.parse(servers.url), budget_s=each) for each in (PATIENT_S, 2.0))

        async def commit(call_ref: str, link: RedisLink) -> None:
            states = RedisStates(link)
            assert await states.commit(call_ref, None, Stored(Version(1, 1), b"v", b"k"), (), keep_s=99, due_s=None)

        for n in range(50):
            await commit(f"call-{n}", patient)
            assert servers.replica.client.exists(call_key(f"call-{n}"))
        servers.replica.kill()
        waits = servers.master.client.info("commandstats")["cmdstat_wait"]["calls"]
        for n in range(50, 80):
            await commit(f"call-{n}", hasty)
        assert servers.master.client.info("commandstats")["cmdstat_wait"]["calls"] - waits <= 3, "not one for each"
        await patient.close()
        await hasty.close()


async def test_connection_is_encrypted_and_the_certificate_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path)
    files = ("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate)
    with or_skip(), RedisServer("--tls-auth-clients", "no", *map(str, files), tls=certificate) as server:
        address = RedisAddress.parse(server.url)
        for trusted in (False, True):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            link = RedisLink(address, budget_s=PATIENT_S)
            states = RedisStates(link)
            if trusted:
                assert await states.read("call") is None
            else:
                with pytest.raises(StateUnavailable):
                    await states.read("call")
            await link.close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody else trusts, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate, key = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, *plain))
    return certificate, key


async def test_everything_of_a_call_stands_in_one_hash_slot() -> None:
    for call_ref in ("a", "b" * 40, "c.1.2"):
        tag = call_key(call_ref).split("}")[0]
        assert events_key(shard_of(call_ref)).split("}")[0] == tag


async def test_call_stays_in_its_shard_for_ever() -> None:
    assert [shard_of(f"call-{n}") for n in range(8)] == [6, 0, 2, 4, 7, 1, 3, 5]


async def test_server_that_hangs_costs_the_budget_and_no_more(server: RedisServer) -> None:
    link = RedisLink(RedisAddress.parse(server.url), budget_s=0.25)
    states = RedisStates(link)
    await states.read("call")
    server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(StateUnavailable):
            await states.commit("call", None, Stored(Version(1, 1), b"v", b"k"), (), keep_s=9, due_s=None)
        await RedisNudges(link).send("call")
        assert time.monotonic() - began < 5, "two budgets, and room for a busy machine"
    finally:
        server.resume()
        await link.close()


async def test_server_that_answers_is_not_away_because_work_waits_for_its_turn(server: RedisServer) -> None:
    budget_s, turns = 0.5, Turns(3600.0)
    link = RedisLink(RedisAddress.parse(server.url), budget_s=budget_s)
    await link.do("PING")
    with turns.caller():
        asking = asyncio.create_task(turns.giving_way(link.do("PING")))
        await asyncio.sleep(1.5 * budget_s)
        assert not asking.done()
    assert await asking
    await link.close()


async def test_server_that_refuses_us_says_nothing_of_address_or_password(server: RedisServer) -> None:
    address = RedisAddress.parse(f"redis://:wrong-{PASSWORD}@127.0.0.1:{server.port}")
    link = RedisLink(address, budget_s=PATIENT_S)
    with pytest.raises(StateUnavailable) as refused:
        await RedisStates(link).read("call")
    await link.close()

    assert PASSWORD not in f"{refused.value}{refused.value.__cause__}{address}"
    assert str(server.port) not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "name"),
    [
        ("redis://localhost", "alone", (("localhost", 6379),), ""),
        ("rediss://:secret@redis.example:6380/2", "alone", (("redis.example", 6380),), "2"),
        ("redis+sentinel://one,two:26380/calls", "sentinel", (("one", 26379), ("two", 26380)), "calls"),
        ("rediss+cluster://me:p%40ss@[::1]:7000,two:7001", "cluster", (("::1", 7000), ("two", 7001)), ""),
    ],
)
def test_address_is_read(url: str, kind: str, hosts: tuple[tuple[str, int], ...], name: str) -> None:
    address = RedisAddress.parse(url)

    assert (address.kind, address.hosts, address.name) == (kind, hosts, name)
    assert address.tls == url.startswith("rediss")
    assert address.password in (None, "secret", "p@ss")


@pytest.mark.parametrize(
    "url",
    ["", "http://secret", "redis+sentinel://secret", "redis://secret,other", "redis://secret/calls", "redis://:x"],
)
def test_address_that_cannot_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        RedisAddress.parse(url)
    assert "secret" not in str(refused.value)
