"""Who a person is at an identity provider, and to which account that is linked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import InvalidInput

LONGEST_SUBJECT: Final = 255
"""Characters, as OpenID Connect Core 1.0, section 2, allows."""
LONGEST_NAME: Final = 80


class Provider(StrEnum):
    """Who vouches. ``LOCAL`` is the provider of a developer's own machine."""

    GOOGLE = "google"
    APPLE = "apple"
    FACEBOOK = "facebook"
    X = "x"
    GITHUB = "github"
    LOCAL = "local"


class EmailTrust(StrEnum):
    """How far a provider vouches for the address that it names."""

    NONE = "none"
    """It names none."""
    PROVIDER = "provider"
    """It names one, and nobody knows whether the person receives mail there."""
    VERIFIED = "verified"
    """It has verified that the person receives mail there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenIdentity:
    """What a provider has just proven of the person at the browser.

    ``subject`` is the provider's own, lasting id of the person; an address or a name never is one. ``authenticated_at`` is when the
    person last proved it to the provider, where that says so.
    """

    provider: Provider
    subject: str
    email: EmailAddress | None = None
    email_trust: EmailTrust = EmailTrust.NONE
    name: str | None = None
    authenticated_at: datetime | None = None

    def __post_init__(self) -> None:
        """Raises `InvalidInput` for a subject that cannot be one, and for a trust in no address."""
        if not 1 <= len(self.subject) <= LONGEST_SUBJECT or not self.subject.isprintable():
            raise InvalidInput(f"the subject of an identity has 1 to {LONGEST_SUBJECT} printable characters")
        if (self.email is None) is not (self.email_trust is EmailTrust.NONE):
            raise InvalidInput(f"an address and the trust in it come together, was {self.email_trust.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Aggregate):
    """A way to sign in: (provider, subject) belongs to one account at a time.

    The address and the name are what the provider said when it was linked; they never change the account's own.
    """

    id: IdentityId
    user_id: UserId
    provider: Provider
    subject: str
    email: EmailAddress | None
    email_trust: EmailTrust
    name: str | None
    linked_at: datetime

    @classmethod
    def link(cls, proven: ProvenIdentity, *, id: IdentityId, user_id: UserId, at: datetime) -> Identity:  # noqa: A002 - the field's name
        return cls(
            id=id,
            user_id=user_id,
            provider=proven.provider,
            subject=proven.subject,
            email=proven.email,
            email_trust=proven.email_trust,
            name=proven.name,
            linked_at=at,
        )
