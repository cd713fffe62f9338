"""Mails to the owners of accounts: asked for in the unit of work that gives the reason, sent later by a reaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from tradingcore.auth.events import MailRequested, TokenMailed
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.auth.model.one_time_token import LIFETIMES, OneTimeToken, TokenPurpose
from tradingcore.auth.model.opaque_token import TOKEN_BYTES, opaque_token, opaque_token_hash
from tradingcore.auth.ports.accounts import OneTimeTokens
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource

DECOY: Final = "none"
NOBODY: Final = "nobody@example.invalid"


class Announcing(Protocol):
    """Any unit of work of this context."""

    __slots__ = ()

    def announce(self, *events: DomainEvent) -> None: ...


class TokenMailing(Announcing, Protocol):
    """A unit of work that keeps what is mailed."""

    __slots__ = ()

    @property
    def one_time_tokens(self) -> OneTimeTokens: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """Not a use case: it acts in the unit of work of one. Templates and their values are those of the context notifications."""

    sealer: PurposeSealer
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource

    def request(
        self,
        unit: Announcing,
        template: str,
        to: EmailAddress | None,
        locale: str,
        values: Mapping[str, str] | None = None,
    ) -> UUID:
        """Ask for a mail that goes out after the commit, and return its id.

        ``None`` is nobody: a decoy that costs what a mail costs here, and is thrown away.
        """
        mail_id = self.ids.new_id()
        payload = MailPayload(to=NOBODY if to is None else to.text, locale=locale, values=values or {})
        sealed = self.sealer.seal(payload.to_bytes(), purpose=MAIL_PURPOSE, about=str(mail_id))
        template = DECOY if to is None else template
        unit.announce(MailRequested(occurred_at=self.clock.now(), mail_id=mail_id, template=template, sealed=sealed))
        return mail_id

    async def request_with_token(
        self,
        unit: TokenMailing,
        template: str,
        *,
        account: UserAccount,
        purpose: TokenPurpose,
        to: EmailAddress,
        bound_to: str,
        values: Mapping[str, str] | None = None,
        keeps_older: bool = False,
    ) -> None:
        """The same with a fresh secret as the value ``token``, which is nowhere but in the mail.

        Older secrets of the purpose are void from now on, unless it ``keeps_older`` ones.
        """
        now, token = self.clock.now(), opaque_token(self.secrets.token(TOKEN_BYTES))
        if not keeps_older:
            await unit.one_time_tokens.void(account.id, [purpose])
        await unit.one_time_tokens.add(
            OneTimeToken(
                token_hash=opaque_token_hash(token),
                purpose=purpose,
                user_id=account.id,
                issued_at=now,
                expires_at=now + LIFETIMES[purpose],
                bound_to=bound_to,
            )
        )
        unit.announce(TokenMailed(occurred_at=now, user_id=account.id, purpose=purpose))
        self.request(unit, template, to=to, locale=account.profile.locale, values={**(values or {}), "token": token})
