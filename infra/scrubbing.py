"""What PostgreSQL leaves of a row that is gone, in the page where it lay.

A deleted row stays until VACUUM. VACUUM then moves the rows of the page together; what lay in the room that this
leaves stays there until a row is put there again. So the rows beside it are written anew after the VACUUM, again and
again in one transaction, until the page is full: PostgreSQL puts them into the same page while there is room. What is
smaller than a row may be left at its end, and a page without any other row is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, Connection, select, text, update

PAGES_AT_ONCE = 100
"""More is a clean-up of years; its pages are full of other dead rows, and written to soon."""


def pages_of(connection: Connection, column: Column[str], values: Collection[str]) -> list[int]:
    """The pages of the rows with these values, at most :data:`PAGES_AT_ONCE`; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    place = text("DISTINCT (ctid::text::point)[0]::bigint")
    query = select(place).select_from(column.table).where(column.in_(values)).limit(PAGES_AT_ONCE)
    return [int(page) for page in connection.execute(query).scalars()]


def rewrite_pages(connection: Connection, column: Column[str], pages: Collection[int]) -> None:
    """Write the rows of these pages anew, as they are, until each page is full; in one transaction."""
    for page in pages:
        there = text(f"ctid >= '({page:d},0)' AND ctid < '({page + 1:d},0)'")
        again = update(column.table).values({column: column}).where(there).returning(text("(ctid::text::point)[0]"))
        now_in = [page]
        while now_in and all(each == page for each in now_in):
            now_in = list(connection.execute(again).scalars())
