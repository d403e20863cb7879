"""The daily report: HTML made to print."""

from __future__ import annotations

from asyncio import gather
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.history_rows import midnight
from callrouter.approvals import StoreAway
from console import words
from console.daily import DayFigures, daily_report
from console.errors import NoSuchPage
from console.readings import Readings
from console.rows_kept import RowsKept
from console.small_numbers import CLINICAL
from console.wallboard import REPORT_ROLES
from console.web import Web
from console.windows import read_day


def add_reports(router: APIRouter, web: Web, readings: Readings, kept: RowsKept) -> None:
    """``GET /reports/daily/{day}`` (``2026-02-03``), always behind sign-in: it is a document, no notice on a wall."""

    @router.get("/reports/daily/{day}")
    async def daily(day: str, request: Request) -> Response:
        session = web.require(request, *REPORT_ROLES)
        asked = read_day(day)
        if asked is None or asked > readings.today():
            raise NoSuchPage
        try:
            figures = await read_figures(readings, asked)
        except (SQLAlchemyError, OSError) as error:
            raise StoreAway("the figures of that day cannot be read just now: look again in a moment") from error
        now = readings.clock.now()
        every_count = session.who.role in CLINICAL
        return web.page(
            request,
            "daily_report.html",
            report=daily_report(
                asked,
                now,
                figures,
                every_count=every_count,
                tells_small_counts=readings.tells_small_counts,
                kept=kept,
            )
            if figures
            else None,
            day=asked,
            said_day=f"{asked:%A} {words.day(asked)}",
            before=asked - timedelta(days=1),
            after=asked + timedelta(days=1) if asked < readings.today() else None,
            made_at=words.moment(now),
        )


async def read_figures(readings: Readings, day: date) -> DayFigures | None:
    """The day's figures; None where none are kept. Raises what the database raises: a report is no guess."""
    past = readings.past
    until = await past.counted_until()  # before the figures, so that nobody takes what was missed for counted
    offered, later, providers, services = await gather(
        past.days(day, day, "total"),
        past.days(day, day, "total", "message_end"),
        past.window(midnight(day), midnight(day + timedelta(days=1)), "provider"),  # with what came of their calls
        past.days(day, day, "service"),
    )
    if not offered:
        return None
    return DayFigures(offered[0], later[0] if later else None, providers, services, until)
