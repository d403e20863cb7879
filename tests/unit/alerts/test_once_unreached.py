"""What is told once is told to somebody: where the notice fails, by the other channels, and then to the others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.errors import RulesError
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.life.store import metadata as tables
from alerts.model import Notice
from alerts.notices.once import OnceNotices
from alerts.ports import NoticeFailed
from alerts.rules.loading import DEFAULT_RULES, load_rules
from infra.sql import connect_database
from tests.hand_clock import HandClock

NIGHT = datetime(2026, 3, 24, 23, tzinfo=UTC)


class Mail:
    """Refuses for good what goes to the night manager."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def send(self, notice: Notice) -> None:
        self.tried.append(notice.recipient.name)
        if notice.recipient.name == "Night manager":
            raise NoticeFailed("refused", final=True)


async def test_a_welfare_task_whose_notice_fails_is_told_to_somebody_else(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(tables.create_all)
    store, rules, mail = AlertStore(database), load_rules(DEFAULT_RULES, ["north"], ["sql"]), Mail()
    service = AlertService(rules, lambda: None, {"email": mail}, store, HandClock(NIGHT))
    notices = OnceNotices(store, rules, "welfare_task")
    assert await notices.tell("task", what="A welfare task", where="Welfare", since=NIGHT, at=NIGHT)
    for _ in range(3):
        await service.tick()
    assert mail.tried == ["Night manager", "Head of operations"]
    await database.close()


@pytest.mark.parametrize("key", ["repeat_s: 600", "inhibited_by: [failed-calls]"])
def test_what_is_told_once_is_neither_repeated_nor_held_back(tmp_path: Path, key: str) -> None:
    before, name, after = DEFAULT_RULES.read_text().partition("  - name: welfare-task\n")
    file = tmp_path / "rules.yaml"
    file.write_text(f"{before}{name}    {key}\n{after}")
    with pytest.raises(RulesError, match="told once"):
        load_rules(file, ())
