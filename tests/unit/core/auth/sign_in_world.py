"""Accounts in memory, with the ways in and out of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmSealer
from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import SigningRing
from adapters.memory.auth.factors import MemoryFactorLookup
from adapters.memory.auth.keys import MemoryApiKeyLookup
from adapters.memory.auth.sessions import MemorySessionLookup
from tests.authenticator import CEREMONIES
from tests.unit.core.auth.accounts_world import NETWORK, AccountsWorld
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.totp import SECRET_BYTES, TotpFactor, code_of_step, step_at
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.auth.use_cases.authenticate import (
    AuthenticateBearer,
    AuthenticateBearerCommand,
    Credentials,
    RecheckCredential,
    RecheckCredentialCommand,
)
from tradingcore.auth.use_cases.device_trust import DeviceTrust
from tradingcore.auth.use_cases.manage_sessions import (
    EndSession,
    EndSessions,
    LeaveSession,
    ListSessions,
)
from tradingcore.auth.use_cases.refresh_session import RefreshSession, RefreshSessionCommand
from tradingcore.auth.use_cases.second_factor import FactorAnswer, SecondFactors
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession, SessionOpener, SignInOutcome
from tradingcore.auth.use_cases.sign_in import AnswerChallenge, AnswerChallengeCommand, Puzzles, SignIn, SignInCommand
from tradingcore.auth.use_cases.step_up import AskForStepUp, Renewal, StepUpByFactor, StepUpByPassword
from tradingcore.auth.use_cases.token_issuing import TokenIssuer
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.auth.builders import PASSWORD
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeSecrets, SequentialIds

HERE = Caller(network=NETWORK, device_label="Firefox on Linux")
ELSEWHERE = Caller(network=NetworkPrefix.of("198.51.100.9"), device_label="curl")
SECRET = b"s" * SECRET_BYTES
_RING = SigningRing.fresh()


class SignInWorld(AccountsWorld):
    def __init__(self, *, access_tokens: AccessTokens | None = None) -> None:
        super().__init__()
        ids, secrets = SequentialIds(1 << 41), FakeSecrets("sessions")
        self.sessions = MemorySessionLookup(self.database)
        self.blind = AesGcmSealer(fixed_ring(), index_key=b"i" * 32)
        self.tokens = access_tokens or JoserfcAccessTokens(lambda: _RING, issuer="test", audience="test")
        counted: dict[str, Any] = {"attempts": self.attempts, "limits": self.limits}
        self.factors = SecondFactors(
            lookup=MemoryFactorLookup(self.database),
            ceremonies=CEREMONIES,
            **counted,
            policy=FactorPolicy(),
            clock=self.clock,
            ids=ids,
            secrets=secrets,
        )
        self.devices = DeviceTrust(lookup=MemoryFactorLookup(self.database), clock=self.clock, ids=ids, secrets=secrets)
        self.issuer = TokenIssuer(access_tokens=self.tokens, ids=ids, secrets=secrets)
        self.opener = SessionOpener(
            uow=self.uow,
            factors=self.factors,
            devices=self.devices,
            issuer=self.issuer,
            mailer=self.mailer,
            sealer=self.blind,
            clock=self.clock,
            ids=ids,
        )
        self.puzzles = Puzzles(sealer=self.sealer, **counted, clock=self.clock, bits=8)
        self.sign_in = SignIn(
            uow=self.uow,
            accounts=self.lookup,
            passwords=self.hasher,
            **counted,
            puzzles=self.puzzles,
            devices=self.devices,
            opener=self.opener,
            clock=self.clock,
        )
        self.answer_challenge = AnswerChallenge(uow=self.uow, factors=self.factors, devices=self.devices, opener=self.opener)
        self.refresh_session = RefreshSession(
            uow=self.uow,
            sessions=self.sessions,
            issuer=self.issuer,
            mailer=self.mailer,
            sealer=self.blind,
            clock=self.clock,
        )
        self.list_sessions = ListSessions(uow=self.uow, clock=self.clock)
        self.end_session = EndSession(uow=self.uow, clock=self.clock)
        self.end_sessions = EndSessions(uow=self.uow, clock=self.clock)
        self.leave_session = LeaveSession(uow=self.uow, sessions=self.sessions, clock=self.clock)
        renewal = Renewal(issuer=self.issuer, clock=self.clock)
        self.step_up_by_password = StepUpByPassword(
            uow=self.uow, passwords=self.hasher, **counted, renewal=renewal, clock=self.clock
        )
        self.ask_for_step_up = AskForStepUp(uow=self.uow, factors=self.factors)
        self.step_up_by_factor = StepUpByFactor(uow=self.uow, factors=self.factors, renewal=renewal, mailer=self.mailer)
        stored = Credentials(sessions=self.sessions, keys=MemoryApiKeyLookup(self.database))
        self.authenticate = AuthenticateBearer(
            stored=stored, remembered=stored, access_tokens=self.tokens, policy=FactorPolicy(), clock=self.clock
        )
        self.recheck = RecheckCredential(stored=stored, remembered=stored, clock=self.clock)

    async def enters(self, name: str = "ana", *, password: str = PASSWORD, caller: Caller = HERE, **more: Any) -> SignInOutcome:
        command = SignInCommand(email=f"{name}@example.org", password=password, caller=caller, **more)
        return await self.sign_in(self.nobody(), command)

    async def signed_in(self, name: str = "ana", **more: Any) -> OpenedSession:
        outcome = await self.enters(name, **more)
        assert isinstance(outcome, OpenedSession)
        return outcome

    async def refresh(self, token: str, *, caller: Caller = HERE) -> OpenedSession:
        return await self.refresh_session(self.nobody(), RefreshSessionCommand(token=token, caller=caller))

    async def actor(self, access_token: str) -> Actor:
        return await self.authenticate(self.nobody(), AuthenticateBearerCommand(token=access_token))

    async def actor_in(self, opened: OpenedSession) -> Actor:
        return await self.actor(opened.tokens.access.text)

    async def still_holds(self, holder: Actor) -> bool:
        return await self.recheck(self.nobody(), RecheckCredentialCommand(holder=holder))

    async def with_totp(self, account: UserAccount) -> None:
        """A confirmed authenticator with the secret `SECRET`."""
        at = self.clock.now()
        async with self.uow(an_actor()) as unit:
            await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=at), SECRET)
            assert await unit.totp_factors.confirm(account.id, step=step_at(at) - 10, at=at)

    def code(self) -> str:
        return code_of_step(SECRET, step_at(self.clock.now()))

    async def answered(self, asked: FactorRequired, proof: str | None = None, **more: Any) -> OpenedSession:
        answer = FactorAnswer(challenge=asked.challenge, kind=FactorKind.TOTP, proof=proof or self.code())
        return await self.answer_challenge(self.nobody(), AnswerChallengeCommand(answer=answer, caller=HERE, **more))

    async def save(self, account: UserAccount) -> UserAccount:
        """Save what it has become, whatever version it was read at."""
        async with self.uow(an_actor()) as unit:
            return await unit.accounts.save(replace(account, version=self.account(account.id).version))

    def live_tokens(self) -> int:
        return sum(row.value.is_live(self.clock.now()) for row in self.database.refresh_tokens.rows.values())
