"""An account with second factors, in memory, and somebody who answers its challenges."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pyotp

from adapters.memory.auth.factors import MemoryFactorLookup
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.database import MemoryDatabase
from adapters.memory.limits import MemoryAttemptLimiter
from tests.authenticator import CEREMONIES
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.challenge import ChallengePurpose, FactorKind
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.model.totp import STEP_SECONDS, TotpFactor, secret_text
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.use_cases.device_trust import DeviceTrust
from tradingcore.auth.use_cases.second_factor import FactorAnswer, OpenedChallenge, ProvenFactor, SecondFactors
from tradingcore.kernel.aggregate import AuditedEvent
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.fakes import FakeClock, FakeSecrets, SequentialIds

NOBODY = Actor.anonymous(TraceId("0" * 32))
SECRET = bytes(range(20))
STEP = timedelta(seconds=STEP_SECONDS)
WRONG = "987654"


@dataclass
class FactorDesk:
    clock: FakeClock = field(default_factory=FakeClock)
    account: UserAccount = field(default_factory=an_account)
    policy: FactorPolicy = field(default_factory=FactorPolicy)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.units = MemoryAuthUnits(self.database, SequentialIds())
        self.limiter = MemoryAttemptLimiter(self.clock)
        self.limits = AttemptPolicy(key=b"k" * 32)
        self.factors = SecondFactors(
            lookup=MemoryFactorLookup(self.database),
            ceremonies=CEREMONIES,
            attempts=self.limiter,
            limits=self.limits,
            policy=self.policy,
            clock=self.clock,
            ids=SequentialIds(start=1 << 50),
            secrets=FakeSecrets(),
        )
        self.devices = DeviceTrust(
            lookup=MemoryFactorLookup(self.database), clock=self.clock, ids=SequentialIds(start=1 << 51), secrets=FakeSecrets()
        )
        self.owner = the_owner_of(self.account)
        self.device = pyotp.TOTP(secret_text(SECRET))

    def code(self, *, steps_ago: int = 0) -> str:
        """What the authenticator shows."""
        return self.device.at(self.clock.now() - steps_ago * STEP)

    async def confirm_factor(self) -> list[str]:
        """Give the account an authenticator that counts, and return its backup codes."""
        user_id = self.account.id
        async with self.units(self.owner) as unit:
            await unit.totp_factors.enrol(TotpFactor(user_id=user_id, created_at=self.clock.now()), SECRET)
            await unit.totp_factors.confirm(user_id, step=0, at=self.clock.now())
            return list(await self.factors.new_backup_codes(unit, user_id))

    async def ask(self, purpose: ChallengePurpose = ChallengePurpose.SIGN_IN) -> OpenedChallenge:
        session_id = self.owner.session_id if purpose is ChallengePurpose.STEP_UP else None
        async with self.units(self.owner) as unit:
            opened = await self.factors.ask(unit, self.account.id, purpose, session_id=session_id, methods=(AuthMethod.PASSWORD,))
        assert opened is not None
        return opened

    async def answer(
        self,
        challenge: OpenedChallenge,
        proof: str,
        kind: FactorKind = FactorKind.TOTP,
        *,
        actor: Actor = NOBODY,
        purpose: ChallengePurpose = ChallengePurpose.SIGN_IN,
    ) -> ProvenFactor:
        answer = FactorAnswer(challenge=challenge.token, kind=kind, proof=proof)
        async with self.factors.answered(actor, self.units, answer, purpose, session_id=actor.session_id) as (_, proven):
            return proven

    def audited(self) -> list[AuditedEvent]:
        return [recorded.event for recorded, _, _ in self.database.audit if isinstance(recorded.event, AuditedEvent)]
