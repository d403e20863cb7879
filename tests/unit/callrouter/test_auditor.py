"""The auditor's process from inside: what it takes for a sign of life, whom it tells, and how long it keeps at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from adapters.notify.receiver import LARGEST, OLDEST_S, receiver
from adapters.notify.webhook import NOTICE_ID, SIGNATURE, TIMESTAMP, sign
from alerts.dead_man import DeadMansSwitch
from alerts.errors import NoticeFailed
from alerts.model import Notice, Recipient
from callrouter.alerting.auditing import open_auditing
from callrouter.alerting.auditor import CLEARS_S, LONGEST_PROBE_S, TELL_AGAIN_S, Auditor, Way
from callrouter.errors import ConfigurationError
from callrouter.settings import load_settings
from tests.hand_clock import NOON, HandClock

SECRET = "a secret of these tests, long enough"
URL = "http://127.0.0.1:8119/notices"


@dataclass
class Calls:
    """Probes that were placed; ``refuses`` says why the service does not take them."""

    refuses: str = ""
    placed: int = 0
    ended: int = 0

    def place(self) -> Calls:
        return self

    async def enter(self) -> str:
        self.placed += 1
        return self.refuses

    async def hang_up(self) -> None:
        self.ended += 1


@dataclass
class Channel:
    """Takes notices, but for the first ``failures``."""

    failures: int = 0
    tries: int = 0
    taken: list[Notice] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise NoticeFailed("smtp_unreachable")
        self.taken.append(notice)


@dataclass
class World:
    """An auditor with two people to tell."""

    clock: HandClock = field(default_factory=HandClock)
    calls: Calls = field(default_factory=Calls)
    mail: Channel = field(default_factory=Channel)
    hook: Channel = field(default_factory=Channel)

    def __post_init__(self) -> None:
        ways = [
            Way(Recipient("A", "email", "a@example.nhs.invalid"), self.mail),
            Way(Recipient("B", "webhook", "b"), self.hook),
        ]
        self.auditor = Auditor(
            place=self.calls.place, switch=DeadMansSwitch(self.clock, 150), ways=ways, clock=self.clock,
            every_s=60, silent_s=150, link="http://localhost/",
        )  # fmt: skip

    async def live(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.auditor.probe()
            await self.auditor.watch()
            self.clock.move(1)

    def notice(self, ago_s: float, **other: str) -> dict[str, str]:
        since = (self.clock.now() - timedelta(seconds=ago_s)).isoformat()
        return {"rule": "auditor-probe", "kind": "fired", "since": since, **other}


async def test_a_probe_a_minute_and_each_hangs_up_when_its_notice_has_come() -> None:
    world = World()
    for minute in range(1, 4):
        await world.live(2)
        assert (world.calls.placed, world.calls.ended) == (minute, minute - 1)
        world.auditor.received(world.notice(1))
        await world.live(58)
        assert world.calls.ended == minute
    assert world.mail.taken == []


async def test_a_probe_without_a_notice_hangs_up_before_a_provider_would_be_tried_next() -> None:
    world = World()
    await world.live(int(LONGEST_PROBE_S))
    assert world.calls.ended == 0
    await world.live(1)
    assert world.calls.ended == 1


async def test_the_notice_of_an_earlier_probe_ends_no_later_one() -> None:
    world = World()
    await world.live(65)
    assert (world.calls.placed, world.calls.ended) == (2, 1)
    world.auditor.received(world.notice(40))
    await world.live(5)
    assert world.calls.ended == 1


@pytest.mark.parametrize(
    "other", [{"kind": "cleared"}, {"rule": "longest-wait"}, {"since": "yesterday"}, {"since": "2020-01-01T00:00:00Z"}]
)
async def test_nothing_but_the_firing_of_the_probes_own_rule_just_now_is_a_sign_of_life(other: dict[str, str]) -> None:
    world = World()
    await world.live(140)
    world.auditor.received(world.notice(0, **other))
    await world.live(11)
    assert [each.kind for each in world.mail.taken] == ["fired"]


async def test_who_cannot_be_told_is_tried_again_and_keeps_nobody_else_waiting() -> None:
    world = World(mail=Channel(failures=2))
    await world.live(151)
    assert (world.mail.taken, len(world.hook.taken)) == ([], 1)
    await world.live(2 * int(TELL_AGAIN_S))
    assert world.mail.taken[0].id == world.hook.taken[0].id
    assert (world.mail.tries, world.hook.tries) == (3, 1)


async def test_a_word_that_is_out_of_date_is_not_told_after_the_newer_one() -> None:
    world = World(mail=Channel(failures=1))
    await world.live(151)
    world.auditor.received(world.notice(0))
    await world.live(30)
    assert [each.kind for each in world.mail.taken] == ["cleared"]
    assert [each.kind for each in world.hook.taken] == ["fired", "cleared"]


async def test_what_is_told_says_where_the_chain_is_broken_and_since_when() -> None:
    world = World(calls=Calls(refuses="HTTP 503"))
    await world.live(151)
    (notice,) = world.mail.taken
    assert "not taken" in notice.where
    assert notice.since == NOON
    assert world.calls.ended == world.calls.placed, "the call may have begun all the same"


async def test_a_probe_that_is_refused_is_tried_again_in_its_minute_and_not_sooner() -> None:
    world = World(calls=Calls(refuses="HTTP 503"))
    await world.live(121)
    assert world.calls.placed == 3
    assert CLEARS_S < 60


async def test_its_page_is_live_only_while_both_loops_go_round() -> None:
    world = World()
    await world.live(1)
    assert world.auditor.report()["live"] is True
    for _ in range(40):
        await world.auditor.watch()
        world.clock.move(1)
    assert world.auditor.report()["live"] is False


class Post:
    """The page that takes notices."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.got: list[str] = []
        app = Starlette(routes=[receiver("/notices", SECRET, self.clock, self.take)])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://auditor.example")

    async def take(self, notice: dict[str, Any]) -> None:
        self.got.append(notice["id"])

    async def send(self, content: bytes, *, ago_s: int = 0, secret: str = SECRET, notice: str = "n1") -> int:
        timestamp = str(int(self.clock.now().timestamp()) - ago_s)
        headers = {NOTICE_ID: notice, TIMESTAMP: timestamp, SIGNATURE: sign(secret, timestamp, content)}
        return (await self.client.post("/notices", content=content, headers=headers)).status_code


async def test_a_notice_counts_only_if_it_is_signed_now_by_us_and_bears_its_own_id() -> None:
    post, content = Post(), b'{"id": "n1"}'
    assert await post.send(content, secret="another secret, as long as the first") == 403
    assert await post.send(content, ago_s=OLDEST_S + 1) == 403
    assert await post.send(content, ago_s=-OLDEST_S - 1) == 403
    assert await post.send(content, notice="n2") == 400
    assert await post.send(b"[]") == 400
    assert await post.send(b"no json") == 400
    assert await post.send(b" " * (LARGEST + 1)) == 413
    assert (await post.client.post("/notices", content=content)).status_code == 403
    assert post.got == []
    assert await post.send(content, ago_s=OLDEST_S) == 204
    assert post.got == ["n1"]
    await post.client.aclose()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "AUDITOR_URL: set it"),
        ({"auditor_url": URL, "webhook_secret": "short"}, "CALLROUTER_WEBHOOK_SECRET: a webhook secret has at least"),
        (
            {"auditor_url": URL, "webhook_secret": SECRET, "auditor_webhook": URL, "auditor_webhook_secret": "short"},
            "CALLROUTER_AUDITOR_WEBHOOK_SECRET: a webhook secret has at least",
        ),
    ],
)
def test_an_auditor_that_could_hear_or_tell_nobody_does_not_start(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_auditing(load_settings(data_dir=tmp_path, **settings), HandClock())
