"""The end of a process that nobody notices: no new calls at once, those that ask are answered, then it is gone.

::

    SIGTERM ── /ready says 503, no caller is claimed ── grace: webhooks are answered ── connections end
            ── SIP callers are handed over, the journal is written ── exit 0, at the latest after GONE_S
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from callrouter.errors import ConfigurationError
from callrouter.readiness import Readiness
from infra.loops import until_next

GRACE_S = 5.0
"""A load balancer asks ``/ready`` every two seconds and believes the second 503: until then it sends webhooks here."""

BUSY_S = 15.0
"""A Twilio call asks at least this often while it waits or is in a menu (hold turns every 10 s)."""

CONNECTIONS_S = 4.0
"""Longest that open connections are waited for (a wallboard that is watched), once nothing new is accepted."""

GONE_S = 24.0
"""When a part does not end, the process ends without it: a deploy counts on 25 s. What was not written is lost only in
a set-up of one process."""

log = structlog.get_logger()


class Traffic:
    """ASGI middleware that knows whether calls come by webhook. ``monotonic`` gives seconds."""

    def __init__(self, app: ASGIApp, *, prefix: str, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._prefix = prefix
        self._monotonic = monotonic
        self._last = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] == "http" and scope["path"].startswith(self._prefix):
            self._last = self._monotonic()
        await self._app(scope, receive, send)

    @property
    def is_busy(self) -> bool:
        """Whether a call asked in the last :data:`BUSY_S` seconds."""
        return self._monotonic() - self._last < BUSY_S


TICK_S = 1.0


class Server(uvicorn.Server):
    """Uvicorn with our own handling of signals: its own would end it at once, and with the signal's exit status.

    Nor does it wake ten times a second to see whether it is to end: :meth:`handle_exit` says so.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """To be called in the loop."""
        super().handle_exit(sig, frame)
        self._told_to_end.set()

    async def main_loop(self) -> None:
        """What is due once a second (the date of answers), until told to end."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(until_next(TICK_S)):
                    await self._told_to_end.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are :func:`serve_until_told`'s."""
        yield


def listen(host: str, port: int, setting: str) -> socket.socket:
    """The bound socket; raises :class:`ConfigurationError`, which names ``setting``, where it is taken."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"{host}:{port} cannot be used ({error.strerror}): set {setting} to another"
        ) from error
    return bound


def server_of(app: ASGIApp, **config: Any) -> Server:
    """A server whose open connections hold its end up for :data:`CONNECTIONS_S` at most, and that logs as we do."""
    wait_s = int(CONNECTIONS_S)
    return Server(uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=wait_s, **config))


async def serve_until_told(
    server: Server, bound: socket.socket, readiness: Readiness, is_busy: Callable[[], bool]
) -> None:
    """Serve on ``bound`` until SIGTERM or SIGINT, then end as the module says. A second signal ends the grace."""
    told: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hear(number: int, _frame: FrameType | None) -> None:
        readiness.drain()  # before anything else happens: the very next answer of /ready is 503
        if not loop.is_closed():
            loop.call_soon_threadsafe(told.put_nowait, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        # not the loop's own handler, which goes with the loop: a signal in the last moments must change nothing
        signal.signal(number, hear)
    serving = asyncio.create_task(server.serve([bound]))
    hearing = asyncio.create_task(told.get())
    await asyncio.wait({serving, hearing}, return_when=asyncio.FIRST_COMPLETED)
    if hearing.done():
        last = _end_at_the_latest()
        log.info("draining", grace_s=GRACE_S if is_busy() else 0)
        if is_busy():
            again = asyncio.create_task(told.get())
            await asyncio.wait({serving, again}, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
        server.handle_exit(hearing.result(), None)  # not only should_exit: streams of events listen to this
        await serving
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # the interpreter's own end would put the deadly default back
        last.cancel()
        log.info("stopped")
    hearing.cancel()
    await serving


def _end_at_the_latest() -> threading.Timer:
    """Outside the loop, which may be what hangs."""

    def end() -> None:
        log.error("stopped_by_force", after_s=GONE_S)
        os._exit(1)

    timer = threading.Timer(GONE_S, end)
    timer.daemon = True
    timer.start()
    return timer
