"""A passkey that shows who somebody is without a password, or that answers a challenge."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from tradingcore.auth.errors import FactorRefused
from tradingcore.auth.events import SignInRefused
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.passkey import Passkey, passkey_challenge
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.passkeys import PasskeyLookup
from tradingcore.auth.use_cases.manage_passkeys import StartedPasskeyCeremony
from tradingcore.auth.use_cases.passkey_tokens import PasskeyTokens
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, SecondFactors
from tradingcore.auth.use_cases.session_opening import OpenedSession, SessionOpener
from tradingcore.kernel.authz import Actor, Assurance, Permission
from tradingcore.kernel.ports import AttemptLimiter, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskeySignInCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskeySignIn(UseCase[StartPasskeySignInCommand, StartedPasskeyCeremony]):
    """Ask for any passkey of this installation: whoever has one is found by it. Nothing is stored."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    factors: SecondFactors
    tokens: PasskeyTokens

    async def handle(self, actor: Actor, command: StartPasskeySignInCommand) -> StartedPasskeyCeremony:
        # Whoever is signed in already may sign in again, as somebody else.
        token = self.tokens.issue(replace(actor, session_id=None))
        options = self.factors.ceremonies.request_options(challenge=passkey_challenge(token), known=())
        return StartedPasskeyCeremony(token=token, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishPasskeySignInCommand:
    """``credential`` is the JSON that the browser made of the options."""

    token: str = field(repr=False)
    credential: str = field(repr=False)
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishPasskeySignIn(UseCase[FinishPasskeySignInCommand, OpenedSession]):
    """Open a session for the owner of a passkey, who has shown a key and a PIN or a fingerprint: two factors in one.

    Raises `ChallengeEnded`, `FactorRefused`, the same for a key that is unknown and for one that did not sign, `AccountDisabled`,
    `TooManyAttempts`, `StaleVersion` and `Unavailable`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    lookup: PasskeyLookup
    factors: SecondFactors
    tokens: PasskeyTokens
    opener: SessionOpener
    attempts: AttemptLimiter
    limits: AttemptPolicy

    async def handle(self, actor: Actor, command: FinishPasskeySignInCommand) -> OpenedSession:
        ceremony = self.tokens.read(command.token, replace(actor, session_id=None))
        presented = self.factors.ceremonies.presented(command.credential)
        passkey = await self.lookup.by_credential(presented.credential_id)
        if passkey is None:
            raise FactorRefused(_REFUSED)
        keys = self.limits.sign_in(account=f"passkey:{passkey.id}", network=command.caller.network)
        reservation = await self.attempts.reserve(keys)
        owner = actor.acting_for(passkey.user_id)
        try:
            async with self.uow(owner) as unit:
                await self._require_right(unit, passkey, command)
                await self.tokens.spend(unit, passkey.user_id, ceremony)
                account = await unit.accounts.get(passkey.user_id)
                opened = await self.opener.open_in(
                    unit, account, methods=(AuthMethod.PASSKEY,), assurance=Assurance.AAL2, caller=command.caller
                )
        except FactorRefused:
            async with self.uow(owner) as unit:
                now = self.factors.clock.now()
                unit.announce(SignInRefused(occurred_at=now, user_id=passkey.user_id, method=AuthMethod.PASSKEY))
            raise FactorRefused(_REFUSED) from None
        await self.attempts.refund(reservation)
        return opened

    async def _require_right(self, unit: CredentialUnitOfWork, passkey: Passkey, command: FinishPasskeySignInCommand) -> None:
        is_right = await self.factors.takes_passkey(unit, [passkey], command.credential, token=command.token, must_verify_user=True)
        if not is_right:
            raise FactorRefused(_REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskeySignInAnswerCommand:
    """``challenge`` is the token of a sign-in or of a step-up."""

    challenge: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPasskeySignInAnswer(UseCase[StartPasskeySignInAnswerCommand, str]):
    """Return the options, as JSON, by which a passkey answers a challenge. Raises `ChallengeEnded`.

    They name the keys of the account, to whoever holds the token and so knows the password.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors

    async def handle(self, actor: Actor, command: StartPasskeySignInAnswerCommand) -> str:
        challenge = await self.factors.find_challenge(command.challenge, FactorKind.PASSKEY)
        async with self.uow(actor.acting_for(challenge.user_id)) as unit:
            known = await unit.passkeys.list_of(challenge.user_id)
        return self.factors.ceremonies.request_options(challenge=passkey_challenge(command.challenge), known=known)


_REFUSED = "the passkey is not known here, or did not answer as it should"
