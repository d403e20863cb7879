"""Notices as texts to staff, by the providers that carry texts at all."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.model import Notice
from alerts.notices.sent import SentNotices
from alerts.notices.short import short
from alerts.ports import NoticeFailed
from callrouter.texts.model import Purpose, Template, Text
from callrouter.texts.ports import ProviderBusy, TextProvider, TextRefused, TextUnsure


class TextNotifier:
    """:class:`alerts.ports.Notifier` for the channel ``text``: the first provider that takes it.

    A text of which nobody knows whether it was taken is asked for at the next try. Where the provider cannot say, it
    is sent again under the same reference: of an alert twice is better than never.
    """

    def __init__(self, providers: Sequence[TextProvider], template: Template, sent: SentNotices) -> None:
        self._providers = tuple(providers)
        self._template = template
        self._sent = sent
        self._unsure: dict[str, TextProvider] = {}

    async def send(self, notice: Notice) -> None:
        """See :meth:`alerts.ports.Notifier.send`; final if every provider refuses the number for good."""
        reference = await self._sent.reference(notice)
        if (asked := self._unsure.pop(reference, None)) is not None and await asked.find(reference):
            return
        text = Text(reference, Purpose.ALERT, self._template, notice.recipient.address, short(notice))
        reason, final = "text_no_provider", True
        for provider in self._providers:
            try:
                await provider.send(text)
            except TextRefused as error:
                reason = error.reason
            except ProviderBusy as error:
                reason, final = error.reason, False
            except TextUnsure as error:
                self._unsure[reference] = provider
                raise NoticeFailed(error.reason) from error
            else:
                return
        raise NoticeFailed(reason, final=final)
