from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.auth.accounts import is_own, refuse_foreign
from adapters.memory.database import EnrolledTotp, MemoryDatabase, MemoryUnit
from adapters.memory.table import Kept
from tradingcore.auth.ids import ChallengeId, TrustedDeviceId
from tradingcore.auth.model.backup_code import BackupCode
from tradingcore.auth.model.challenge import MOST_ATTEMPTS, Challenge
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.factors import BackupCodes, Challenges, FactorLookup, TotpFactors, TrustedDevices
from tradingcore.kernel.authz import UserId


class MemoryTotpFactors(TotpFactors):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._staged = unit.stage(unit.database.totp_factors)

    def _row(self, user_id: UserId) -> Kept[EnrolledTotp] | None:
        return self._staged.find(user_id) if is_own(self._actor, user_id) else None

    async def find(self, user_id: UserId) -> TotpFactor | None:
        row = self._row(user_id)
        return None if row is None else row.value.factor

    async def secret_of(self, user_id: UserId) -> bytes | None:
        row = self._row(user_id)
        return None if row is None else row.value.secret

    async def enrol(self, factor: TotpFactor, secret: bytes) -> bool:
        refuse_foreign(self._actor, factor.user_id)
        row = self._row(factor.user_id)
        if row is not None and row.value.factor.is_confirmed:
            return False
        self._staged.save(Kept(version=0 if row is None else row.version, value=EnrolledTotp(factor, secret)))
        return True

    async def confirm(self, user_id: UserId, *, step: int, at: datetime) -> bool:
        row = self._row(user_id)
        if row is None or row.value.factor.is_confirmed:
            return False
        self._put(row, replace(row.value.factor, confirmed_at=at, last_step=step))
        return True

    async def take_step(self, user_id: UserId, step: int) -> bool:
        row = self._row(user_id)
        if row is None or not row.value.factor.is_confirmed or row.value.factor.last_step >= step:
            return False
        self._put(row, replace(row.value.factor, last_step=step))
        return True

    def _put(self, row: Kept[EnrolledTotp], factor: TotpFactor) -> None:
        self._staged.save(replace(row, value=EnrolledTotp(factor, row.value.secret)))

    async def remove(self, user_id: UserId) -> bool:
        return self._row(user_id) is not None and self._staged.delete([user_id]) == 1


class MemoryBackupCodes(BackupCodes):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._staged = unit.stage(unit.database.backup_codes)

    def _rows(self, user_id: UserId) -> Sequence[Kept[BackupCode]]:
        return self._staged.in_group(user_id) if is_own(self._actor, user_id) else ()

    async def replace(self, user_id: UserId, codes: Sequence[BackupCode]) -> None:
        self._staged.delete([row.value.code_hash for row in self._rows(user_id)])
        for code in codes:
            refuse_foreign(self._actor, code.user_id)
            self._staged.save(Kept(value=code))

    async def burn(self, user_id: UserId, code_hash: bytes, *, at: datetime) -> bool:
        row = next((row for row in self._rows(user_id) if row.value.code_hash == code_hash), None)
        if row is None or row.value.used_at is not None:
            return False
        self._staged.save(replace(row, value=replace(row.value, used_at=at)))
        return True

    async def count_left(self, user_id: UserId) -> int:
        return sum(row.value.used_at is None for row in self._rows(user_id))


class MemoryChallenges(Challenges):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._staged = unit.stage(unit.database.challenges)

    def _open(self, challenge_id: ChallengeId, at: datetime) -> Kept[Challenge] | None:
        row = self._staged.find(challenge_id)
        if row is None or not is_own(self._actor, row.value.user_id):
            return None
        return row if row.value.closed_at is None and at < row.value.expires_at else None

    def _put(self, row: Kept[Challenge], challenge: Challenge) -> bool:
        self._staged.save(replace(row, value=challenge))
        return True

    async def add(self, challenge: Challenge) -> None:
        refuse_foreign(self._actor, challenge.user_id)
        own = self._staged.in_group(challenge.user_id)
        self._staged.delete([row.value.id for row in own if row.value.expires_at <= challenge.created_at])
        self._staged.save(Kept(value=challenge))

    async def take_attempt(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        row = self._open(challenge_id, at)
        if row is None or row.value.attempts >= MOST_ATTEMPTS:
            return False
        return self._put(row, replace(row.value, attempts=row.value.attempts + 1))

    async def close(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        row = self._open(challenge_id, at)
        return row is not None and self._put(row, replace(row.value, closed_at=at))

    async def close_all(self, user_id: UserId, *, at: datetime) -> None:
        if is_own(self._actor, user_id):
            for row in self._staged.in_group(user_id):
                if row.value.closed_at is None:
                    self._put(row, replace(row.value, closed_at=at))


class MemoryTrustedDevices(TrustedDevices):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._staged = unit.stage(unit.database.trusted_devices)

    async def add(self, device: TrustedDevice) -> None:
        refuse_foreign(self._actor, device.user_id)
        own = self._staged.in_group(device.user_id)
        self._staged.delete([row.value.id for row in own if not row.value.is_trusted(at=device.created_at)])
        self._staged.save(Kept(value=device))

    def _trusted(self, user_id: UserId, at: datetime) -> Sequence[Kept[TrustedDevice]]:
        rows = self._staged.in_group(user_id) if is_own(self._actor, user_id) else ()
        return [row for row in rows if row.value.is_trusted(at=at)]

    async def list_trusted(self, user_id: UserId, *, at: datetime) -> Sequence[TrustedDevice]:
        devices = [row.value for row in self._trusted(user_id, at)]
        return sorted(devices, key=lambda device: (device.created_at, device.id), reverse=True)

    async def revoke(self, user_id: UserId, device_id: TrustedDeviceId, *, at: datetime) -> bool:
        return self._revoke([row for row in self._trusted(user_id, at) if row.value.id == device_id], at) == 1

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> int:
        return self._revoke(self._trusted(user_id, at), at)

    def _revoke(self, rows: Sequence[Kept[TrustedDevice]], at: datetime) -> int:
        for row in rows:
            self._staged.save(replace(row, value=replace(row.value, revoked_at=at)))
        return len(rows)


class MemoryFactorLookup(FactorLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def challenge(self, token_hash: bytes) -> Challenge | None:
        table = self._database.challenges
        key = table.unique_rows.get(token_hash)
        return None if key is None else table.rows[key].value

    async def trusted_device(self, token_hash: bytes) -> TrustedDevice | None:
        table = self._database.trusted_devices
        key = table.unique_rows.get(token_hash)
        return None if key is None else table.rows[key].value
