"""Sources of plans in their own time, as the service reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from careplans.sources.files import FolderSource
from careplans.sources.model import Batch, Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.schedule import Exclusive, Schedule, Scheduled
from infra.health import Health
from infra.lease import MemoryLeases
from infra.migrate import upgrade_database
from infra.numbers import read_number
from tests.plan_world import SYSTEM, HandClock, Script, gone, plan

TRUST = Sender("trust", SYSTEM)


class TestSchedule:
    """Each source in its own time; one that fails stops no other."""

    async def test_a_failing_source_is_told_and_the_other_goes_on(self, runs: PlanRuns, clock: HandClock) -> None:
        health = Health(clock)
        broken = FolderSource(Path("/nowhere"), clock, system="Other", whole=False)
        day = timedelta(days=1)
        sources = [
            Scheduled(Sender("broken", "Other"), broken, 60, day),
            Scheduled(TRUST, Script([[[plan(101)]]]), 60, day),
        ]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        await schedule.step(60)
        parts = {part.name: (part.state, part.why) for part in health.parts()}
        assert parts == {
            "plan-source:broken": ("failed", "plan_source_refused"),
            "plan-source:trust": ("ok", ""),
        }
        before = len(await runs.runs())
        await schedule.step(0)  # none is due
        assert len(await runs.runs()) == before

    async def test_a_held_run_is_told_until_a_person_decides_and_a_source_that_is_late_too(
        self, runs: PlanRuns, clock: HandClock
    ) -> None:
        health = Health(clock)
        posts = Sender("posts", SYSTEM)
        day = timedelta(days=1)
        late = Sender("late", "Late")
        sources = [Scheduled(posts), Scheduled(late, Script([]), 60, day)]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        await runs.run(posts, Script([[[plan(101)]]]))
        (held,) = await runs.run(posts, Script([[[plan(101)]], [[gone(1, "P101")]]]))

        async def why() -> dict[str, str]:
            clock.move(seconds=61)
            await schedule.step(60)
            return {part.name: part.why for part in health.parts()}

        assert await why() == {"plan-source:posts": "run_held", "plan-source:late": ""}
        await runs.refuse(held.run.id)
        assert (await why())["plan-source:posts"] == ""
        sources[1].by_delivery = True  # it owes full lists, and none has come
        assert (await why())["plan-source:late"] == "stale"
        sources[1].source = Script([[[plan(102, source="Late")]]])
        assert (await why())["plan-source:late"] == ""
        clock.move(days=2)
        assert (await why())["plan-source:late"] == "stale"

    async def test_a_slow_source_stops_no_other_and_is_told_to_be_stale_while_it_is_read(
        self, runs: PlanRuns, clock: HandClock
    ) -> None:
        health, forever = Health(clock), asyncio.Event()

        class Slow:
            async def read(self, cursor: str) -> AsyncIterator[Batch]:
                await forever.wait()
                yield Batch((), cursor, first=True, last=True)

        day = timedelta(days=1)
        quick = Scheduled(TRUST, Script([[[plan(101)]]]), 60, day)
        sources = [Scheduled(Sender("slow", "Slow"), Slow(), 60, day), quick]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        running = asyncio.create_task(schedule.run())
        try:
            async with asyncio.timeout(60):
                while quick.due_s <= clock.monotonic():  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
                clock.move(seconds=61)
                while quick.due_s <= clock.monotonic():  # noqa: ASYNC110 - nor of this
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        parts = {part.name: part.why for part in health.parts()}
        assert parts == {"plan-source:slow": "stale", "plan-source:trust": ""}

    async def test_the_service_reads_the_sources_of_its_settings(self, tmp_path: Path) -> None:
        from callrouter.running import running
        from callrouter.settings import Settings
        from callrouter.wiring import build

        drop = tmp_path / "drop"
        drop.mkdir()
        (drop / "a.ndjson").write_text(json.dumps(dict(plan(101).values)))
        (drop / "a.ndjson.done").touch()
        file = tmp_path / "sources.yaml"
        file.write_text(
            f"sources:\n- {{kind: folder, name: trust, system: {SYSTEM}, folder: {drop}, delivers: changes}}\n"
        )
        settings = Settings(data_dir=tmp_path / "data", plan_sources_file=file)
        service = build(settings)
        await upgrade_database(service.database)
        async with running(service):
            async with asyncio.timeout(60):
                while not service.health.works("plan-source:trust"):  # noqa: ASYNC110 - the register tells no one
                    await asyncio.sleep(0.05)
            assert (await service.plans.match_number(read_number("07700 900101"))).people == 1
