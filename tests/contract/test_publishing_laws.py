"""Whatever people do with versions, in whatever order: nothing unapproved is live, nobody is in a recalled version."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callrouter.approvals import Refused
from callrouter.handover import Role, SignedIn
from callrouter.publishing.model import State
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, BOB, DUTY, HANDLER, SAFE, a_worker, content, raised

ALIAS = SignedIn("Anna", Role.CLINICAL_SAFETY, ANN.session)
PEOPLE = [ANN, BOB, SAFE, DUTY, HANDLER, ALIAS]
DRAFTS = [content(1), content(2), raised(1), raised(2)]
SHIPPED = content()
GUARDED = {each.version for each in DRAFTS[2:]}
LIFE = timedelta(days=14)
EXAMPLES = int(os.environ.get("CALLROUTER_FUZZ_EXAMPLES", "6"))


@dataclass
class Known:
    """What the test itself remembers of a version; it trusts nothing that the service says."""

    author: SignedIn
    approvals: list[tuple[SignedIn, datetime]] = field(default_factory=list)
    recalled: bool = False

    def agreed(self, at: datetime) -> list[SignedIn]:
        """Others who approved it, and whose approval holds."""
        return [
            who
            for who, when in self.approvals
            if who.user != self.author.user and who.session != self.author.session and at < when + LIFE
        ]


class Lives(RuleBasedStateMachine):
    """Two workers, six people, four drafts, a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.clock = HandClock()
        self.database = connect_database(f"sqlite:///{self.folder.name}/versions.db")
        self.do(upgrade_database(self.database))
        self.service, self.flows = a_worker(self.database, self.clock)
        self.other, self.other_flows = a_worker(self.database, self.clock)
        self.do(self.service.ship(SHIPPED, replace=False))
        self.known: dict[str, Known] = {}
        self.may_be_live: set[str] = {SHIPPED.version}
        self.shipped_recalled = False

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def tries(self, work: Awaitable[Any]) -> bool:
        """Whether it was done; False if it was refused."""
        self.clock.move(1)
        try:
            self.do(work)
        except Refused:
            return False
        return True

    def released(self, version: str, at: datetime) -> None:
        """Somebody released it: that must have been allowed, by the test's own account of who agreed."""
        agreed = self.known[version].agreed(at)
        assert agreed, "released without anybody else's approval"
        assert all(each.role in (Role.COMMISSIONER, Role.CLINICAL_SAFETY) for each in agreed)
        if version in GUARDED:
            assert any(each.role is Role.CLINICAL_SAFETY for each in agreed)
        self.may_be_live.add(version)

    @rule(number=st.integers(0, 3), who=st.sampled_from(PEOPLE))
    def draft(self, number: int, who: SignedIn) -> None:
        made = DRAFTS[number]
        if self.tries(self.service.draft(made, "", who)):
            self.known[made.version] = Known(who)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def approve(self, data: st.DataObject, who: SignedIn) -> None:
        version = self.some(data)
        shown = next(each.hash for each in DRAFTS if each.version == version)
        if self.tries(self.service.approve(version, shown, who)):
            self.known[version].approvals.append((who, self.clock.now()))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE), how=st.sampled_from(["publish", "stage", "schedule"]))
    def release(self, data: st.DataObject, who: SignedIn, how: str) -> None:
        version, when = self.some(data), self.clock.now() + timedelta(hours=3)
        doing = {
            "publish": lambda: self.service.publish(version, who),
            "stage": lambda: self.service.stage(version, 0.5, who),
            "schedule": lambda: self.service.schedule(version, when, who),
        }[how]
        if self.tries(doing()):
            self.released(version, when if how == "schedule" else self.clock.now())

    @precondition(lambda self: self.known)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def stop(self, data: st.DataObject, who: SignedIn) -> None:
        self.tries(self.service.stop(self.some(data), who))

    @rule(who=st.sampled_from(PEOPLE))
    def roll_back(self, who: SignedIn) -> None:
        self.tries(self.service.roll_back(who))

    @rule(data=st.data(), who=st.sampled_from(PEOPLE), shipped=st.booleans())
    def recall(self, data: st.DataObject, who: SignedIn, shipped: bool) -> None:
        version = SHIPPED.version if shipped or not self.known else self.some(data)
        if self.tries(self.service.recall(version, who)):
            if version == SHIPPED.version:
                self.shipped_recalled = True
            else:
                self.known[version].recalled = True

    @rule(hours=st.sampled_from([1, 4, 24 * 15]))
    def time_passes(self, hours: int) -> None:
        self.clock.move(hours * 3600)
        self.do(self.service.settle())

    @invariant()
    def what_callers_meet_was_approved_and_not_recalled(self) -> None:
        self.do(self.other.refresh())
        for flows in (self.flows, self.other_flows):
            for call in ("call-1", "call-2", "call-3"):
                met = flows.for_dialled("111", call).version
                assert met in self.may_be_live or met == STRAIGHT_TO_111.version
                assert met not in self.recalled()
            for version in self.recalled():
                assert flows.version("london-111", version) is None
                assert flows.is_recalled(version)
        assert self.flows.snapshot == self.other_flows.snapshot

    @invariant()
    def one_version_is_live_and_no_author_has_approved(self) -> None:
        states = [each.row.state for each in self.do(self.service.versions(ANN))]
        assert states.count(State.LIVE) <= 1
        assert states.count(State.STAGED) <= 1
        for each in self.do(self.service.versions(ANN)):
            author = each.row.author
            assert all(agreed.by != author.user for agreed in each.approvals)
            assert all(not agreed.session or agreed.session != author.session for agreed in each.approvals)

    def recalled(self) -> set[str]:
        found = {version for version, known in self.known.items() if known.recalled}
        return found | ({SHIPPED.version} if self.shipped_recalled else set())

    def some(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(sorted(self.known))))

    def teardown(self) -> None:
        self.do(self.database.close())
        self.loop.close()
        self.folder.cleanup()


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=[*HealthCheck]
)
