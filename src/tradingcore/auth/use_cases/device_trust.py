"""Devices that may leave the second factor out for a while."""

from __future__ import annotations

from dataclasses import dataclass, field

from tradingcore.auth.events import DeviceTrusted
from tradingcore.auth.ids import TrustedDeviceId
from tradingcore.auth.model.opaque_token import TOKEN_BYTES, is_opaque_token, opaque_token, opaque_token_hash
from tradingcore.auth.model.trusted_device import TRUST_LIFETIME, TrustedDevice, device_label
from tradingcore.auth.ports.factors import FactorLookup, FactorUnitOfWork
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrustedDevice:
    """``token`` is shown once, to the device."""

    token: str = field(repr=False)
    device: TrustedDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrust:
    """Recognises trusted devices and makes them. Not a use case."""

    lookup: FactorLookup
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource

    async def find(self, token: str | None, user_id: UserId) -> TrustedDevice | None:
        """The trusted device of this account that holds ``token``, if there is one: may be asked before anything is proven."""
        if token is None or not is_opaque_token(token):
            return None
        device = await self.lookup.trusted_device(opaque_token_hash(token))
        is_trusted = device is not None and device.user_id == user_id and device.is_trusted(at=self.clock.now())
        return device if is_trusted else None

    async def give(self, unit: FactorUnitOfWork, user_id: UserId, label: str) -> NewTrustedDevice:
        """Trust the device that has just shown a second factor, in the unit in which it did."""
        now, token = self.clock.now(), opaque_token(self.secrets.token(TOKEN_BYTES))
        device = TrustedDevice(
            id=TrustedDeviceId(self.ids.new_id()),
            token_hash=opaque_token_hash(token),
            user_id=user_id,
            label=device_label(label),
            created_at=now,
            expires_at=now + TRUST_LIFETIME,
        )
        await unit.trusted_devices.add(device)
        unit.announce(DeviceTrusted(occurred_at=now, user_id=user_id, device_id=device.id))
        return NewTrustedDevice(token=token, device=device)
