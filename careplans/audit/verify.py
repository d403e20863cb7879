"""Whether the audit is as it was written: every hash, every number, and every length that was ever signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from careplans.audit.chain import Head, hash_of, head_of
from careplans.audit.heads import HeadSigner, SignedHead, is_signed
from careplans.audit.tables import audit_heads, plan_audit
from infra.hash_chain import START
from infra.sql import insert_once

CHUNK = 1000
UNSIGNED = timedelta(minutes=5)
"""An entry that has stood this long without a signature over it: nobody signs, or what was signed was taken away."""


@dataclass(slots=True)
class Verdict:
    """What was read, and what is wrong with it. ``signed_to``: the greatest length that a right signature covers."""

    length: int = 0
    head: str = START
    signed_to: int = 0
    faults: list[str] = field(default_factory=list)


def verify(connection: Connection, elsewhere: Iterable[SignedHead], publics: Sequence[bytes], now: datetime) -> Verdict:
    """Read the whole chain and hold it against its hashes, and against the heads kept here and ``elsewhere``."""
    verdict = Verdict()
    kept = [SignedHead(**row) for row in connection.execute(select(audit_heads)).mappings()]
    heads = [*elsewhere, *kept]
    good = [each for each in heads if is_signed(each, publics)]
    forged = len(heads) - len(good)
    if forged:
        verdict.faults.append(f"{forged} signed head(s) bear no signature of a known key")
    promised: dict[int, set[str]] = {}
    for each in good:
        promised.setdefault(each.length, set()).add(each.head)
    newest = _walk(connection, Head(0, START), verdict, promised)
    _judge_end(verdict, good, newest, now)
    return verdict


def _walk(
    connection: Connection, start: Head, verdict: Verdict, promised: Mapping[int, set[str]]
) -> Mapping[str, Any] | None:
    verdict.length, verdict.head = start.length, start.head
    row: Mapping[str, Any] | None = None
    for row in _rows(connection, start.length):
        seq: int = row["seq"]
        if seq != verdict.length + 1:
            verdict.faults.append(f"entries {verdict.length + 1} to {seq - 1} are missing")
        if hash_of(verdict.head, row) != row["hash"]:
            verdict.faults.append(f"entry {seq} was changed, or what stood before it")
        verdict.length, verdict.head = seq, row["hash"]  # go on from what stands there: one change is one fault
        if promised.get(seq, {verdict.head}) != {verdict.head}:
            verdict.faults.append(f"entry {seq} is not the one that was signed: the chain was written anew")
    return row


def _judge_end(verdict: Verdict, good: Sequence[SignedHead], newest: Mapping[str, Any] | None, now: datetime) -> None:
    last = max(good, key=lambda each: each.length, default=None)
    if last is not None:
        verdict.signed_to = last.length
        if last.length > verdict.length:
            when = last.at.isoformat(timespec="seconds")
            verdict.faults.append(f"the chain ends with entry {verdict.length}; at {when} it had {last.length}")
    if newest is not None and verdict.signed_to < verdict.length and now - newest["at"] > UNSIGNED:
        verdict.faults.append(f"nothing after entry {verdict.signed_to} is signed: does the service run?")


def _rows(connection: Connection, after: int) -> Iterator[Mapping[str, Any]]:
    while True:
        query = select(plan_audit).where(plan_audit.c.seq > after).order_by(plan_audit.c.seq).limit(CHUNK)
        rows = connection.execute(query).mappings().all()
        for row in rows:
            yield dict(row)
        if len(rows) < CHUNK:
            return
        after = rows[-1]["seq"]


class ChainBroken(Exception):
    """What was added since the last signature does not hang on what was signed: tell somebody, and sign nothing."""


def next_head(connection: Connection, signer: HeadSigner, now: datetime) -> SignedHead | None:
    """The end of the chain, signed; None if it is signed already. It is for the caller of this function to keep.

    Only what hangs on the end that was signed before, by this key or one before it, is signed: raises
    :class:`ChainBroken`, else a rewritten chain would be given a good name.
    """
    newest = select(audit_heads).order_by(audit_heads.c.length.desc()).limit(1)
    row = connection.execute(newest).mappings().one_or_none()
    if row is not None and not is_signed(SignedHead(**row), signer.publics):
        raise ChainBroken(f"the end that is noted at entry {row['length']} bears no signature of a known key")
    before = Head(0, START) if row is None else Head(row["length"], row["head"])
    if head_of(connection) == before:
        return None
    verdict = Verdict()
    _walk(connection, before, verdict, {})
    if verdict.faults or verdict.length <= before.length:
        raise ChainBroken(f"the audit does not go on from entry {before.length} as it was signed")
    return signer.sign(Head(verdict.length, verdict.head), now)


def keep_head(connection: Connection, signed: SignedHead) -> None:
    """Note in the database what was signed."""
    values = {name: getattr(signed, name) for name in ("length", "head", "at", "key", "signature")}
    connection.execute(insert_once(audit_heads, connection.dialect.name), [values])
