"""Plans read by id, and what a database that fails means to whoever asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from careplans.errors import PlanStoreFailed
from careplans.store import SealedPlan, plans_by_id, with_twins
from infra.sql import Database

_ROW_ID = re.compile("[0-9a-f]{32}")

_log = structlog.get_logger(__name__)


async def read_plans(database: Database, ids: Sequence[str]) -> list[SealedPlan]:
    """The stored plans of these ids, newest first, then what other sources say in the same words.

    Raises :class:`PlanStoreFailed`.
    """
    # What is no id of ours may be anything, a name too: it goes neither to the database nor to its log.
    ours = [each for each in ids if _ROW_ID.fullmatch(each)]
    with store_errors():
        return await database.read(lambda connection: with_twins(connection, plans_by_id(connection, ours)))


@contextmanager
def store_errors() -> Iterator[None]:
    """Whatever the database raises becomes :class:`PlanStoreFailed`."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        _log.error("plan_store_failed", error=type(error).__name__)
        raise PlanStoreFailed("the plan database did not answer; nothing was changed") from error
