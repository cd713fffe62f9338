"""Prove again who one is, without a new session (RFC 9470)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from tradingcore.auth.errors import CredentialRefused, FactorNeeded, FactorNotFound, PasswordWrong
from tradingcore.auth.events import SignInRefused, SteppedUp
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.challenge import ChallengePurpose
from tradingcore.auth.model.session import AuthMethod, Session
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.passwords import PasswordHasher
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, FactorAnswer, OpenedChallenge, SecondFactors
from tradingcore.auth.use_cases.session_opening import notify_owner
from tradingcore.auth.use_cases.token_issuing import AccessToken, TokenIssuer
from tradingcore.kernel.authz import Actor, Assurance, Permission, UserId
from tradingcore.kernel.errors import FieldError, PermissionDenied
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedUpSession:
    session: Session
    access: AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Makes a session as fresh as a new one. Not a use case: whoever calls it has seen the proof."""

    issuer: TokenIssuer
    clock: Clock

    async def renew(
        self, unit: CredentialUnitOfWork, session_id: SessionId, *, method: AuthMethod, assurance: Assurance
    ) -> SteppedUpSession:
        """Raises `CredentialRefused` for a session or an account that ended meanwhile, `FactorNeeded` for less than was shown."""
        now, session = self.clock.now(), await unit.sessions.get(session_id)
        account = await unit.accounts.get(session.user_id)
        if not session.is_live(now) or not account.may_sign_in:
            raise CredentialRefused("the session has ended: sign in again")
        if assurance < session.assurance:
            # Or whoever has the session and the password passes for one who has just shown the factor as well.
            raise FactorNeeded("this session was opened with a second factor: prove that one again")
        renewed = await unit.sessions.save(session.renewed(methods=(method,), assurance=assurance, at=now))
        unit.announce(SteppedUp(occurred_at=now, user_id=account.id, session_id=session.id, method=method))
        return SteppedUpSession(session=renewed, access=self.issuer.access(renewed, account, at=now))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpByPasswordCommand:
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpByPassword(UseCase[StepUpByPasswordCommand, SteppedUpSession]):
    """Renew the caller's session by its password, at the level of one factor.

    Raises `PasswordWrong`, also for an account without one, `FactorNeeded` in a session of two factors, `CredentialRefused` when
    the account has changed meanwhile, `PermissionDenied` for an API key, `TooManyAttempts`, `Overloaded` and `Unavailable`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    passwords: PasswordHasher
    attempts: AttemptLimiter
    limits: AttemptPolicy
    renewal: Renewal
    clock: Clock

    async def handle(self, actor: Actor, command: StepUpByPasswordCommand) -> SteppedUpSession:
        user_id, session_id = session_of(actor)
        account = await self._account(actor, user_id)
        keys = self.limits.password_check(user_id=user_id, session=str(session_id))
        reservation = await self.attempts.reserve(keys)
        try:
            check = await self.passwords.verify(command.password, account.password)
        except BaseException:
            await self.attempts.refund(reservation)
            raise
        if not check.is_right:
            async with self.uow(actor) as unit:
                unit.announce(self._refused(user_id, self.clock.now()))
            # No refusal of the credential, which holds: a client that refreshes upon one would ask twice.
            sentence = "the password is not right"
            raise PasswordWrong(sentence, errors=(FieldError("/password", "wrong", sentence),))
        await self.attempts.refund(reservation)
        await self.attempts.clear(reservation.consecutive)
        async with self.uow(actor) as unit:
            current = await unit.accounts.get(user_id)
            if current.rights_version != account.rights_version:
                raise CredentialRefused("the account has changed meanwhile: sign in again")
            return await self.renewal.renew(unit, session_id, method=AuthMethod.PASSWORD, assurance=Assurance.AAL1)

    async def _account(self, actor: Actor, user_id: UserId) -> UserAccount:
        async with self.uow(actor) as unit:
            return await unit.accounts.get(user_id)

    def _refused(self, user_id: UserId, at: datetime) -> SignInRefused:
        return SignInRefused(occurred_at=at, user_id=user_id, method=AuthMethod.PASSWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForStepUpCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForStepUp(UseCase[AskForStepUpCommand, OpenedChallenge]):
    """Open a challenge that `StepUpByFactor` answers, in this session only.

    Raises `FactorNotFound` for an account without a second factor and `PermissionDenied` for an API key.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors

    async def handle(self, actor: Actor, command: AskForStepUpCommand) -> OpenedChallenge:
        user_id, session_id = session_of(actor)
        async with self.uow(actor) as unit:
            asked = await self.factors.ask(unit, user_id, ChallengePurpose.STEP_UP, session_id=session_id)
        if asked is None:
            raise FactorNotFound("the account has no second factor: set one up, or prove the password again")
        return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpByFactorCommand:
    answer: FactorAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpByFactor(UseCase[StepUpByFactorCommand, SteppedUpSession]):
    """Renew the caller's session by a second factor, at the level of two.

    Raises `ChallengeEnded`, `FactorRefused`, `TooManyAttempts`, `PermissionDenied` for an API key, and `CredentialRefused`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors
    renewal: Renewal
    mailer: Mailer

    async def handle(self, actor: Actor, command: StepUpByFactorCommand) -> SteppedUpSession:
        _, session_id = session_of(actor)
        answered = self.factors.answered(actor, self.uow, command.answer, ChallengePurpose.STEP_UP, session_id=session_id)
        async with answered as (unit, proven):
            if proven.codes_left is not None:
                notify_owner(
                    self.mailer, unit, await unit.accounts.get(proven.user_id), "backup_codes_low", {"left": str(proven.codes_left)}
                )
            return await self.renewal.renew(unit, session_id, method=proven.kind.method, assurance=Assurance.AAL2)


def session_of(actor: Actor) -> tuple[UserId, SessionId]:
    """Raises `PermissionDenied` for a caller that is not in a session."""
    if actor.user_id is None or actor.session_id is None:
        raise PermissionDenied("this needs a person who has signed in, an API key is not enough")
    return actor.user_id, SessionId(actor.session_id)
