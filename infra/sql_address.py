"""The address of a database, read and judged without any of what connects to one."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def read_address(url: str) -> URL:
    """``sqlite:///file`` or ``postgresql://…``; a driver that is named in it is passed over.

    Raises ValueError for any other address, without repeating it: it may hold a password.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("expected sqlite:///file or postgresql://user@host/name") from None
    kind = address.get_backend_name()
    if kind == "postgresql" or (kind == "sqlite" and address.database not in (None, "", ":memory:")):
        return address
    raise ValueError(f"{kind}: expected sqlite:///file or postgresql://user@host/name")
