"""What sign-in, step-up and the care of factors share: asking for a second factor, and looking at what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar
from uuid import UUID

from tradingcore.auth.errors import ChallengeEnded, FactorRefused
from tradingcore.auth.events import BackupCodesReplaced, DeviceTrustEnded, FactorDenied, FactorRemoved
from tradingcore.auth.ids import ChallengeId
from tradingcore.auth.model.backup_code import CODE_BYTES, CODES_IN_A_SET, FEW_LEFT, BackupCode, backup_code_hash, backup_code_text
from tradingcore.auth.model.challenge import CHALLENGE_LIFETIME, Challenge, ChallengePurpose, FactorKind
from tradingcore.auth.model.opaque_token import TOKEN_BYTES, is_opaque_token, opaque_token, opaque_token_hash
from tradingcore.auth.model.passkey import Passkey, passkey_challenge
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.model.totp import matching_step
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.factors import FactorLookup, FactorUnitOfWork
from tradingcore.auth.ports.passkeys import PasskeyCeremonies
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import Reservation
from tradingcore.kernel.ports import AttemptLimiter, Clock, IdGenerator, SecretSource, UnitOfWorkFactory

U = TypeVar("U", bound=FactorUnitOfWork)


class CredentialUnitOfWork(AccountUnitOfWork, FactorUnitOfWork, Protocol):
    """What signing in and every change of a credential touch: the account, its sessions and its second factors."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedChallenge:
    """``token`` is shown once: whoever holds it may try the ``factors``, a few times and for a while."""

    token: str = field(repr=False)
    factors: frozenset[FactorKind]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAnswer:
    """``proof``: six digits, a backup code, or what a passkey signed."""

    challenge: str = field(repr=False)
    kind: FactorKind
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenFactor:
    """``methods`` is what was proven before this; ``codes_left`` is set when a backup code was burned and few are left."""

    user_id: UserId
    kind: FactorKind
    methods: tuple[AuthMethod, ...] = ()
    codes_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactors:
    """Asks for factors and judges answers. Not a use case: it gives nobody anything."""

    lookup: FactorLookup
    ceremonies: PasskeyCeremonies
    attempts: AttemptLimiter
    limits: AttemptPolicy
    policy: FactorPolicy
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource

    async def kinds(self, unit: FactorUnitOfWork, user_id: UserId) -> frozenset[FactorKind]:
        """What the account can answer with: nothing unless it has a factor that counts."""
        totp, kinds = await unit.totp_factors.find(user_id), set()
        if totp is not None and totp.is_confirmed:
            kinds.add(FactorKind.TOTP)
        if await unit.passkeys.list_of(user_id):
            kinds.add(FactorKind.PASSKEY)
        if kinds and await unit.backup_codes.count_left(user_id):
            kinds.add(FactorKind.BACKUP_CODE)
        return frozenset(kinds)

    async def ask(
        self,
        unit: FactorUnitOfWork,
        user_id: UserId,
        purpose: ChallengePurpose,
        *,
        session_id: UUID | None = None,
        methods: tuple[AuthMethod, ...] = (),
    ) -> OpenedChallenge | None:
        """Open a challenge in the owner's unit, or return ``None`` for an account without a factor.

        ``methods`` is what was proven so far; whoever answers is told.
        """
        kinds = await self.kinds(unit, user_id)
        if not kinds:
            return None
        now, token = self.clock.now(), opaque_token(self.secrets.token(TOKEN_BYTES))
        challenge = Challenge(
            id=ChallengeId(self.ids.new_id()),
            token_hash=opaque_token_hash(token),
            user_id=user_id,
            purpose=purpose,
            factors=kinds,
            session_id=session_id,
            created_at=now,
            expires_at=now + CHALLENGE_LIFETIME,
            methods=methods,
        )
        await unit.challenges.add(challenge)
        return OpenedChallenge(token=token, factors=kinds, expires_at=challenge.expires_at)

    @asynccontextmanager
    async def answered(
        self,
        actor: Actor,
        uow: UnitOfWorkFactory[U],
        answer: FactorAnswer,
        purpose: ChallengePurpose,
        *,
        session_id: UUID | None = None,
    ) -> AsyncIterator[tuple[U, ProvenFactor]]:
        """Judge an answer; inside, the caller has the owner's unit of work and does what the answer was asked for.

        The attempt is counted and committed before anything is compared. The code, the challenge and what the caller does are
        used up in one transaction: of equal answers that come at once, one gets here. Raises `ChallengeEnded`, `FactorRefused`,
        `TooManyAttempts` and `StaleVersion`.
        """
        challenge = await self.find_challenge(answer.challenge, answer.kind)
        if not challenge.is_for(purpose, session_id):
            raise ChallengeEnded(_ENDED)
        owner = actor.acting_for(challenge.user_id)
        async with uow(owner) as unit:
            if not await unit.challenges.take_attempt(challenge.id, at=self.clock.now()):
                raise ChallengeEnded(_ENDED)
        try:
            reservation = await self.reserve(challenge.user_id)
        except TooManyAttempts:
            async with uow(owner) as unit:
                await unit.challenges.close(challenge.id, at=self.clock.now())
            raise
        try:
            async with uow(owner) as unit:
                proven = await self._judge(unit, challenge, answer)
                yield unit, proven
        except FactorRefused:
            async with uow(owner) as unit:
                unit.announce(
                    FactorDenied(occurred_at=self.clock.now(), user_id=challenge.user_id, kind=answer.kind, purpose=purpose)
                )
            raise
        await self.attempts.refund(reservation)

    async def reserve(self, user_id: UserId) -> Reservation:
        """Count an attempt at a code before it is looked at. Raises `TooManyAttempts`."""
        return await self.attempts.reserve(self.limits.code_check(user_id=user_id))

    async def find_challenge(self, token: str, kind: FactorKind) -> Challenge:
        """Return the challenge if it is open to such an answer. Raises `ChallengeEnded`."""
        found = await self.lookup.challenge(opaque_token_hash(token)) if is_opaque_token(token) else None
        if found is None or not found.is_open_to(kind, at=self.clock.now()):
            raise ChallengeEnded(_ENDED)
        return found

    async def _judge(self, unit: FactorUnitOfWork, challenge: Challenge, answer: FactorAnswer) -> ProvenFactor:
        now, user_id = self.clock.now(), challenge.user_id
        codes_left = None
        if answer.kind is FactorKind.TOTP:
            is_right = await self.takes_totp(unit, user_id, answer.proof)
        elif answer.kind is FactorKind.PASSKEY:
            known = await unit.passkeys.list_of(user_id)
            is_right = await self.takes_passkey(unit, known, answer.proof, token=answer.challenge)
        else:
            code_hash = backup_code_hash(answer.proof)
            is_right = code_hash is not None and await unit.backup_codes.burn(user_id, code_hash, at=now)
            left = await unit.backup_codes.count_left(user_id)
            codes_left = left if left <= FEW_LEFT else None
        if not is_right:
            raise FactorRefused("the code is not right, or was used before")
        # Only now: whoever was wrong may try again.
        if not await unit.challenges.close(challenge.id, at=now):
            raise ChallengeEnded(_ENDED)
        return ProvenFactor(user_id=user_id, kind=answer.kind, methods=challenge.methods, codes_left=codes_left)

    async def takes_totp(self, unit: FactorUnitOfWork, user_id: UserId, code: str) -> bool:
        """Whether ``code`` is right now; it is used up if so."""
        secret = await unit.totp_factors.secret_of(user_id)
        if secret is None:
            return False
        step = matching_step(secret, code, at=self.clock.now(), previous_steps=self.policy.totp_previous_steps)
        return step is not None and await unit.totp_factors.take_step(user_id, step)

    async def takes_passkey(
        self, unit: FactorUnitOfWork, known: Sequence[Passkey], proof: str, *, token: str, must_verify_user: bool = False
    ) -> bool:
        """Whether one of the ``known`` keys signed for ``token``; its counter is remembered. Raises `FactorRefused`."""
        presented = self.ceremonies.presented(proof)
        passkey = next((one for one in known if one.credential_id == presented.credential_id), None)
        if passkey is None:
            return False
        sign_count = self.ceremonies.verify_request(
            proof, challenge=passkey_challenge(token), passkey=passkey, must_verify_user=must_verify_user
        )
        return await unit.passkeys.record_use(passkey, sign_count=sign_count, at=self.clock.now())

    async def new_backup_codes(self, unit: FactorUnitOfWork, user_id: UserId) -> Sequence[str]:
        """Store a new set in place of the old one and return its codes, which nobody can show again."""
        now, texts, codes = self.clock.now(), [], []
        for number in range(1, CODES_IN_A_SET + 1):
            text = backup_code_text(self.secrets.token(CODE_BYTES))
            code_hash = backup_code_hash(text)
            assert code_hash is not None, "a code of ours is a code"
            texts.append(text)
            codes.append(BackupCode(code_hash=code_hash, user_id=user_id, number=number, created_at=now))
        await unit.backup_codes.replace(user_id, codes)
        unit.announce(BackupCodesReplaced(occurred_at=now, user_id=user_id))
        return texts


async def remove_factors(unit: FactorUnitOfWork, user_id: UserId, *, at: datetime) -> None:
    """Take every second factor away, with all that rests on them. The caller bumps the rights version and ends the sessions."""
    if await unit.totp_factors.remove(user_id):
        unit.announce(FactorRemoved(occurred_at=at, user_id=user_id, kind=FactorKind.TOTP))
    for passkey in await unit.passkeys.list_of(user_id):
        if await unit.passkeys.remove(user_id, passkey.id):
            unit.announce(FactorRemoved(occurred_at=at, user_id=user_id, kind=FactorKind.PASSKEY))
    await unit.backup_codes.replace(user_id, ())
    await forget_trust(unit, user_id, at=at)


async def forget_trust(unit: FactorUnitOfWork, user_id: UserId, *, at: datetime) -> None:
    """End open challenges and trusted devices: what they rest on has changed."""
    await unit.challenges.close_all(user_id, at=at)
    if await unit.trusted_devices.revoke_all(user_id, at=at):
        unit.announce(DeviceTrustEnded(occurred_at=at, user_id=user_id, device_id=None))


_ENDED: Final = "the challenge is over: it was answered, has expired or was tried too often; begin again"
