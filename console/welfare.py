"""The page of welfare tasks: callers at risk who left before a person answered, for clinicians."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.handover import Role
from callrouter.welfare.service import NoSuchTask, Welfare
from console.errors import NoSuchPage
from console.web import Web


def add_welfare(router: APIRouter, web: Web, welfare: Welfare) -> None:
    """``GET /welfare``, and taking a task on."""

    @router.get("/welfare", name="welfare")
    async def tasks(request: Request, taken: str = "") -> Response:
        session = web.require(request, Role.CLINICIAN)
        listed = await welfare.tasks(session.who)
        mine = next((each for each in listed if each.id == taken and not each.is_open), None)
        still = [each for each in listed if each.is_open]
        done = [each for each in listed if not each.is_open]
        return web.page(request, "welfare.html", tasks=still, done=done, taken=mine)

    @router.post("/welfare/{task_id}/acknowledge", name="acknowledge")
    async def acknowledge(request: Request, task_id: str) -> Response:
        session = web.require(request, Role.CLINICIAN)
        await web.form(request, session)
        try:
            task = await welfare.acknowledge(task_id, session.who)
        except NoSuchTask as error:
            raise NoSuchPage from error
        return RedirectResponse(f"/welfare?taken={task.id}", status_code=303)
