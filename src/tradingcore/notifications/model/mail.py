"""Mails: what is ordered, by template and values, and what is sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.ids import MailId

LONGEST_ADDRESS: Final = 254
"""RFC 5321, 4.5.3.1.3, less the angle brackets."""


class MailLocale(StrEnum):
    """Languages that every template is written in."""

    ENGLISH = "en"
    SPANISH = "es"


class MailTemplate(StrEnum):
    """What a mail is about. ``NONE`` is a decoy: it costs what a mail costs until here, and nobody gets it."""

    NONE = "none"
    VERIFY_ADDRESS = "verify_address"
    ALREADY_REGISTERED = "already_registered"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a template's name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - likewise
    ADDRESS_CHANGE_CONFIRM = "address_change_confirm"
    ADDRESS_CHANGED = "address_changed"
    PROVE_ACCOUNT = "prove_account"
    NEW_DEVICE = "new_device"
    REFRESH_TOKEN_REUSE = "refresh_token_reuse"  # noqa: S105 - likewise
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    BACKUP_CODES_LOW = "backup_codes_low"
    SESSION_CAP_REACHED = "session_cap_reached"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    ROLE_CHANGED = "role_changed"
    PHONE_ADDED = "phone_added"
    IDENTITY_LINKED = "identity_linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailForm:
    """What a template needs. ``link`` is the page that the mail leads to, with the value ``token`` if the template has one.

    After ``useful_for`` the mail would only confuse, and is not sent.
    """

    values: frozenset[str]
    link: str | None = None
    useful_for: timedelta


def _form(*values: str, link: str | None = None, useful_for: timedelta = timedelta(days=7)) -> MailForm:
    return MailForm(values=frozenset(values), link=link, useful_for=useful_for)


CATALOGUE: Final[Mapping[MailTemplate, MailForm]] = {
    MailTemplate.VERIFY_ADDRESS: _form("token", link="verify-address", useful_for=timedelta(hours=24)),
    MailTemplate.ALREADY_REGISTERED: _form(useful_for=timedelta(hours=24)),
    MailTemplate.RESET_PASSWORD: _form("token", link="reset-password", useful_for=timedelta(minutes=20)),
    MailTemplate.PASSWORD_CHANGED: _form("at"),
    MailTemplate.ADDRESS_CHANGE_CONFIRM: _form("token", link="confirm-address-change", useful_for=timedelta(hours=24)),
    MailTemplate.ADDRESS_CHANGED: _form("new_address", "at", "token", link="undo-address-change", useful_for=timedelta(hours=72)),
    MailTemplate.PROVE_ACCOUNT: _form("provider", "token", link="prove-account", useful_for=timedelta(minutes=10)),
    MailTemplate.NEW_DEVICE: _form("device", "network", "at"),
    MailTemplate.REFRESH_TOKEN_REUSE: _form("device", "at"),
    MailTemplate.FACTOR_ADDED: _form("factor", "at"),
    MailTemplate.FACTOR_REMOVED: _form("factor", "at"),
    MailTemplate.BACKUP_CODES_LOW: _form("left"),
    MailTemplate.SESSION_CAP_REACHED: _form("device", "at"),
    MailTemplate.ACCOUNT_SUSPENDED: _form("at"),
    MailTemplate.ACCOUNT_CLOSED: _form("at"),
    MailTemplate.ROLE_CHANGED: _form("roles", "at"),
    MailTemplate.PHONE_ADDED: _form("phone", "at"),
    MailTemplate.IDENTITY_LINKED: _form("provider", "at"),
}
"""Values are texts; ``at`` is a time in ISO 8601 with its offset. What a template does not name is left out of the mail."""


def mail_locale(tag: str | None) -> MailLocale:
    """The language of ``tag`` (BCP 47: ``es-MX``) if mails are written in it, else English."""
    language = (tag or "").replace("_", "-").partition("-")[0].lower()
    return MailLocale(language) if language in set(MailLocale) else MailLocale.ENGLISH


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOrder:
    """A mail before it is written. Values are data from outside: whoever writes the mail escapes them."""

    template: MailTemplate
    to: str
    locale: MailLocale
    values: Mapping[str, str]


def missing_values(order: MailOrder) -> frozenset[str]:
    """What the template of ``order`` needs and did not get."""
    return CATALOGUE[order.template].values - order.values.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMessage:
    """A written mail. ``id`` is the same however often it is sent. Raises `InvalidInput` for what could forge a header."""

    id: MailId
    to: str
    subject: str
    text: str
    html: str
    locale: MailLocale

    def __post_init__(self) -> None:
        if not is_mail_address(self.to):
            raise InvalidInput("a mail goes to one address of the form name@domain")
        if not 1 <= len(self.subject) <= 200 or not self.subject.isprintable():
            raise InvalidInput("a mail has a subject of 1 to 200 printable characters")


def is_mail_address(text: str) -> bool:
    """Whether ``text`` is one bare address that is safe in a header: no more than that, because only delivery proves an address."""
    name, at, domain = text.rpartition("@")
    if not (name and at and domain) or len(text) > LONGEST_ADDRESS:
        return False
    return not any(letter in '<>()[],;:\\"' or unicodedata.category(letter)[0] in "CZ" for letter in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMail:
    """A mail in a mailbox for development."""

    at: datetime
    message: MailMessage
