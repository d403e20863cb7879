"""Keeping the leases of many callers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.asterisk.ari import AriError, AriRefused
from adapters.asterisk.line import Line

ABREAST = 50
"""Renewals under way at once. One after another, 300 callers took so long on a busy machine that leases ran out while
their worker lived; all at once would hold up everybody's prompts for the length of all of them."""


async def renew_all(lines: Sequence[Line], seconds: float) -> None:
    """Keep each caller for ``seconds`` from now.

    One whom Asterisk refuses is brought to somebody by their lease; the others keep theirs, also where it does not
    answer for one. Ends early, and late, where it answers for nobody or the connection is gone, which says so itself.
    """
    for start in range(0, len(lines), ABREAST):
        asked = [asyncio.ensure_future(each.renew_lease(seconds)) for each in lines[start : start + ABREAST]]
        try:
            answered, _ = await asyncio.wait(asked, timeout=seconds / 8)
            if not answered:
                answered, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in asked:
                each.cancel()  # asked for they all were: a late answer changes nothing
        for error in [each.exception() for each in answered]:
            if isinstance(error, AriError) and not isinstance(error, AriRefused):
                return
            if error is not None and not isinstance(error, AriRefused):
                raise error
