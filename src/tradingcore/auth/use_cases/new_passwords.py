"""What it takes to choose a password, and what ends when one is replaced."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.password import PRODUCT_WORDS, PasswordHash, PasswordPolicy, common_password, context_words
from tradingcore.auth.model.session import EndReason
from tradingcore.auth.ports.passwords import PasswordBlocklist, PasswordHasher
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, forget_trust

PROOFS: Final[Sequence[TokenPurpose]] = (TokenPurpose.RESET_PASSWORD, TokenPurpose.PROVE_ACCOUNT)
"""Mailed secrets that stand for a password: void once it was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasswords:
    """Never inside a unit of work: hashing takes as long as many requests."""

    policy: PasswordPolicy
    blocklist: PasswordBlocklist
    hasher: PasswordHasher

    async def check(self, password: str, *, is_staff: bool = False, words: Collection[str] = PRODUCT_WORDS) -> None:
        """Raise `PasswordRefused`. Says nothing of any account but what the caller brings."""
        self.policy.check(password, is_staff=is_staff, words=words)
        if await self.blocklist.contains(password):
            raise common_password()

    async def hash(self, password: str, *, of: UserAccount) -> PasswordHash:
        """Check it against what is known of its owner, and hash it. Raises `PasswordRefused` and `Overloaded`."""
        await self.check(password, is_staff=of.is_staff, words=context_words(email=of.email, display_name=of.profile.display_name))
        return await self.hasher.hash(password)


async def end_trust(unit: CredentialUnitOfWork, account: UserAccount, *, at: datetime, but: SessionId | None = None) -> None:
    """End what was opened with the credentials that the account had: sessions save one, trusted devices, proofs by mail."""
    await unit.sessions.end_all(account.id, EndReason.CREDENTIAL_CHANGED, at=at, but=but)
    await forget_trust(unit, account.id, at=at)
    # Whoever had the old credentials may have asked for another address, too: it would bring the account back.
    await unit.one_time_tokens.void(account.id, (*PROOFS, TokenPurpose.CHANGE_ADDRESS))
