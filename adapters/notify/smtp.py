"""Notices by e-mail, over an SMTP relay."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib

from alerts.model import Notice
from alerts.notices.wording import body, subject
from alerts.ports import NoticeFailed

PERMANENT = 500
"""From here on a reply code says that the same mail will never be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """The relay, and who the mail is from.

    With ``starttls`` the connection is encrypted and the certificate checked, against ``ca_file`` if the relay
    has one of its own, or nothing is sent. ``timeout_s`` bounds each step of the conversation. Raises
    ValueError for a password without ``starttls``: it would cross the network in clear.
    """

    host: str
    port: int
    sender: str
    starttls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if self.password is not None and not self.starttls:
            raise ValueError("a password needs starttls: it would cross the network in clear")


class SmtpNotifier:
    """:class:`alerts.ports.Notifier` for the channel ``email``."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        ca_file = str(settings.ca_file) if settings.ca_file else None
        self._tls = ssl.create_default_context(cafile=ca_file) if settings.starttls else None

    async def send(self, notice: Notice) -> None:
        """Hand one e-mail to the relay. Its Message-ID is the same for every repeat of the notice."""
        s = self._settings
        try:
            await aiosmtplib.send(
                compose(notice, s.sender),
                hostname=s.host,
                port=s.port,
                start_tls=s.starttls,
                tls_context=self._tls,
                username=s.username,
                password=s.password,
                timeout=s.timeout_s,
            )
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            raise NoticeFailed("smtp_timed_out") from error
        except aiosmtplib.SMTPResponseException as error:
            raise NoticeFailed(f"smtp_refused_{error.code}") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            # RFC 5321 4.2.1: 5yz is permanent, 4yz (greylisting, a full mailbox) may pass
            if all(each.code >= PERMANENT for each in error.recipients):
                raise NoticeFailed("smtp_recipient_bounced", final=True) from error
            raise NoticeFailed("smtp_recipient_refused") from error
        except (OSError, aiosmtplib.SMTPException) as error:
            raise NoticeFailed("smtp_unreachable") from error


def compose(notice: Notice, sender: str) -> EmailMessage:
    """The notice as a plain-text e-mail, marked so that no absence note answers it (RFC 3834)."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = notice.recipient.address
    message["Subject"] = subject(notice)
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = f"<{notice.id}@callrouter.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body(notice))
    return message
