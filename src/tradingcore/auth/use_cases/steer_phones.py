"""What an operator sees of the codes that are sent, and the switch that stops them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.events import PhoneSwitchSet
from tradingcore.auth.model.phone import SpendStatus
from tradingcore.auth.ports.phones import PhoneUnitOfWork, SendLedger
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPhoneSpendCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPhoneSpend(UseCase[ShowPhoneSpendCommand, SpendStatus]):
    """Return what was spent today (UTC), how many codes came back, and which blocks of numbers are closed."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    ledger: SendLedger
    clock: Clock

    async def handle(self, actor: Actor, command: ShowPhoneSpendCommand) -> SpendStatus:
        return await self.ledger.status(at=self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPhoneSwitchCommand:
    is_stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPhoneSwitch(UseCase[SetPhoneSwitchCommand, None]):
    """Stop every code to every number at once, in every process, or let them go again."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[PhoneUnitOfWork]
    ledger: SendLedger
    clock: Clock

    async def handle(self, actor: Actor, command: SetPhoneSwitchCommand) -> None:
        await self.ledger.set_stopped(is_stopped=command.is_stopped)
        async with self.uow(actor) as unit:
            unit.announce(PhoneSwitchSet(occurred_at=self.clock.now(), user_id=None, is_stopped=command.is_stopped))
