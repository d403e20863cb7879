"""Whether the keys at hand are those that stored plans stand under: with others no look-up finds them.

Each row says under which index key it is, so nothing more is kept. Asked is for the least id of a key below, between
and above the known ones, which an index answers at once, however many plans there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select

from careplans.errors import KeysDoNotFit
from careplans.sealing import Sealer
from careplans.tables import ended_plans, plans
from infra.sql import Database


async def check_keys(database: Database, sealer: Sealer) -> None:
    """Raises :class:`KeysDoNotFit` where a plan in force is under an index key that is not known here.

    So it does where the master key of a plan, whichever is found first, is not known. Without any plan every key fits.
    """
    keys = sealer.index_keys
    (row,) = await database.poll(_strange(len(keys)), _asked(keys))
    _judge(sealer, row)


def require_fitting_keys(connection: Connection, sealer: Sealer) -> None:
    """As :func:`check_keys`, of withdrawn plans, too: for whoever is about to write, or has found nobody.

    A plan written under other keys would stand beside what is stored of the same person and the same plan.
    """
    keys = sealer.index_keys
    _judge(sealer, connection.execute(_strange(len(keys), withdrawn=True), _asked(keys)).one())


def _judge(sealer: Sealer, row: Sequence[Any]) -> None:
    strange, wrapped_key = row
    if strange is not None or not (wrapped_key is None or sealer.has_master(wrapped_key)):
        raise KeysDoNotFit


def _asked(keys: Sequence[str]) -> dict[str, str]:
    return {f"key{at}": each for at, each in enumerate(sorted(keys))}


@lru_cache(maxsize=8)
def _strange(keys: int, *, withdrawn: bool = False) -> Select[Any]:
    """The id of an index key that is none of so many, and a wrapped data key of any plan: each NULL if there is none.

    Written with ``min``, for which PostgreSQL takes the index also where it knows nothing of the table yet.
    """
    # of what was erased there is nothing left that could come under another key
    stored = [(plans, []), (ended_plans, [ended_plans.c.wrapped_key.is_not(None)])][: 1 + withdrawn]
    edges = [None, *(bindparam(f"key{at}", type_=plans.c.index_key.type) for at in range(keys)), None]
    gaps = []
    for table, such in stored:
        key = table.c.index_key
        for above, below in pairwise(edges):
            within = [*such, *([] if above is None else [key > above]), *([] if below is None else [key < below])]
            gaps.append(select(func.min(key)).where(*within).scalar_subquery())
    anyone = select(plans.c.wrapped_key).limit(literal_column("1")).scalar_subquery()
    return select(func.coalesce(*gaps), anyone)
