"""The life of a version on SQLite and PostgreSQL: who may do what, and what callers meet then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from callrouter.approvals import Refused
from callrouter.handover import Role, SignedIn
from callrouter.publishing.model import State
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.service import Publishing
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, BOB, DUTY, HANDLER, SAFE, a_worker, approved, content, raised

SHIPPED = content()


class House:
    """One worker with the shipped flow live, and a second that only follows."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock()
        self.service, self.flows = a_worker(database, self.clock)
        self.other, self.other_flows = a_worker(database, self.clock)

    def met(self, flows: PublishedFlows | None = None, call: str = "call-1") -> str:
        return (flows or self.flows).for_dialled("111", call).version

    async def refused(self, doing: Awaitable[object]) -> str:
        before = await self.service.history(ANN)
        with pytest.raises(Refused) as refusal:
            await doing
        assert await self.service.history(ANN) == before  # nothing was changed
        return refusal.value.error_id

    async def state(self, version: str) -> State:
        return (await self.service.version(version, ANN)).row.state


@pytest.fixture
async def house(database: Database) -> House:
    made = House(database)
    await made.service.ship(SHIPPED, replace=False)
    return made


async def test_first_start_makes_the_shipped_flow_live_and_later_ones_change_nothing(house: House) -> None:
    await house.service.ship(SHIPPED, replace=False)
    await house.other.ship(SHIPPED, replace=False)
    assert house.met() == house.met(house.other_flows) == SHIPPED.version
    assert [step.step for step in await house.service.history(ANN)] == ["shipped_live"]


async def test_a_changed_file_waits_for_its_approval_and_replaces_a_shipped_one_only_in_development(
    house: House,
) -> None:
    changed, again = content(1), content(2)
    await house.service.ship(changed, replace=False)
    assert (house.met(), await house.state(changed.version)) == (SHIPPED.version, State.DRAFT)
    await house.service.ship(again, replace=True)
    assert house.met() == again.version
    await house.service.ship(SHIPPED, replace=True)
    assert house.met() == SHIPPED.version
    version = await approved(house.service, content(3))
    await house.service.publish(version, ANN)
    await house.service.ship(again, replace=True)
    assert house.met() == version  # what people published, no file replaces


async def test_draft_approved_by_another_and_published_is_met_by_the_next_call_everywhere(house: House) -> None:
    draft = content(1)
    made = await house.service.draft(draft, "shorter", ANN)
    assert (made.row.state, made.needs, made.touches) == (State.CHECKED, "approval_missing", ())
    made = await house.service.approve(draft.version, draft.hash, BOB)
    assert (made.row.state, made.needs) == (State.APPROVED, "")
    await house.service.publish(draft.version, ANN)
    assert house.met() == draft.version
    assert house.met(house.other_flows) == SHIPPED.version
    await house.other.refresh()
    assert house.met(house.other_flows) == draft.version
    assert house.flows.version("london-111", SHIPPED.version) is not None  # calls in progress finish
    steps = [(each.step, each.by) for each in await house.service.history(ANN, draft.version)]
    assert steps == [("published", "Ann"), ("approved", "Bob"), ("checked", "Ann"), ("drafted", "Ann")]


async def test_the_wrong_person_is_refused_by_name_of_the_rule(house: House) -> None:
    service, draft = house.service, content(1)
    await service.draft(draft, "", ANN)
    version, shown = draft.version, draft.hash
    alias = SignedIn("Anna", Role.CLINICAL_SAFETY, ANN.session)
    as_safety = SignedIn("ANN", Role.CLINICAL_SAFETY, "s-elsewhere")
    assert await house.refused(service.approve(version, shown, ANN)) == "own_work"
    assert await house.refused(service.approve(version, shown, as_safety)) == "own_work"
    assert await house.refused(service.approve(version, shown, alias)) == "same_session"
    assert await house.refused(service.approve(version, shown, HANDLER)) == "role_missing"
    assert await house.refused(service.approve(version, SHIPPED.hash, BOB)) == "content_changed"
    assert await house.refused(service.publish(version, ANN)) == "wrong_state"
    assert await house.refused(service.draft(content(2), "", HANDLER)) == "role_missing"
    await service.approve(version, shown, BOB)
    assert await house.refused(service.publish(version, DUTY)) == "role_missing"
    house.clock.move(15 * 86400)
    assert await house.refused(service.publish(version, ANN)) == "approval_expired"
    with pytest.raises(Refused, match="role"):
        await service.versions(HANDLER)


async def test_a_guarded_change_needs_clinical_safety(house: House) -> None:
    draft = raised()
    made = await house.service.draft(draft, "", ANN)
    assert made.touches == ("priority",)
    made = await house.service.approve(draft.version, draft.hash, BOB)
    assert (made.row.state, made.needs) == (State.CHECKED, "clinical_safety_missing")
    made = await house.service.approve(draft.version, draft.hash, SAFE)
    assert (made.row.state, made.needs) == (State.APPROVED, "")


async def test_what_clinical_safety_must_see_is_judged_again_at_publication(house: House) -> None:
    high, plain = await approved(house.service, raised()), content(1)
    await house.service.draft(plain, "", ANN)
    await house.service.approve(plain.version, plain.hash, BOB)  # touches nothing against the live version of now
    await house.service.publish(high, ANN)
    refused = await house.refused(house.service.publish(plain.version, ANN))
    assert refused == "clinical_safety_missing"  # it would take the raised priority away again


@pytest.mark.parametrize("column", ["content", "content_hash", "version"])
async def test_nobody_changes_what_was_approved_in_the_database_either(house: House, column: str) -> None:
    version = await approved(house.service, content(1))
    change = text(f"UPDATE flow_versions SET {column} = 'x' WHERE version = :version").bindparams(version=version)
    with pytest.raises(SQLAlchemyError):
        await house.database.write(lambda connection: connection.execute(change))
    for table in ("flow_versions", "flow_approvals", "flow_steps"):
        with pytest.raises(SQLAlchemyError):
            await house.database.write(lambda c, t=table: c.execute(text(f"DELETE FROM {t}")))  # type: ignore[misc]


async def test_a_schedule_comes_about_by_itself_also_while_the_store_is_away(house: House) -> None:
    version = await approved(house.service, content(1))
    when = house.clock.now() + timedelta(hours=2)
    assert await house.refused(house.service.schedule(version, house.clock.now(), ANN)) == "out_of_range"
    late = house.clock.now() + timedelta(days=20)
    assert await house.refused(house.service.schedule(version, late, ANN)) == "approval_expired"
    await house.service.schedule(version, when, ANN)
    await house.other.refresh()
    house.clock.move(7199)
    assert house.met() == SHIPPED.version
    house.clock.move(1)
    assert house.met() == house.met(house.other_flows) == version  # nobody asked the store
    await house.service.settle()
    assert (await house.state(version), await house.state(SHIPPED.version)) == (State.LIVE, State.RETIRED)
    assert house.met() == version


async def test_a_schedule_is_stopped_by_one_person_and_ended_by_another_publication(house: House) -> None:
    when = house.clock.now() + timedelta(hours=2)
    first, second = await approved(house.service, content(1)), await approved(house.service, content(2))
    await house.service.schedule(first, when, ANN)
    assert await house.refused(house.service.schedule(second, when, ANN)) == "wrong_state"
    await house.service.stop(first, DUTY, "not yet")
    assert await house.state(first) is State.APPROVED
    await house.service.schedule(first, when, ANN)
    await house.service.publish(second, ANN)
    assert await house.state(first) is State.APPROVED
    house.clock.move(8000)
    assert house.met() == second


async def test_roll_back_is_one_persons_work_and_calls_finish_in_their_version(house: House) -> None:
    one, two = await approved(house.service, content(1)), await approved(house.service, content(2))
    await house.service.publish(one, ANN)
    house.clock.move(60)
    await house.service.publish(two, ANN)
    await house.service.roll_back(DUTY, "callers are confused")
    assert (house.met(), await house.state(two)) == (one, State.ROLLED_BACK)
    assert house.flows.version("london-111", two) is not None
    assert not house.flows.is_recalled(two)
    await house.service.roll_back(DUTY)
    assert house.met() == SHIPPED.version
    assert await house.refused(house.service.roll_back(DUTY)) == "nothing_before"
    assert await house.refused(house.service.roll_back(HANDLER)) == "role_missing"


async def test_what_was_rolled_back_needs_a_new_approval_to_come_back(house: House) -> None:
    version = await approved(house.service, content(1))
    await house.service.publish(version, ANN)
    house.clock.move(60)
    await house.service.roll_back(DUTY)
    assert await house.refused(house.service.publish(version, ANN)) == "approval_missing"
    await house.service.approve(version, content(1).hash, BOB)
    await house.service.publish(version, ANN)
    assert house.met() == version


async def test_recall_takes_the_last_good_version_and_no_call_may_go_on_in_the_recalled_one(house: House) -> None:
    one, two = await approved(house.service, content(1)), await approved(house.service, content(2))
    await house.service.publish(one, ANN)
    await house.service.publish(two, ANN)
    await house.service.recall(two, DUTY, "wrong number read out")
    assert house.met() == one
    assert house.flows.version("london-111", two) is None
    assert house.flows.is_recalled(two)
    await house.service.recall(SHIPPED.version, DUTY)
    await house.service.recall(one, DUTY)
    assert house.met() == STRAIGHT_TO_111.version
    assert house.flows.version("straight-to-111", STRAIGHT_TO_111.version) is STRAIGHT_TO_111
    assert await house.refused(house.service.draft(content(2), "", ANN)) == "recalled"
    assert await house.refused(house.service.approve(one, content(1).hash, BOB)) == "wrong_state"
    fresh = await approved(house.service, content(7))
    await house.service.publish(fresh, ANN)
    assert house.met() == fresh


async def test_a_share_of_calls_meets_a_staged_version_and_each_call_always_the_same(house: House) -> None:
    version = await approved(house.service, content(1))
    for share in (0.0, 0.6):
        assert await house.refused(house.service.stage(version, share, ANN)) == "out_of_range"
    await house.service.stage(version, 0.25, ANN)
    await house.other.refresh()
    calls = [f"call-{n}" for n in range(2000)]
    met = [house.met(call=call) for call in calls]
    assert met == [house.met(house.other_flows, call) for call in calls]
    assert 400 < met.count(version) < 600
    assert met.count(version) + met.count(SHIPPED.version) == 2000
    await house.service.stop(version, DUTY, "enough seen")
    assert {house.met(call=call) for call in calls} == {SHIPPED.version}
    assert house.flows.version("london-111", version) is not None  # they finish


async def test_a_known_prompt_never_says_something_else(house: House) -> None:
    again = content(1, texts={"hello": "Press 1 for the pharmacy."})
    assert await house.refused(house.service.draft(again, "", ANN)) == "text_reused"
    own_key = content(1, texts={"hello_2": "Press 1 for a nurse."}, prompts=["hello_2"])
    assert (await house.service.draft(own_key, "", ANN)).row.state is State.CHECKED
    assert house.flows.text("en", "hello_2") is None  # nobody has approved it
    await house.service.approve(own_key.version, own_key.hash, SAFE)
    await house.service.publish(own_key.version, ANN)
    assert house.flows.text("en", "hello_2") == "Press 1 for a nurse."


async def test_a_prompt_is_judged_again_when_a_version_is_released(house: House) -> None:
    """Two drafts bring one new key; once callers meet the one, the other may not say it otherwise."""
    service = house.service
    one = await approved(service, content(1, {"new_key": "words of one"}, short_prompts=["new_key"]))
    two = await approved(service, content(2, {"new_key": "words of two"}, short_prompts=["new_key"]))
    await service.publish(one, ANN)
    later = house.clock.now() + timedelta(days=5)
    assert await house.refused(service.schedule(two, later, ANN)) == "text_reused"
    assert await house.refused(service.stage(two, 0.1, ANN)) == "text_reused"
    assert await house.refused(service.publish(two, ANN)) == "text_reused"
    await service.roll_back(DUTY)  # calls in progress still finish in it
    assert await house.refused(service.publish(two, ANN)) == "text_reused"
    assert house.flows.text("en", "new_key") == "words of one"


async def test_what_nobody_wrote_takes_two_people_all_the_same(house: House) -> None:
    service, shipped = house.service, raised(4)
    await service.ship(shipped, replace=False)
    await service.check(shipped.version, SAFE)
    await service.approve(shipped.version, shipped.hash, SAFE)
    assert await house.refused(service.publish(shipped.version, SAFE)) == "own_work"
    assert await house.refused(service.stage(shipped.version, 0.1, SAFE)) == "own_work"
    assert await house.refused(service.schedule(shipped.version, house.clock.now() + timedelta(1), SAFE)) == "own_work"
    await service.publish(shipped.version, ANN)
    assert house.met() == shipped.version
    house.clock.move(60)
    await service.approve(SHIPPED.version, SHIPPED.hash, SAFE)  # and what was live before, brought back
    assert await house.refused(service.publish(SHIPPED.version, SAFE)) == "own_work"


async def test_who_wrote_it_once_never_approves_it(house: House) -> None:
    draft = content(1)
    await house.service.draft(draft, "", ANN)
    await house.service.stop(draft.version, ANN)
    await house.service.draft(draft, "the very same", BOB)
    assert await house.refused(house.service.approve(draft.version, draft.hash, ANN)) == "own_work"


async def test_only_who_may_write_has_a_version_checked(house: House) -> None:
    version = await approved(house.service, content(1))
    clinician = SignedIn("Cli", Role.CLINICIAN, "s-cli")
    assert await house.refused(house.service.check(version, clinician)) == "role_missing"
    assert await house.state(version) is State.APPROVED


async def test_the_same_content_is_one_version(house: House) -> None:
    await house.service.draft(content(1), "", ANN)
    assert await house.refused(house.service.draft(content(1), "", BOB)) == "already_there"
    await house.service.stop(content(1).version, ANN)
    made = await house.service.draft(content(1), "after all", BOB)
    assert made.row.author.user == "Bob"


async def test_a_draft_that_does_not_pass_the_check_is_kept_with_its_problems_and_goes_nowhere(house: House) -> None:
    broken = content(1, prompts=["nowhere"])
    made = await house.service.draft(broken, "", ANN)
    assert made.row.state is State.DRAFT
    assert any("nowhere" in problem for problem in made.row.problems)
    assert await house.refused(house.service.approve(broken.version, broken.hash, SAFE)) == "wrong_state"


async def test_another_flow_and_an_unknown_version_are_refused(house: House) -> None:
    data = content().flow.model_copy(update={"flow": "leeds-111"})
    assert await house.refused(house.service.draft(replace(content(), flow=data), "", ANN)) == "other_flow"
    doing: list[Callable[[Publishing], Awaitable[object]]] = [
        lambda service: service.publish("000000000000", ANN),
        lambda service: service.recall("000000000000", ANN),
        lambda service: service.content("000000000000", ANN),
    ]
    for each in doing:
        assert await house.refused(each(house.service)) == "unknown_version"
