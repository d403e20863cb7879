"""From counts in the table to what is unusual; what cannot be judged is said and stops nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from alerts.surges.errors import ScreeningFailed
from alerts.surges.history import read_history
from alerts.surges.menus import note_asked
from alerts.surges.model import ALL, EVERYWHERE, NOT_COUNTED, Cell, Found, Screened, Series, Step, quarter_of
from alerts.surges.process import TOO_YOUNG, Looks, plain, read_screened, screen_apart
from alerts.surges.screening import CHANGED, TOO_LITTLE, screen
from alerts.surges.store import ProposalStore
from alerts.surges.tables import metadata, surge_counts, surge_usual
from infra.areas import london
from infra.sql import Database, connect_database
from tests.surge_past import VERSION, put_counts, write_past

FRIDAY = datetime(2026, 3, 27, 15, tzinfo=UTC)
BROMLEY = Series("cold_or_flu", "bromley")
QUARTER = timedelta(minutes=15)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """One without counts."""
    async with _opened(tmp_path) as database:
        await database.write(metadata.create_all)
        yield database


@pytest.fixture(scope="module")
def pasts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``usual.db`` and ``surge.db``, with a surge in Bromley: five weeks each, from which is learnt what is usual."""
    folder = tmp_path_factory.mktemp("pasts")

    async def make() -> None:
        for name, surge in {"usual": {}, "surge": {"bromley": 5.0}}.items():
            async with _opened(folder) as database:
                await database.write(metadata.create_all)
                await database.write(partial(write_past, until=FRIDAY, surge=surge))
                await looked(database)
            (folder / "counts.db").rename(folder / f"{name}.db")

    with ThreadPoolExecutor(1) as thread:  # a fixture may be made within a running loop
        thread.submit(asyncio.run, make()).result()
    return folder


@pytest.fixture
async def usual(pasts: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(pasts / "usual.db", tmp_path / "counts.db")
    async with _opened(tmp_path) as database:
        yield database


@pytest.fixture
async def surge(pasts: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(pasts / "surge.db", tmp_path / "counts.db")
    async with _opened(tmp_path) as database:
        yield database


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{folder}/counts.db")
    yield database
    await database.close()


async def looked(database: Database, at: datetime = FRIDAY) -> Screened:
    return await screen(database, london(), at, null_cells=50_000)


async def test_a_usual_afternoon_gives_nothing(usual: Database) -> None:
    found = await looked(usual)
    assert (found.series, found.judged, found.found, found.why_not) == (6, 6, (), {})
    assert BROMLEY in found.quiet


async def test_a_surge_is_found_where_it_is_and_in_what_holds_it(surge: Database) -> None:
    found = (await looked(surge)).found
    first = found[0]
    assert (first.series, first.kind, first.rank) == (BROMLEY, "surge", 1)
    assert FRIDAY - timedelta(hours=4) <= first.since <= FRIDAY - timedelta(hours=3)
    assert {each.series.area for each in found} >= {"bromley", "south_east", "london"}
    assert "barnet" not in {each.series.area for each in found}


async def test_callers_whom_a_message_kept_from_the_queue_are_in_the_surge(surge: Database) -> None:
    as_it_was = (await looked(surge)).found
    deflected = update(surge_counts).where(surge_counts.c.area == "bromley").values(deflected=surge_counts.c.demand)
    await surge.write(lambda connection: connection.execute(deflected))
    assert (await looked(surge)).found == as_it_was


@pytest.mark.slow
async def test_what_is_usual_is_kept_for_a_week(usual: Database) -> None:
    await looked(usual)
    learnt = select(surge_usual.c.learnt_at).distinct()
    await looked(usual, FRIDAY + timedelta(minutes=15))
    assert await usual.read(lambda connection: connection.execute(learnt).scalars().all()) == [FRIDAY]
    later = FRIDAY + timedelta(days=7)
    await looked(usual, later)
    assert await usual.read(lambda connection: connection.execute(learnt).scalars().all()) == [later]


async def test_what_an_older_version_learnt_is_judged_by_until_the_next_week(usual: Database) -> None:
    await looked(usual)
    ours = await usual.read(lambda connection: connection.execute(select(surge_usual.c.dispersion)).scalars().first())
    theirs = json.dumps(json.loads(ours or "")[:6])  # one number for each window
    await usual.write(lambda connection: connection.execute(update(surge_usual).values(dispersion=theirs)))
    found = await looked(usual, FRIDAY + timedelta(minutes=15))
    assert (found.judged, found.found) == (6, ())


async def test_less_than_four_weeks_are_said_to_be_too_little(database: Database) -> None:
    await database.write(lambda connection: write_past(connection, FRIDAY, days=20))
    found = await looked(database)
    assert (found.judged, found.found, found.why_not) == (0, (), {TOO_LITTLE: 6})


@pytest.mark.parametrize(("hours_ago", "faded"), [(24, False), (48, False), (72, True)])
async def test_what_is_judged_by_days_has_faded_after_two_days_below_the_bound(
    database: Database, hours_ago: int, faded: bool
) -> None:
    """A surge of four days, longer than the baseline of EARS stays free of it; somebody acted on it."""
    midnight = FRIDAY.replace(hour=0)
    end = midnight - timedelta(hours=hours_ago - 24)
    begin = end - timedelta(days=4)
    await database.write(partial(write_past, until=end, days=18, surge={"bromley": 4.0}, surge_hours=96))
    await database.write(partial(write_past, until=FRIDAY, days=(FRIDAY - end) / timedelta(days=1)))
    store = ProposalStore(database)
    found = Found(BROMLEY, "daily", "surge", begin, 9.0, 1)
    assert await store.record(Screened(begin + timedelta(days=1, hours=2), 1, 1, (found,), frozenset()))
    (proposal,) = await store.recent(begin)
    assert await store.move(proposal.id, {"open"}, "acted", Step(begin, "acted", "Pia", "public_health"), "m1")
    screened = await looked(database)
    assert (BROMLEY in screened.quiet) is faded
    assert await store.record(screened)
    (after,) = [each for each in await store.recent(begin) if each.id == proposal.id]
    assert (after.faded_at is not None) is faded


async def test_until_then_yesterday_is_judged_by_days_once_a_day(database: Database) -> None:
    midnight = FRIDAY.replace(hour=0)
    await database.write(partial(write_past, until=midnight, days=19, surge={"bromley": 4.0}, surge_hours=24))
    await database.write(partial(write_past, until=FRIDAY, days=0.625))
    found = await looked(database)
    assert (found.found[0].series, found.found[0].kind) == (BROMLEY, "surge")
    assert {each.method for each in found.found} == {"daily"}
    assert found.found[0].since == midnight - timedelta(days=1)
    assert await ProposalStore(database).record(found)
    assert (await looked(database, FRIDAY + QUARTER)).found == ()


async def test_an_empty_table_is_no_error(database: Database) -> None:
    assert await looked(database) == Screened(FRIDAY, 0, 0, (), frozenset())


async def test_a_day_that_nobody_counted_is_unknown_and_not_without_callers(surge: Database) -> None:
    def gap(connection: Connection) -> None:
        day = quarter_of(FRIDAY) // 96 * 96 - 2 * 96
        connection.execute(delete(surge_counts).where(surge_counts.c.quarter.between(day, day + 95)))

    await surge.write(gap)
    end = quarter_of(FRIDAY)
    history = await read_history(surge, end - 7 * 96, end, london())
    assert int((history.total != history.total).sum()) == 96
    assert (await looked(surge)).found[0].series == BROMLEY


async def test_a_feed_that_stopped_is_said_and_raises_nothing(usual: Database) -> None:
    await looked(usual)
    found = await looked(usual, FRIDAY + timedelta(hours=5))
    assert (found.judged, found.found, found.why_not) == (0, (), {NOT_COUNTED: 6})


async def test_a_new_menu_is_another_series_until_four_weeks_of_it_are_known(usual: Database) -> None:
    await looked(usual)
    week = FRIDAY + timedelta(days=3)
    await usual.write(lambda connection: _more(connection, FRIDAY, week, f"f2/{VERSION}"))
    found = await looked(usual, week)
    assert (found.judged, found.why_not) == (0, {CHANGED: 6})


async def test_a_new_menu_that_asks_the_same_goes_on_with_the_series(usual: Database) -> None:
    await looked(usual)
    week = FRIDAY + timedelta(days=3)
    await usual.write(lambda connection: _more(connection, FRIDAY, week, f"f2/{VERSION}"))
    for version in ("f1", "f2", "f1"):
        await note_asked(usual, version, {"cold_or_flu": "the-same-question"})
    found = await looked(usual, week)
    assert (found.judged, found.why_not) == (6, {})
    assert found.found[0].series == BROMLEY
    await usual.write(lambda connection: _more(connection, week, week + timedelta(days=3), f"f3/{VERSION}"))
    await note_asked(usual, "f3", {"cold_or_flu": "another-question"})
    assert (await looked(usual, week + timedelta(days=3))).why_not == {CHANGED: 6}


async def test_a_new_lexicon_breaks_what_is_counted_from_words_and_nothing_else(database: Database) -> None:
    def write(connection: Connection, begin: int, end: int, lexicon: str) -> None:
        asked = {ALL: "", "cold_or_flu": f"f1/{VERSION}", "difficulty_breathing": f"{lexicon}/{VERSION}"}
        rows = [
            (Cell(quarter, signal, "bromley", version), 20 if signal == ALL else 3, 0)
            for quarter in range(begin, end)
            for signal, version in asked.items()
        ]
        put_counts(connection, rows)

    now = quarter_of(FRIDAY)
    await database.write(partial(write, begin=now - 36 * 96, end=now, lexicon="words-1"))
    before = await looked(database)
    assert (before.judged, before.why_not) == (8, {})
    await database.write(partial(write, begin=now, end=now + 96, lexicon="words-2"))
    after = await looked(database, FRIDAY + timedelta(days=1))
    assert (after.judged, after.why_not) == (4, {CHANGED: 4})


def _more(connection: Connection, since: datetime, until: datetime, menu: str) -> None:
    days = (until - since).total_seconds() / 86_400
    write_past(connection, until, days=days, menu=menu, surge={"bromley": 5.0})


@pytest.mark.parametrize("each_quarter", [0, 3], ids=["all zeros", "a constant"])
async def test_zeros_and_constants_are_judged_and_never_found(database: Database, each_quarter: int) -> None:
    end = quarter_of(FRIDAY)
    rows = [(Cell(quarter, ALL, "bromley", ""), 20, 0) for quarter in range(end - 36 * 96, end)]
    rows += [(Cell(each.quarter, "cold_or_flu", "bromley", "f1"), each_quarter, 0) for each, _, _ in rows]
    await database.write(lambda connection: put_counts(connection, rows))
    found = await looked(database)
    assert (found.judged, found.found, found.why_not) == (4, (), {})


async def test_shares_are_of_all_calls_also_of_those_without_a_signal(usual: Database) -> None:
    await looked(usual)
    rows = select(surge_usual).where(surge_usual.c.signal == ALL)
    calls = await usual.read(lambda connection: connection.execute(rows).one())
    flu = select(surge_usual).where(surge_usual.c.signal != ALL, surge_usual.c.area == EVERYWHERE)
    signal = await usual.read(lambda connection: connection.execute(flu).one())
    assert 7 < sum(json.loads(calls.hourly)) / sum(json.loads(signal.hourly)) < 9


@pytest.mark.slow
async def test_a_look_in_a_process_of_its_own_says_the_same(surge: Database, tmp_path: Path) -> None:
    here = await looked(surge)
    assert read_screened(json.loads(json.dumps(plain(here)))) == here
    assert await screen_apart(f"sqlite:///{tmp_path}/counts.db", FRIDAY) == here


async def test_no_process_is_started_before_ten_days_were_counted(database: Database) -> None:
    looks = Looks(database, "sqlite:////nowhere/at/all.db")
    assert await looks(FRIDAY) == Screened(FRIDAY, 0, 0, (), frozenset())
    await database.write(partial(write_past, until=FRIDAY, days=9))
    assert await looks(FRIDAY) == Screened(FRIDAY, 3, 0, (), frozenset(), {TOO_YOUNG: 3})


@pytest.mark.slow
async def test_a_look_without_a_database_fails_by_name(tmp_path: Path) -> None:
    with pytest.raises(ScreeningFailed, match="OperationalError"):
        await screen_apart(f"sqlite:///{tmp_path}/none.db", FRIDAY)
