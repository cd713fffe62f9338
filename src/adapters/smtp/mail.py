from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

import aiosmtplib

from tradingcore.kernel.errors import InvalidInput, Unavailable
from tradingcore.kernel.ports import Clock
from tradingcore.notifications.errors import MailRefused
from tradingcore.notifications.model.mail import MailMessage, is_mail_address
from tradingcore.notifications.ports import MailSender

TlsMode = Literal["none", "starttls", "implicit"]
PORTS: Final[Mapping[TlsMode, int]] = {"none": 25, "starttls": 587, "implicit": 465}
AT_A_TIME: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """Port 0 takes the usual one of the mode. ``authority`` is a file of certificates to trust instead of the system's."""

    host: str
    port: int = 0
    tls: TlsMode = "starttls"
    user: str | None = None
    password: str | None = None
    sender: str
    sender_name: str = "tradingcore"
    authority: Path | None = None
    timeout_seconds: float = 10.0


class SmtpMailSender(MailSender):
    """Hands mails to a server, at most four at a time and each over a connection of its own.

    What the server says about this one mail for good (its recipient, its content) is `MailRefused`. Everything else, its opinion of
    our login or of our own address included, is `Unavailable`: an operator can mend it, and no mail is lost meanwhile.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        if not is_mail_address(settings.sender):
            raise InvalidInput(f"mail is sent from an address of the form name@domain, was {settings.sender!r}")
        self._settings = settings
        self._clock = clock
        self._free = asyncio.Semaphore(AT_A_TIME)
        self._context = None if settings.tls == "none" else ssl.create_default_context(cafile=settings.authority)

    async def send(self, message: MailMessage) -> None:
        wire = as_email(message, sender=self._settings.sender, name=self._settings.sender_name, at=self._clock.now())
        async with self._free:
            try:
                # The library's limit is for each step; a server that drips must not hold a place for ever.
                async with asyncio.timeout(3 * self._settings.timeout_seconds):
                    await self._deliver(wire, message)
            except TimeoutError:
                raise self._away("it did not answer in time") from None
            except (aiosmtplib.SMTPException, OSError) as error:
                raise self._away(_said(error)) from None

    async def _deliver(self, wire: EmailMessage, message: MailMessage) -> None:
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port or PORTS[settings.tls],
            username=settings.user,
            password=settings.password,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=self._context,
            timeout=settings.timeout_seconds,
        )
        async with client:
            try:
                await client.send_message(wire, sender=settings.sender, recipients=[message.to])
            except aiosmtplib.SMTPRecipientsRefused as error:
                self._refuse_for_good(error.recipients[0])
                raise
            except aiosmtplib.SMTPDataError as error:
                self._refuse_for_good(error)
                raise
            except aiosmtplib.SMTPNotSupported:
                raise MailRefused("the mail server does not take addresses with letters beyond ASCII") from None

    def _refuse_for_good(self, error: aiosmtplib.SMTPResponseException) -> None:
        if error.code >= 500:
            raise MailRefused(f"the mail server {self._settings.host} refuses the mail: {_said(error)}") from None

    def _away(self, reason: str) -> Unavailable:
        return Unavailable(f"the mail server {self._settings.host} takes no mail now: {reason}")


def as_email(message: MailMessage, *, sender: str, name: str, at: datetime) -> EmailMessage:
    """The message as it travels. The library refuses line breaks in headers; addresses are single ones by construction."""
    email = EmailMessage(policy=WIRE)
    email["From"] = _address(sender, name)
    email["To"] = _address(message.to)
    email["Subject"] = message.subject
    email["Date"] = format_datetime(at.astimezone(UTC))
    email["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    # RFC 3834: no holiday notice in answer to this one.
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(message.text)
    email.add_alternative(message.html, subtype="html")
    email["Content-Language"] = message.locale.value  # last: giving the content removes what was said of it
    return email


def _address(text: str, name: str = "") -> Address:
    local, _, domain = text.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _said(error.recipients[0])
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"it does not accept the login ({error.code})"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        # Servers quote addresses and more in their texts: the code alone goes into logs.
        return f"code {error.code}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed, {error.reason or 'unknown reason'}"
    return type(error).__name__
