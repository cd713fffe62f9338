from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.errors import TrustedDeviceNotFound
from tradingcore.auth.events import DeviceTrustEnded
from tradingcore.auth.ids import TrustedDeviceId
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.use_cases.factor_changes import owner_of
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTrustedDevicesCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTrustedDevices(UseCase[ListTrustedDevicesCommand, Sequence[TrustedDevice]]):
    """Newest first."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[FactorUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ListTrustedDevicesCommand) -> Sequence[TrustedDevice]:
        async with self.uow(actor) as unit:
            return await unit.trusted_devices.list_trusted(owner_of(actor), at=self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeTrustedDeviceCommand:
    device_id: TrustedDeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeTrustedDevice(UseCase[RevokeTrustedDeviceCommand, None]):
    """Have the device asked for the second factor again. Raises `TrustedDeviceNotFound`.

    It takes trust away and gives none, so that an owner who fears a thief needs no step-up for it.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[FactorUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: RevokeTrustedDeviceCommand) -> None:
        user_id, now = owner_of(actor), self.clock.now()
        async with self.uow(actor) as unit:
            if not await unit.trusted_devices.revoke(user_id, command.device_id, at=now):
                raise TrustedDeviceNotFound(f"there is no trusted device {command.device_id}")
            unit.announce(DeviceTrustEnded(occurred_at=now, user_id=user_id, device_id=command.device_id))
