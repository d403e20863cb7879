"""The audit of plans shows every change to it: a row changed, taken away, put in, a tail cut, a chain made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from careplans.audit.chain import What, hash_of, head_of
from careplans.audit.heads import HeadFile, HeadSigner, SignedHead, read_heads
from careplans.audit.keeping import HEADS, HeadLoop
from careplans.audit.tables import audit_heads, plan_audit
from careplans.audit.trail import AuditTrail
from careplans.audit.verify import ChainBroken, Verdict, next_head, verify
from careplans.model import Viewer
from infra.crypto import KeyRing
from infra.hash_chain import START
from infra.health import Health
from infra.sql import Database

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
CLIVE = Viewer("clive", "clinician")


@dataclass
class HandClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass
class Chain:
    """An audit, its signer, and a file on another disk."""

    database: Database
    file: Path
    clock: HandClock = field(default_factory=HandClock)
    signer: HeadSigner = field(default_factory=lambda: HeadSigner(b"s" * 32))

    def __post_init__(self) -> None:
        self.trail = AuditTrail(self.database, KeyRing(b"m" * 32, b"i" * 32), self.clock)
        self.health = Health(self.clock)
        self.heads = HeadLoop(self.database, self.signer, [HeadFile(self.file)], self.clock, self.health)

    async def grow(self, count: int = 3) -> None:
        for number in range(count):
            self.clock.at += timedelta(seconds=1)
            await self.trail.record(CLIVE, self.trail.entries(CLIVE, What.OPENED, [f"plan {number}"]))

    async def sign(self) -> None:
        await self.heads.sign(self.clock.now())

    async def tamper(self, *statements: object) -> None:
        """Change rows as somebody can who owns the tables: the triggers are no secret to them."""

        def change(connection: Connection) -> None:
            for trigger in ("plan_audit_kept", "plan_audit_stays"):
                table = " ON plan_audit" if connection.dialect.name == "postgresql" else ""
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}{table}")
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

        await self.database.write(change)

    async def make_anew(self, change: Callable[[dict[str, object]], None]) -> None:
        """Every row once more, one of them changed, with hashes that fit."""

        def rows(connection: Connection) -> list[dict[str, object]]:
            found = connection.execute(select(plan_audit).order_by(plan_audit.c.seq)).mappings()
            return [dict(row) for row in found]

        before, new = START, await self.database.read(rows)
        change(new[1])
        for row in new:
            row["hash"] = before = hash_of(before, row)
        await self.tamper(delete(plan_audit), insert(plan_audit).values(new))

    async def verdict(self) -> Verdict:
        elsewhere = read_heads(self.file)[0] if self.file.exists() else []
        public, now = [self.signer.public], self.clock.now()
        return await self.database.read(lambda connection: verify(connection, elsewhere, public, now))

    async def faults(self) -> str:
        return "; ".join((await self.verdict()).faults)


@pytest.fixture
def chain(database: Database, tmp_path: Path) -> Chain:
    return Chain(database, tmp_path / "elsewhere" / "heads")


async def test_a_chain_as_it_was_written_has_no_fault(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.grow()
    verdict = await chain.verdict()
    assert (verdict.length, verdict.signed_to, verdict.faults) == (6, 3, [])


async def test_rows_cannot_be_changed_or_taken_away_in_passing(chain: Chain) -> None:
    await chain.grow()
    for statement in (update(plan_audit).values(role="handler"), delete(plan_audit)):
        with pytest.raises(DBAPIError, match="kept as it is"):
            await chain.database.write(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]


async def test_a_changed_field_is_found_whichever_it_is(chain: Chain) -> None:
    await chain.grow()
    second = select(plan_audit).where(plan_audit.c.seq == 2)
    good = dict(await chain.database.read(lambda connection: connection.execute(second).mappings().one()))
    changes = {"role": "handler", "plan": None, "at": NOON, "what": "refused", "actor": "0" * 64, "late": True,
               "call_ref": "x", "attempt": "x", "about": "x", "entry": "x", "hash": "0" * 64}  # fmt: skip
    assert changes.keys() == good.keys() - {"seq"}
    for name, value in changes.items():
        await chain.tamper(update(plan_audit).where(plan_audit.c.seq == 2).values({name: value}))
        assert "was changed" in await chain.faults(), name
        await chain.tamper(update(plan_audit).where(plan_audit.c.seq == 2).values({name: good[name]}))
    assert await chain.faults() == ""


async def test_a_row_that_was_taken_away_is_found(chain: Chain) -> None:
    await chain.grow(4)
    await chain.tamper(delete(plan_audit).where(plan_audit.c.seq.in_([2, 3])))
    assert "entries 2 to 3 are missing" in await chain.faults()


async def test_a_gap_that_was_closed_by_numbering_anew_is_found(chain: Chain) -> None:
    await chain.grow()
    await chain.tamper(
        delete(plan_audit).where(plan_audit.c.seq == 2), update(plan_audit).where(plan_audit.c.seq == 3).values(seq=2)
    )
    assert "entry 2 was changed" in await chain.faults()


async def test_two_rows_that_changed_places_are_found(chain: Chain) -> None:
    await chain.grow()
    swaps = [(1, 9), (2, 1), (9, 2)]
    await chain.tamper(*(update(plan_audit).where(plan_audit.c.seq == a).values(seq=b) for a, b in swaps))
    assert "entry 1 was changed" in await chain.faults()


async def test_a_cut_tail_is_found_by_what_was_signed(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.tamper(delete(plan_audit).where(plan_audit.c.seq == 3))
    assert "the chain ends with entry 2" in await chain.faults()


async def test_a_cut_tail_is_found_also_when_the_signed_ends_beside_it_are_gone(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.tamper(delete(plan_audit).where(plan_audit.c.seq == 3), delete(audit_heads))
    assert "the chain ends with entry 2" in await chain.faults()


async def test_a_chain_that_is_gone_altogether_is_found(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.tamper(delete(plan_audit), delete(audit_heads))
    assert "the chain ends with entry 0" in await chain.faults()


async def test_a_chain_that_was_made_anew_is_found_by_what_was_signed(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.make_anew(lambda row: row.update(role="handler"))
    assert await chain.faults() == "entry 3 is not the one that was signed: the chain was written anew"


async def test_a_chain_that_was_made_anew_is_not_signed(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.make_anew(lambda row: row.update(role="handler"))
    await chain.grow(1)
    with pytest.raises(ChainBroken):
        await chain.heads.step(0)
    assert chain.health.failing_s() == {HEADS: 0.0}
    assert not chain.health.works(HEADS)


async def test_a_chain_that_was_made_anew_and_signed_anew_differs_from_what_is_kept_elsewhere(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.make_anew(lambda row: row.update(role="handler"))
    await chain.tamper(delete(audit_heads))
    await chain.grow(1)
    await chain.sign()  # our own signer cannot know; the other disk does
    assert "entry 3 is not the one that was signed" in await chain.faults()


async def test_nothing_is_built_on_an_end_that_no_known_key_signed(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.grow(1)
    await chain.make_anew(lambda row: row.update(role="handler"))
    forged = HeadSigner(b"x" * 32).sign(await chain.database.read(head_of), NOON)
    await chain.tamper(insert(audit_heads).values(asdict(forged)))
    await chain.grow(1)
    with pytest.raises(ChainBroken):
        await chain.heads.step(0)
    assert not chain.health.works(HEADS)


async def test_after_a_change_of_the_signing_key_it_goes_on_from_what_the_one_before_signed(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.grow(1)
    newer = HeadSigner(b"n" * 32, [chain.signer.public])
    signed = await chain.database.read(lambda connection: next_head(connection, newer, chain.clock.now()))
    assert signed is not None
    assert signed.length == 4
    with pytest.raises(ChainBroken):
        await chain.database.read(lambda connection: next_head(connection, HeadSigner(b"n" * 32), chain.clock.now()))


async def test_a_head_that_another_key_signed_is_found(chain: Chain) -> None:
    await chain.grow()
    forged = HeadSigner(b"x" * 32).sign(await chain.database.read(head_of), NOON)
    await HeadFile(chain.file).keep(forged)
    assert "no signature of a known key" in await chain.faults()


async def test_a_head_with_another_length_under_a_good_signature_is_found(chain: Chain) -> None:
    await chain.grow()
    await chain.sign()
    await chain.tamper(update(audit_heads).values(length=2))
    assert "no signature of a known key" in await chain.faults()


async def test_what_nobody_signs_is_told(chain: Chain) -> None:
    await chain.grow()
    chain.clock.at += timedelta(minutes=6)
    assert "nothing after entry 0 is signed" in await chain.faults()


async def test_each_minute_is_signed_if_anything_was_added_and_kept_elsewhere(chain: Chain) -> None:
    await chain.grow()
    for _ in range(130):
        await chain.heads.step(0)
        chain.clock.at += timedelta(seconds=1)
    await chain.grow(1)
    chain.clock.at += timedelta(minutes=1)
    await chain.heads.step(0)
    kept, odd = read_heads(chain.file)
    assert ([each.length for each in kept], odd) == ([3, 4], [])
    rows = select(audit_heads).order_by(audit_heads.c.length)
    stored = await chain.database.read(
        lambda connection: [SignedHead(**row) for row in connection.execute(rows).mappings()]
    )
    assert stored == kept


async def test_what_cannot_be_kept_elsewhere_is_not_called_signed(chain: Chain, tmp_path: Path) -> None:
    await chain.grow()
    (tmp_path / "elsewhere").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="elsewhere"):
        await chain.heads.step(0)
    assert not chain.health.works(HEADS)
    (tmp_path / "elsewhere").unlink()
    await chain.heads.step(0)
    assert [each.length for each in read_heads(chain.file)[0]] == [3]
    assert chain.health.works(HEADS)


async def test_writers_side_by_side_make_one_chain(chain: Chain) -> None:
    await asyncio.gather(*(chain.grow(5) for _ in range(4)))
    verdict = await chain.verdict()
    assert (verdict.length, verdict.faults) == (20, [])
