"""Signed heads of the audit posted to another house, which keeps them: no disk of this one need be trusted."""

from __future__ import annotations

import httpx

from careplans.audit.heads import SignedHead
from infra.tls import trusted

ANSWER_S = 5.0


class HeadWebhook:
    """:class:`careplans.audit.heads.HeadKeeper`: each head is the body of one POST, a line as of a file of heads.

    The receiver adds the body to a file, and answers 2xx once it is kept for good. It may come twice. The signature in
    it says whose it is; ``token`` only keeps strangers from filling the receiver's disk.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._tls = trusted()
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    async def keep(self, head: SignedHead) -> None:
        """Post it; raises OSError, without a word of the address, if the receiver does not say that it has it."""
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, headers=self._headers, verify=self._tls) as client:
                answer = await client.post(self._url, content=f"{head.to_json()}\n".encode())
        except httpx.HTTPError as error:
            raise OSError(f"the keeper of signed heads did not answer: {type(error).__name__}") from None
        if not answer.is_success:
            raise OSError(f"the keeper of signed heads refused: {answer.status_code}")
