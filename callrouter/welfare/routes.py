"""``/api/welfare``: welfare tasks for programs. The rules are the service's, the same as for the page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from callrouter.api import ApiRoute, Asker
from callrouter.welfare.service import Task, Welfare


def welfare_router(welfare: Welfare, asker: Asker) -> APIRouter:
    """List, acknowledge."""
    router = APIRouter(prefix="/api/welfare", route_class=ApiRoute, include_in_schema=False)

    @router.get("")
    async def listed(request: Request) -> list[dict[str, Any]]:
        return [_shown(each) for each in await welfare.tasks(asker(request))]

    @router.post("/{task_id}/acknowledge")
    async def acknowledge(request: Request, task_id: str) -> dict[str, Any]:
        return _shown(await welfare.acknowledge(task_id, asker(request)))

    return router


def _shown(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "call": task.context or None,
        "number": task.number,
        "last_step": task.last_step,
        "left_at": task.left_at,
        "acknowledged_at": task.acknowledged_at,
        "acknowledged_by": task.acknowledged_by or None,
        "duty_manager_told_at": task.escalated_at,
    }
