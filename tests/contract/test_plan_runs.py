"""The pipeline of the sources keeps its promises on SQLite and PostgreSQL, wherever its process is killed."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from sqlalchemy import Connection, func, select, text

from careplans.audit.people import People
from careplans.audit.tables import plan_audit
from careplans.errors import PlanStoreFailed
from careplans.model import MatchLevel, Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.sources.discards import WhyDiscarded
from careplans.sources.errors import NoSuchRun
from careplans.sources.model import Delivered, RunState, Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import metadata, plan_run_gone, plan_run_seen
from careplans.tables import ended_plans, plans
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_world import SYSTEM, Cut, Cutting, HandClock, Script, gone, of, plan

KEYS = KeyRing(b"m" * 32, b"i" * 32)
TRUST = Sender("trust", SYSTEM)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def runs(database: Database, clock: HandClock) -> PlanRuns:
    return PlanRuns(database, KEYS, clock)


@pytest.fixture
def store(database: Database, clock: HandClock) -> CarePlans:
    return CarePlans(database, KEYS, clock)


async def is_found(store: CarePlans, line: int) -> bool:
    match = await store.match_number(read_number(f"07700 900{line:03}"))
    assert match.outcome is not MatchLevel.UNAVAILABLE
    return match.outcome is MatchLevel.CANDIDATES


class Feed:
    """One source whose deliveries are given one after another."""

    def __init__(self, runs: PlanRuns, sender: Sender = TRUST, *, whole: bool = False) -> None:
        self.runs = runs
        self.sender = sender
        self.script = Script([], whole)

    async def gives(self, *batches: list[Row]) -> Delivered:
        self.script.deliveries = [*self.script.deliveries, batches]
        (delivered,) = await self.runs.run(self.sender, self.script)
        return delivered


async def test_what_is_new_is_taken_once(runs: PlanRuns, store: CarePlans) -> None:
    script = Script([[[plan(101), plan(102)], [plan(103)]], [[plan(101, version=4)]]])
    first, second = [each.run for each in await runs.run(TRUST, script)]
    assert (first.state, first.records, first.imported, second.updated) == (RunState.DONE, 3, 3, 1)
    assert await runs.run(TRUST, script) == []
    assert await is_found(store, 103)


async def test_a_late_older_update_changes_nothing_and_a_time_is_a_version(runs: PlanRuns) -> None:
    feed = Feed(runs)
    await feed.gives([plan(101, version="2026-06-01T12:00:00Z")])
    late = await feed.gives([plan(101, version="2026-06-01T12:59:59.999+01:00")])
    newer = await feed.gives([plan(101, version="2026-06-01T13:00:00.001+01:00")])
    assert (late.run.unchanged, newer.run.updated) == (1, 1)


async def test_a_withdrawal_is_honoured_within_its_run_and_nothing_older_brings_the_plan_back(
    runs: PlanRuns, store: CarePlans
) -> None:
    feed = Feed(runs, Sender("trust", SYSTEM, most_withdrawn=1.0))
    await feed.gives([plan(101), plan(102)])
    taken = await feed.gives([gone(1, "P101", 4)], [plan(101, version=4)])
    assert (taken.run.withdrawn, await is_found(store, 101), await is_found(store, 102)) == (1, False, True)
    await feed.gives([plan(101, version=3)])
    assert not await is_found(store, 101)
    await feed.gives([plan(101, version=5)])
    assert await is_found(store, 101)


async def test_what_a_full_list_lacks_is_withdrawn_and_comes_back_when_it_is_listed_again(
    runs: PlanRuns, store: CarePlans
) -> None:
    feed = Feed(runs, whole=True)
    all_rows = [plan(line) for line in range(100, 140)]
    await feed.gives(all_rows[:25], all_rows[25:])
    shorter = await feed.gives(all_rows[2:])
    assert (shorter.run.withdrawn, shorter.run.unchanged) == (2, 38)
    assert not await is_found(store, 100)
    again = await feed.gives(all_rows)
    assert (again.run.imported, again.run.withdrawn) == (2, 0)
    assert await is_found(store, 100)


class TestFivePerCent:
    """ "A run that would withdraw over 5 % of a source's plans is held for a person." (docs/safety/rules.md, 7)"""

    async def test_exactly_five_per_cent_is_not_over(self, runs: PlanRuns) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(line) for line in range(100, 140)])
        assert (await feed.gives([plan(line) for line in range(102, 140)])).run.state is RunState.DONE

    async def test_more_is_held_and_all_of_it_stays_until_a_person_releases_it(
        self, runs: PlanRuns, store: CarePlans
    ) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(line) for line in range(100, 140)])
        held = (await feed.gives([plan(line) for line in range(103, 141)])).run
        assert (held.state, held.why, held.would_withdraw, held.in_force) == (RunState.HELD, "too_many", 3, 41)
        assert await is_found(store, 100)
        assert await is_found(store, 140)  # what it brought is loaded
        released = await runs.release(held.id)
        assert (released.state, released.withdrawn, await is_found(store, 100)) == (RunState.DONE, 3, False)
        with pytest.raises(NoSuchRun):
            await runs.release(held.id)

    async def test_a_person_may_refuse_it(self, runs: PlanRuns, store: CarePlans) -> None:
        feed = Feed(runs)
        await feed.gives([plan(101), plan(102)])
        held = (await feed.gives([gone(1, "P101")])).run
        assert (held.state, held.would_withdraw) == (RunState.HELD, 1)
        assert (await runs.refuse(held.id)).state is RunState.REFUSED
        assert await is_found(store, 101)
        with pytest.raises(NoSuchRun):
            await runs.refuse(held.id)

    async def test_an_empty_list_withdraws_nobody(self, runs: PlanRuns, store: CarePlans) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(101)])
        assert (await feed.gives([])).run.state is RunState.HELD
        assert await is_found(store, 101)

    async def test_a_newer_full_list_takes_the_place_of_one_that_waits(self, runs: PlanRuns, store: CarePlans) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(101), plan(102)])
        held = (await feed.gives([plan(101)])).run
        assert (await feed.gives([plan(101), plan(102)])).run.state is RunState.DONE
        assert [each.state for each in await runs.runs("trust") if each.id == held.id] == [RunState.SUPERSEDED]
        assert await is_found(store, 102)

    async def test_of_another_source_nothing_is_missing(self, runs: PlanRuns, store: CarePlans) -> None:
        await Feed(runs, Sender("other", "Other Trust")).gives(of("Other Trust", [plan(101)]))
        assert (await Feed(runs, whole=True).gives([])).run.withdrawn == 0
        assert await is_found(store, 101)


class TestQuarantine:
    """What cannot be read goes to a quarantine with the reason, and the rest is loaded."""

    async def test_it_holds_line_field_and_reason_and_no_value(self, runs: PlanRuns, database: Database) -> None:
        bad = plan(102, kind="Zzkind", given_name="Zzcanary")
        delivered = await Feed(runs).gives([plan(101), bad, plan(103)])
        assert (delivered.run.imported, delivered.run.refused) == (2, 1)
        (record,) = await runs.quarantined("trust")
        assert (record.line, record.faults) == (102, (("kind", "is neither a known kind of plan nor its SNOMED code"),))
        tables = metadata.sorted_tables
        rows = await database.read(lambda connection: [connection.execute(select(table)).all() for table in tables])
        assert not any("zz" in repr(tuple(row)).lower() for table in rows for row in table)

    async def test_the_same_record_corrected_leaves(self, runs: PlanRuns) -> None:
        feed = Feed(runs)
        await feed.gives([plan(101, kind="?")])
        again = await feed.gives([plan(101, kind="?")])
        assert [each.times for each in await runs.quarantined()] == [2]
        assert again.run.refused == 1
        await feed.gives([plan(101)])
        assert await runs.quarantined() == []

    async def test_a_late_older_version_corrects_nothing(self, runs: PlanRuns) -> None:
        feed = Feed(runs)
        await feed.gives([plan(101, kind="?", version=5)])
        await feed.gives([plan(101, version=4)])
        assert len(await runs.quarantined()) == 1

    async def test_a_stored_plan_whose_new_record_is_bad_is_not_missing(self, runs: PlanRuns, store: CarePlans) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(101)])
        listed = await feed.gives([plan(101, version=4, kind="?")])
        assert (listed.run.state, listed.run.withdrawn, await is_found(store, 101)) == (RunState.DONE, 0, True)

    async def test_a_record_without_an_id_may_be_the_one_that_is_missing(self, runs: PlanRuns) -> None:
        feed = Feed(runs, whole=True)
        await feed.gives([plan(line) for line in range(100, 140)])
        listed = await feed.gives([plan(100, plan_id=...), *(plan(line) for line in range(101, 140))])
        assert (listed.run.state, listed.run.why) == (RunState.HELD, "nameless")
        whole = await feed.gives([plan(line) for line in range(100, 140)])
        assert (whole.run.state, await runs.quarantined()) == (RunState.DONE, [])

    async def test_the_same_version_twice_in_different_batches(self, runs: PlanRuns) -> None:
        delivered = await Feed(runs).gives([plan(101)], [plan(102, plan_id="P101")])
        assert (delivered.run.imported, delivered.run.unchanged, delivered.run.refused) == (1, 0, 1)
        assert [(f.line, f.reason) for f in delivered.refused] == [(102, "the same version of it stands on line 101")]

    async def test_a_sender_speaks_for_its_own_system_only(self, runs: PlanRuns, store: CarePlans) -> None:
        other = of("Universal Care Plan", [plan(101)])
        delivered = await Feed(runs).gives([*other, plan(102, source=...)])
        assert [(f.line, f.field) for f in delivered.refused] == [(101, "source")]
        assert (await is_found(store, 101), await is_found(store, 102)) == (False, True)

    @pytest.mark.parametrize("version", [4, "?"])
    async def test_one_that_says_restricted_takes_its_person_out_of_the_number_index(
        self, runs: PlanRuns, store: CarePlans, version: object
    ) -> None:
        feed, other = Feed(runs), Feed(runs, Sender("other", "Other Trust"))
        await other.gives(of("Other Trust", [plan(101)]))
        await feed.gives([plan(101), plan(102)])
        await feed.gives([plan(101, version=version, kind="?", restricted="yes"), plan(102, version=4, kind="?")])
        assert (await is_found(store, 101), await is_found(store, 102)) == (False, True)
        await other.gives(of("Other Trust", [plan(101, version=9)]))
        assert not await is_found(store, 101)
        await feed.gives([plan(101, version=4)])  # read at last, and it says that nobody is restricted
        assert await is_found(store, 101)

    async def test_what_says_restricted_and_is_older_than_what_is_stored_hides_nobody(
        self, runs: PlanRuns, store: CarePlans
    ) -> None:
        feed = Feed(runs)
        await feed.gives([plan(101, version=5)])
        await feed.gives([plan(101, version=4, kind="?", restricted="yes")])
        assert await is_found(store, 101)

    async def test_it_hides_plans_under_an_older_index_key_too(
        self, database: Database, runs: PlanRuns, clock: HandClock
    ) -> None:
        await Feed(runs, Sender("other", "Other Trust")).gives(of("Other Trust", [plan(101)]))
        await Feed(runs).gives([plan(101)])
        both = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])
        store = CarePlans(database, both, clock)
        assert await is_found(store, 101)
        said = Script([[[]], [[plan(101, version=4, kind="?", restricted="yes")]]])
        await PlanRuns(database, both, clock).run(TRUST, said)
        assert not await is_found(store, 101)

    async def test_a_person_may_discard_it_and_the_audit_says_who_and_why_and_nothing_of_it(
        self, runs: PlanRuns, database: Database
    ) -> None:
        await Feed(runs).gives([plan(101, kind="?")])
        (record,) = await runs.quarantined()
        operator = Viewer("zzadministrator", "administrator")
        assert await runs.discard(record.id, WhyDiscarded.CORRECTED, operator)
        assert not await runs.discard(record.id, WhyDiscarded.CORRECTED, operator)
        assert await runs.quarantined() == []
        (told,) = await runs.discarded("trust")
        assert (told.record, told.source, told.why) == (record.id, "trust", "corrected_at_source")
        assert told.by == People(KEYS).actor("zzadministrator")
        assert await runs.discarded("other") == []
        (entry,) = await database.read(lambda connection: connection.execute(select(plan_audit)).all())
        assert (entry.what, entry.plan, entry.about) == ("discarded", record.id, "corrected_at_source trust")

    async def test_what_cannot_be_entered_in_the_audit_is_not_discarded(
        self, runs: PlanRuns, database: Database
    ) -> None:
        await Feed(runs).gives([plan(101, kind="?")])
        (record,) = await runs.quarantined()
        await database.maintain(lambda connection: connection.execute(text("ALTER TABLE plan_audit RENAME TO away")))
        with pytest.raises(PlanStoreFailed):
            await runs.discard(record.id, WhyDiscarded.NO_PLAN, Viewer("zzadministrator", "administrator"))
        assert await runs.quarantined() == [record]


async def test_a_delivery_whose_end_never_came_withdraws_what_it_named_and_nothing_else(
    database: Database, runs: PlanRuns, store: CarePlans, clock: HandClock
) -> None:
    sender = Sender("trust", SYSTEM, most_withdrawn=1.0)
    await Feed(runs, sender).gives([plan(101), plan(102)])
    cut = PlanRuns(Cutting(database, at=10_000), KEYS, clock)

    class Broken(Script):
        async def read(self, cursor: str):  # type: ignore[no-untyped-def]
            async for batch in super().read(""):
                yield batch
                raise Cut

    with pytest.raises(Cut):
        await cut.run(sender, Broken([[[gone(1, "P101", 4)], []]], whole=True))
    (next_one,) = await runs.run(sender, Script([[[]], [[plan(103)]]]))
    assert (next_one.run.imported, await is_found(store, 101), await is_found(store, 102)) == (1, False, True)


EVERY = 1 if os.environ.get("CALLROUTER_EXAMPLES") == "fuzz" else 11
"""Cuts passed over in the ordinary suite: a run each, and a dozen in one statement's place differ in nothing."""

DELIVERIES = [
    [[plan(101), plan(102)], [plan(103), plan(104, kind="?")]],
    [[gone(1, "P101", 4), plan(104, version=4)], [plan(105)]],
]


def stands(connection: Connection, system: str) -> list[object]:
    """What is stored of a system, and what is left over of its runs."""
    live = select(plans.c.version).where(plans.c.source == system).order_by(plans.c.version)
    ended = select(ended_plans.c.version).where(ended_plans.c.source == system)
    left = [
        connection.execute(select(func.count()).select_from(each)).scalar() for each in (plan_run_seen, plan_run_gone)
    ]
    return [connection.execute(live).scalars().all(), connection.execute(ended).scalars().all(), left]


async def test_killed_between_any_two_statements_the_next_run_goes_on(database: Database, clock: HandClock) -> None:
    """Nothing twice, nothing half: at every statement and commit in turn."""
    whole = PlanRuns(database, KEYS, clock)
    for at in range(0, 1000, EVERY):
        system = f"System {at}"
        sender = Sender(f"s{at}", system, most_withdrawn=1.0)
        script = Script([[of(system, batch) for batch in delivery] for delivery in DELIVERIES])
        cutting = Cutting(database, at)
        with suppress(Cut):
            await PlanRuns(cutting, KEYS, clock).run(sender, script)
        await whole.run(sender, script)
        assert await database.read(lambda connection, of=system: stands(connection, of)) == [[3, 3, 3, 4], [4], [0, 0]]
        done = await whole.runs(sender.name)
        assert [each.state for each in done] == [RunState.DONE] * 2
        counts = [sum(getattr(each, name) for each in done) for name in ("records", "imported", "refused", "withdrawn")]
        assert counts == [7, 5, 1, 1]
        assert await whole.quarantined(sender.name) == []
        if cutting.at > 0:
            break
    assert at > 60
