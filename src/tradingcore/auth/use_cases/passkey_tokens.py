"""Tokens that tie the two halves of a passkey ceremony together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tradingcore.auth.errors import ChallengeEnded, Unsealable
from tradingcore.auth.model.opaque_token import opaque_token_hash
from tradingcore.auth.model.passkey import CEREMONY_LIFETIME
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.ports import Clock, SecretSource

PURPOSE: Final = "passkey"
LONGEST_TOKEN: Final = 512
_ENDED: Final = "the passkey took too long, or its answer was sent before: begin again"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyCeremony:
    token_hash: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyTokens:
    """A token carries its own end, sealed, so that asking for one stores nothing: only its use is remembered, by its user.

    One that is issued in a session is good there and nowhere else; one that is issued to nobody is for signing in.
    """

    sealer: PurposeSealer
    secrets: SecretSource
    clock: Clock

    def issue(self, actor: Actor) -> str:
        expires_at = self.clock.now() + CEREMONY_LIFETIME
        content = {"end": expires_at.isoformat(), "once": self.secrets.token(16).hex()}
        return self.sealer.seal(json.dumps(content).encode(), purpose=PURPOSE, about=_holder(actor))

    def read(self, token: str, actor: Actor) -> PasskeyCeremony:
        """Raises `ChallengeEnded` for a token that is not ours, another session's, or old."""
        try:
            if len(token) > LONGEST_TOKEN:
                raise ChallengeEnded(_ENDED)
            content = json.loads(self.sealer.open(token, purpose=PURPOSE, about=_holder(actor)))
        except Unsealable:
            raise ChallengeEnded(_ENDED) from None
        expires_at = datetime.fromisoformat(content["end"])
        if self.clock.now() >= expires_at:
            raise ChallengeEnded(_ENDED)
        return PasskeyCeremony(token_hash=opaque_token_hash(token), expires_at=expires_at)

    async def spend(self, unit: FactorUnitOfWork, user_id: UserId, ceremony: PasskeyCeremony) -> None:
        """Use it up in the owner's unit. Raises `ChallengeEnded` for one that was used."""
        now = self.clock.now()
        if not await unit.passkeys.spend(user_id, ceremony.token_hash, expires_at=ceremony.expires_at, at=now):
            raise ChallengeEnded(_ENDED)


def _holder(actor: Actor) -> str:
    return "sign-in" if actor.session_id is None else f"session:{actor.session_id}"
