"""From what a provider says of a person to what we take over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapters.oauth.calls import ProviderCalls
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import LONGEST_NAME, EmailTrust, ProvenIdentity
from tradingcore.kernel.errors import InvalidInput


def proven(
    calls: ProviderCalls,
    *,
    subject: Any,
    email: Any = None,
    is_verified: bool = False,
    name: Any = None,
    authenticated_at: datetime | None = None,
) -> ProvenIdentity:
    """Raises `IdentityRefused` for a subject that cannot be one. An address or a name that cannot be one is left out."""
    address = address_of(email)
    trust = EmailTrust.NONE if address is None else EmailTrust.VERIFIED if is_verified else EmailTrust.PROVIDER
    if not isinstance(subject, str):
        raise calls.refused("subject")
    try:
        return ProvenIdentity(
            provider=calls.provider,
            subject=subject,
            email=address,
            email_trust=trust,
            name=name_of(name),
            authenticated_at=authenticated_at,
        )
    except InvalidInput:
        raise calls.refused("subject") from None


def address_of(value: Any) -> EmailAddress | None:
    if not isinstance(value, str):
        return None
    try:
        return EmailAddress.parse(value)
    except InvalidInput:
        return None


def name_of(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    visible = "".join(letter for letter in value if letter.isprintable())
    return " ".join(visible.split())[:LONGEST_NAME].strip() or None


def is_true(value: Any) -> bool:
    """A claim that may be a boolean or its word, as Apple sends it."""
    return value is True or value == "true"
