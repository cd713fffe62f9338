"""Phone proofs over the memory adapters, with a provider that a test controls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmPurposeSealer, AesGcmSealer
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.auth.phones import MemorySendLedger
from adapters.memory.database import MemoryDatabase
from adapters.memory.limits import MemoryAttemptLimiter
from adapters.phonenumbers.numbering import MetadataPhoneNumbering
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.phone import PhoneChannel, PhoneNumber, SpendLimits
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.phones import PhonePolicy
from tradingcore.auth.ports.phones import PhoneGateway, PhoneMessage
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.manage_phones import (
    ConfirmPhone,
    ConfirmPhoneCommand,
    GetPhone,
    RemovePhone,
    StartedPhoneProof,
    StartPhoneProof,
    StartPhoneProofCommand,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeClock, FakeSecrets, SequentialIds

NUMBER = "+34612345678"
HOME = NetworkPrefix("203.0.113.7")


class FakeGateway(PhoneGateway):
    """Takes every message; ``faults`` are raised first. With ``keeps`` it makes the codes itself."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.sent: list[PhoneMessage] = []
        self.faults: list[Exception] = []
        self.codes: dict[str, str] = {}
        self.checks = 0
        self._keeps = keeps

    @property
    def keeps_codes(self) -> bool:
        return self._keeps

    async def send(self, message: PhoneMessage) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        reference = f"SM{len(self.sent)}"
        self.codes[reference] = "246810"
        return reference

    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        if self.faults:
            raise self.faults.pop(0)
        self.checks += 1
        return self.codes[reference] == code

    @property
    def last_code(self) -> str:
        code = self.sent[-1].code
        return self.codes[f"SM{len(self.sent)}"] if code is None else code


@dataclass
class PhoneWorld:
    keeps_codes: bool = False
    countries: frozenset[str] = frozenset({"ES", "MX"})
    spend: SpendLimits = field(default_factory=lambda: SpendLimits(daily_cap=Decimal(100), daily_cap_per_block=Decimal(100)))

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.ids = SequentialIds(start=1 << 30)
        self.uow = MemoryAuthUnits(self.database, self.ids)
        self.gateway = FakeGateway(keeps=self.keeps_codes)
        self.ledger = MemorySendLedger()
        self.attempts = MemoryAttemptLimiter(self.clock)
        self.sealer = AesGcmSealer(fixed_ring(), index_key=bytes(32))
        self.secrets = FakeSecrets()
        mailer = Mailer(sealer=AesGcmPurposeSealer(fixed_ring()), clock=self.clock, ids=self.ids, secrets=self.secrets)
        self.start_proof = StartPhoneProof(
            uow=self.uow,
            numbering=MetadataPhoneNumbering(),
            gateway=self.gateway,
            ledger=self.ledger,
            attempts=self.attempts,
            policy=PhonePolicy(key=b"p" * 32, countries=self.countries, spend=self.spend),
            sealer=self.sealer,
            clock=self.clock,
            ids=self.ids,
            secrets=self.secrets,
        )
        self.confirm_phone = ConfirmPhone(
            uow=self.uow,
            gateway=self.gateway,
            ledger=self.ledger,
            attempts=self.attempts,
            limits=AttemptPolicy(key=b"k" * 32),
            sealer=self.sealer,
            mailer=mailer,
            clock=self.clock,
        )
        self.get_phone = GetPhone(uow=self.uow)
        self.remove_phone = RemovePhone(uow=self.uow, clock=self.clock)

    async def owner(self, **overrides: Any) -> tuple[UserAccount, Actor]:
        async with self.uow(an_actor()) as unit:
            account = await unit.accounts.save(an_account(**overrides))
        return account, the_owner_of(account)

    async def start(
        self,
        owner: Actor,
        number: str = NUMBER,
        *,
        channel: PhoneChannel = PhoneChannel.SMS,
        network: NetworkPrefix = HOME,
    ) -> StartedPhoneProof:
        return await self.start_proof(owner, StartPhoneProofCommand(number=number, channel=channel, network=network))

    async def confirm(self, owner: Actor, started: StartedPhoneProof, code: str) -> Any:
        return await self.confirm_phone(owner, ConfirmPhoneCommand(proof_id=started.id, code=code))

    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def in_another_session(owner: Actor) -> Actor:
    return replace(owner, session_id=SequentialIds(start=1 << 50).new_id())
