"""Logging: one JSON object a line on standard error, events as verbs with ids, nothing personal."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up_logs(*, quiet: bool = False) -> None:
    """Log to standard error; ``quiet`` leaves warnings and errors only (for commands that talk to people)."""
    level = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # tasks and libraries whose failures nobody awaits: their names, never the values in their texts
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, format="%(name)s %(levelname)s")
    # libraries that log addresses or parameters must not: requests here carry ids only, and even so
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("twilio").setLevel(logging.WARNING)
