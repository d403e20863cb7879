"""``callrouter kpi`` as it is typed: figures shown, compared, counted anew, and written for the collection."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.figures.adc import COLUMNS
from alerts.figures.history_rows import midnight
from alerts.figures.items import PUBLISHED
from callrouter import events as ev
from callrouter.cli.commands import commands
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.settings import load_settings
from infra.bus import Entry
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.hand_clock import HandClock
from tests.made_up_calls import made_up_day

DAY = date(2025, 10, 6)
RANGE = f"{DAY}..{DAY}"


def type_(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands(["kpi"]), ["kpi", *words])
    if isinstance(result.exception, ConfigurationError):
        raise result.exception
    return result.exit_code, result.output


async def write(entries: list[Entry]) -> None:
    """Into the journal, and nowhere else."""
    settings = load_settings()
    database = connect_database(settings.database)
    await upgrade_database(database)
    await Journal(database, key_ring(settings)).write(entries)
    await database.close()


@pytest.fixture
def a_day_of_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A journal of one day; returns how many calls of it are no probes and no goings-on."""
    providers = tmp_path / "providers.yaml"
    contract = (
        "{org_code: ZZ901, org_name: King's, contract_code: ZZ111F1, contract_name: South, region_code: ZZ9,"
        " region_name: L}"
    )
    lines = [
        f"  - {{id: {each}, name: {each.title()}, services: ['111'], tel: '+442079460101'"
        for each in ("kings", "thames")
    ]
    providers.write_text(f"providers:\n{lines[0]}, contract: {contract}}}\n{lines[1]}}}\n")
    monkeypatch.setenv("CALLROUTER_PROVIDERS_FILE", str(providers))
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    entries = made_up_day(21, 40, midnight(DAY), 22)
    asyncio.run(write(entries))
    offers = [each.facts for each in entries if each.kind == "offered"]
    return sum(facts["flow"] != "probe" and facts["resumes"] is None for facts in offers)


def test_figures_are_counted_from_the_journal_compared_shown_and_exported(a_day_of_calls: int, tmp_path: Path) -> None:
    assert type_("check", str(DAY))[0] == 1, "the history has nothing of it yet"
    assert type_("fold", str(DAY))[0] == 0
    code, said = type_("check", str(DAY), "--json")
    assert (code, json.loads(said)) == (0, {"day": str(DAY), "calls": a_day_of_calls, "differ": {}})

    (total,) = json.loads(type_("show", "--window", RANGE, "--every-count", "--json")[1])
    assert total["values"]["A01"] == a_day_of_calls == sum(total["ends"].values())
    code, said = type_("show", "--window", RANGE, "--by", "provider")
    assert "Kings (provider:kings)" in said
    assert "not known  Offered a call-back by a clinician within 20 minutes" in said

    (held,) = json.loads(type_("show", "--window", RANGE, "--json")[1])
    few = {name for name, count in {**total["ends"], **total["values"]}.items() if count in range(5)} - {"in_progress"}
    assert few
    assert {{**held["ends"], **held["values"]}[name] for name in few} <= {"<5", "–"}

    by_service = json.loads(type_("show", "--window", RANGE, "--by", "service", "--every-count", "--json")[1])
    withheld = json.loads(type_("show", "--window", RANGE, "--by", "service", "--json")[1])
    counts = {each["name"]: each["values"]["A01"] for each in by_service}
    assert {each["name"] for each in withheld} == counts.keys()
    assert all(set(each) == {"name", "A01", "counted_until"} for each in withheld), "no item of them but the offered"
    assert all(each["A01"] in ("<5", "–") or int(each["A01"]) % 5 == 0 for each in withheld)
    code, said = type_("show", "--window", RANGE, "--by", "area")
    assert (code, "held back" in said, "abandoned" in said) == (0, True, False)

    file = tmp_path / "adc.csv"
    code, said = type_("export", "--month", "2025-10", "--out", str(file))
    assert (code, "thames has no contract" in said) == (0, True)
    assert "2025-10 is counted until nobody knows when: this file is not final" in said
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [row["ITEM_NUMBER"] for row in rows] == list(PUBLISHED)
    assert {(row["REPORTING_PERIOD"], row["ORG_CODE"], row["CONTRACT_CODE"], row["REGION_CODE"]) for row in rows} == {
        ("2025-10", "ZZ901", "ZZ111F1", "ZZ9")
    }
    small = ("0", "1", "2", "3", "4")
    assert not [row for row in rows if row["VALUE"] in small]
    type_("export", "--month", "2025-10", "--out", str(file), "--every-count")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row for row in rows if row["VALUE"] in small], "or nothing was held back"
    values = {row["ITEM_NUMBER"]: row["VALUE"] for row in rows}
    assert int(values["A01"]) >= int(values["A03"]) > 0
    assert values["D13"] == "", "not collected, and no invented nought"


@pytest.mark.parametrize(
    "window", ["", "yesterday", "0m", "-5m", "99999999999m", "2025-10-02..2025-10-01", "2025-10-02", "a..b"]
)
def test_a_window_that_is_none_is_refused_in_words(window: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--window is"):
        type_("show", "--window", window)


@pytest.mark.parametrize(
    "asked",
    [("show", "--window", "2025-10-01..2199-01-01"), ("show", "--window", "0001-01-01..2025-10-01"),
     ("recontact", "--window", "2199-01-01..2199-01-02"), ("check", "2199-01-01"), ("fold", "0001-01-01"),
     ("export", "--month", "2199-01", "--out", "x.csv"), ("export", "--month", "9999-12", "--out", "x.csv")],
)  # fmt: skip
def test_a_day_that_is_to_come_or_before_there_was_a_111_is_refused(asked: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"is to come|before 2010"):
        type_(*asked)


def test_who_rang_again_is_told_of_days() -> None:
    with pytest.raises(ConfigurationError, match="two days"):
        type_("recontact", "--window", "15m")


def told(ref: str, seq: int, at: datetime, event: ev.Event) -> Entry:
    return Entry(ref, seq, at, event.kind, ev.split(event)[0], None, b"key" if seq == 1 else None)


def offered(at: datetime) -> Entry:
    ref = f"at {at:%a %H:%M:%S}"
    call = ev.Offered(network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=ref)
    return told(ref, 1, at, call)


def test_windows_of_minutes_today_and_this_week_end_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Tuesday after the clocks went back: one call on each side of where each window begins."""
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    monday, tuesday, second = midnight(date(2025, 10, 27)), midnight(date(2025, 10, 28)), timedelta(seconds=1)
    now = tuesday + timedelta(hours=14, minutes=7)
    quarter = now - timedelta(minutes=15)
    begins = (monday, tuesday, quarter)
    asyncio.run(write([offered(each) for begin in begins for each in (begin - second, begin)]))
    monkeypatch.setattr("callrouter.cli.kpi.SystemClock", lambda: HandClock(now))
    assert type_("show", "--window", "week", "--json") == (0, "[]\n"), "nothing is counted yet"
    for day, calls in (("2025-10-26", 1), ("2025-10-27", 2), ("2025-10-28", 3)):
        assert type_("fold", day, "--every-count") == (0, f"{calls} calls counted\n")
    for window, calls in (("week", 5), ("today", 3), ("15m", 1), ("2025-10-26..2025-10-26", 1)):
        (total,) = json.loads(type_("show", "--window", window, "--every-count", "--json")[1])
        assert total["values"]["A01"] == calls, window
    said = type_("show", "--window", "today")[1]
    assert "without those who still wait" in said
    assert "not known until when counted" in said, "the service never ran"


def test_who_waits_now_is_told_by_service_from_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    now = midnight(DAY) + timedelta(hours=9)
    begun = offered(now - timedelta(seconds=75))
    asyncio.run(write([begun, told(begun.call_ref, 2, now, ev.Queued(services=("dental",), band="routine"))]))
    monkeypatch.setattr("callrouter.cli.kpi.SystemClock", lambda: HandClock(now + timedelta(seconds=5)))
    assert "service:dental: 1 waiting, the longest for 80 s" in type_("waiting", "--by", "service", "--every-count")[1]
    said = type_("waiting", "--by", "service")[1]
    assert "service:dental: <5 waiting\n" in said
    assert "80 s" not in said, "the longest wait is that of one person"
    waits = json.loads(type_("waiting", "--by", "service", "--json")[1])["waiting"]
    assert waits == [{"scope": "service:dental", "waiting": "<5", "longest_wait_s": None}]
    waiting = [{"scope": "total", "waiting": 1, "longest_wait_s": 80.0}]
    assert json.loads(type_("waiting", "--json")[1])["waiting"] == waiting
    assert "nobody waits" in type_("waiting", "--by", "provider")[1]


def test_a_call_back_that_the_history_lacks_is_a_difference(a_day_of_calls: int) -> None:
    eight = midnight(DAY) + timedelta(hours=8)
    promise = told("21-0", 900, eight, ev.CallBackPromised(node="ring", service="111"))
    over = told("21-0", 901, eight + timedelta(minutes=30), ev.CallBackEnded(outcome="gave_up"))
    assert type_("fold", str(DAY))[0] == 0
    assert type_("check", str(DAY))[0] == 0
    asyncio.run(write([promise, over]))
    code, said = type_("check", str(DAY))
    assert (code, "calls: call-backs total in 1 places" in said) == (1, True)
    assert type_("fold", str(DAY))[0] == 0
    assert type_("check", str(DAY))[0] == 0
