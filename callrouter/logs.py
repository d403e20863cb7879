"""Logging: one JSON object a line on standard error, events as verbs with ids, nothing personal."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_OURS = Path(__file__).parent.parent
_MOST_PLACES = 4


def set_up_logs(*, quiet: bool = False) -> None:
    """Log to standard error; ``quiet`` leaves warnings and errors only (for commands that talk to people)."""
    level = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_places,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # tasks and libraries whose failures nobody awaits: which one and where, never the values in their texts
    logging.basicConfig(level=logging.ERROR, handlers=[_Libraries()])
    # libraries that log addresses or parameters must not: requests here carry ids only, and even so
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("twilio").setLevel(logging.WARNING)


def places(trace: TracebackType | None) -> list[str]:
    """Where something went wrong, the innermost last: ``file:line`` of our own code, and of the library it ended in.

    Places only: the text of an exception may hold what a caller said.
    """
    found = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(trace)]
    ours = [f"{path.relative_to(_OURS)}:{line}" for path, line in found if _is_ours(path)][-_MOST_PLACES:]
    return ours if not found or _is_ours(found[-1][0]) else [*ours, f"{found[-1][0].name}:{found[-1][1]}"]


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_OURS) and "site-packages" not in path.parts


def _with_places(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add where it broke to what is said of a failure while it is being handled."""
    trace = sys.exc_info()[2]
    if trace is not None and "error" in event:
        event.setdefault("at", places(trace))
    return event


class _Libraries(logging.Handler):
    """Says that a library, or a task that nobody awaited, reported a failure: its name and where, not its words."""

    def emit(self, record: logging.LogRecord) -> None:
        what: dict[str, Any] = {"library": record.name}
        kind, _, trace = record.exc_info or sys.exc_info()
        if kind is not None:
            what |= {"error": kind.__name__, "at": places(trace)}
        structlog.get_logger().error("library_failed", **what)
