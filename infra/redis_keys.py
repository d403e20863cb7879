"""The names of everything that the service keeps in Redis.

A call belongs to one of :data:`SHARDS` shards, by its reference. The shard's tag in braces puts the call, its due
time and its events in one hash slot of a Cluster, so that a commit is one step (docs/adr/0006).
"""

from __future__ import annotations

from zlib import crc32

SHARDS = 8
"""Fixed for ever: a call is found through it. More than the nodes that state of this size could need."""

LISTEN = "cr:nudges"


def shard_of(call_ref: str) -> int:
    """The shard of a call: the same in every process and every version."""
    return crc32(call_ref.encode()) % SHARDS


def call_key(call_ref: str) -> str:
    """The hash that holds a call's state."""
    return f"{calls_prefix(shard_of(call_ref))}{call_ref}"


def calls_prefix(shard: int) -> str:
    """What the keys of a shard's calls begin with."""
    return f"cr:{{s{shard:02}}}:call:"


def due_key(shard: int) -> str:
    """The sorted set of a shard's calls by due time."""
    return f"cr:{{s{shard:02}}}:due"


def events_key(shard: int) -> str:
    """The stream of a shard's events."""
    return f"cr:{{s{shard:02}}}:events"


def name_key(name: str) -> str:
    """The second name of a call."""
    return f"cr:name:{name}"


def lease_key(name: str) -> str:
    """The holder of a lease."""
    return f"cr:lease:{name}"
