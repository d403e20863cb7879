"""The address of a database, read and judged without any of what connects to one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_FILE = re.compile(r"sqlite:///(?!:memory:)[^?]+")


def check_address(url: str) -> None:
    """Raises ValueError as :func:`read_address` does."""
    if not _FILE.fullmatch(url):  # what reads every other address is a third of the start of a small command
        read_address(url)


def read_address(url: str) -> URL:
    """``sqlite:///file`` or ``postgresql://…``; a driver that is named in it is passed over.

    Raises ValueError for any other address, without repeating it: it may hold a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("expected sqlite:///file or postgresql://user@host/name") from None
    kind = address.get_backend_name()
    if kind == "postgresql" or (kind == "sqlite" and address.database not in (None, "", ":memory:")):
        return address
    raise ValueError(f"{kind}: expected sqlite:///file or postgresql://user@host/name")
