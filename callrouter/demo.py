"""The demo: the whole service with fictional plans, and simulated callers who arrive through signed webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from adapters.phone.line import open_line
from adapters.phone.simulate import Summary, simulate
from callrouter.embedded import serving
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.tokens import twilio_tokens
from callrouter.wiring import Service
from careplans.importer import check_plan_file

PLANS = Path(__file__).resolve().parent.parent / "careplans/demo.csv"
MARK = ".callrouter-demo"  # in a folder that the demo made and may empty again
SPEED = 12.0  # callers live that much faster than we do
RATE = 2.0  # new callers a second: in callers' time, London on a busy Saturday morning
TALK_S = 60.0  # callers' time
DRAIN = 0.4  # of the time given, for callers to finish before the end
WITHOUT_END = 10**9


def fresh_folder(folder: Path) -> Path:
    """An empty folder for the demo; one that the demo did not make itself is refused."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigurationError(f"{folder} holds something that the demo did not make: set CALLROUTER_DATA_DIR")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder


async def run_demo(settings: Settings, *, for_s: float | None, tell: Callable[[str], None]) -> Summary:
    """Run until Ctrl-C, or for about ``for_s`` seconds; returns what became of the callers."""
    newest = Summary()

    def note(summary: Summary) -> None:
        nonlocal newest
        newest = summary

    async with serving(settings) as service:
        await service.plans.load(check_plan_file(PLANS).rows())
        tell(f"Wallboard:   {settings.address}/")
        tell(f"Call pages:  {settings.address}/calls/<context>, after signing in at {settings.address}/sign-in")
        tell(f"Calls:       CALLROUTER_DATA_DIR={settings.data_dir} callrouter call list")
        callers = asyncio.create_task(_callers(service, for_s, note))
        stop = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({callers, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        callers.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await callers
    return newest


async def _callers(service: Service, for_s: float | None, note: Callable[[Summary], None]) -> None:
    settings = service.settings
    line = open_line(
        f"http://{settings.host}:{settings.port}",
        auth_token=twilio_tokens(settings)[0],
        public_url=settings.address,
    )
    count = WITHOUT_END if for_s is None else max(1, round(for_s * (1 - DRAIN) * RATE))
    try:
        summary = await simulate(line, calls=count, rate=RATE, seed=111, speed=SPEED, talk_s=TALK_S, progress=note)
        note(summary)
    finally:
        await line.client.aclose()
