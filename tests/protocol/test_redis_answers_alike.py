"""Every commit that the exploration came across: Redis answers it as the store inside the process does."""

from __future__ import annotations

import pytest

from infra.redis import RedisAddress, RedisLink
from infra.redis_state import RedisStates
from tests.missing import or_skip
from tests.protocol.explore import explore
from tests.protocol.moves import Rules
from tests.protocol.state import started
from tests.protocol.stores import RealStore, ask
from tests.redis_server import RedisServer


@pytest.mark.slow
async def test_redis_answers_every_commit_of_the_exploration_alike() -> None:
    explored = RealStore()
    explore(started(2, faults=1), Rules(explored))
    with or_skip(), RedisServer() as server:
        link = RedisLink(RedisAddress.parse(server.url), budget_s=10.0)
        try:
            for number, (question, answer) in enumerate(explored.answers.items()):
                assert await ask(RedisStates(link), f"call-{number}", *question) == answer, question
        finally:
            await link.close()
    assert len(explored.answers) > 300
