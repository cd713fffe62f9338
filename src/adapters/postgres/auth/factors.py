from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, Update, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.data_keys import DataKeys
from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.factors import (
    backup_code_to_row,
    challenge_from_row,
    challenge_to_row,
    secret_cell,
    totp_factor_from_row,
    trusted_device_from_row,
    trusted_device_to_row,
)
from adapters.postgres.tables.auth.factors import backup_codes, challenges, totp_factors, trusted_devices
from adapters.postgres.unit import NOBODY, PostgresUnit
from tradingcore.auth.ids import ChallengeId, TrustedDeviceId
from tradingcore.auth.model.backup_code import BackupCode
from tradingcore.auth.model.challenge import MOST_ATTEMPTS, Challenge
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.factors import BackupCodes, Challenges, FactorLookup, TotpFactors, TrustedDevices
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import PermissionDenied

_PUBLIC: Final[Select[Any]] = select(
    totp_factors.c.user_id, totp_factors.c.created_at, totp_factors.c.last_step, totp_factors.c.confirmed_at
)
_NAME_CHALLENGE: Final = text("select set_config('app.challenge_hash', :hash, true)")
_NAME_DEVICE: Final = text("select set_config('app.device_hash', :hash, true)")


class PostgresTotpFactors(TotpFactors):
    """Which rows exist for the actor is decided by row-level security, here and below."""

    def __init__(self, unit: PostgresUnit, keys: DataKeys, sealer: Sealer) -> None:
        self._unit = unit
        self._keys = keys
        self._sealer = sealer

    async def find(self, user_id: UserId) -> TotpFactor | None:
        row = (await self._unit.connection.execute(_PUBLIC.where(totp_factors.c.user_id == user_id))).one_or_none()
        return None if row is None else totp_factor_from_row(row)

    async def secret_of(self, user_id: UserId) -> bytes | None:
        statement = select(totp_factors.c.secret_sealed).where(totp_factors.c.user_id == user_id)
        sealed = (await self._unit.connection.execute(statement)).scalar_one_or_none()
        if sealed is None:
            return None
        return self._sealer.open(await self._keys.of(user_id), bytes(sealed), about=secret_cell(user_id))

    async def enrol(self, factor: TotpFactor, secret: bytes) -> bool:
        if not (self._unit.actor.is_platform or self._unit.actor.user_id == factor.user_id):
            raise PermissionDenied("an authenticator is enrolled by its owner")
        sealed = self._sealer.seal(await self._keys.of(factor.user_id), secret, about=secret_cell(factor.user_id))
        values = {
            "secret_sealed": sealed,
            "created_at": factor.created_at,
            "last_step": factor.last_step,
            "confirmed_at": factor.confirmed_at,
        }
        statement = (
            insert(totp_factors)
            .values(user_id=factor.user_id, **values)
            .on_conflict_do_update(index_elements=["user_id"], set_=values, where=totp_factors.c.confirmed_at.is_(None))
        )
        return (await self._unit.connection.execute(statement)).rowcount == 1

    async def confirm(self, user_id: UserId, *, step: int, at: datetime) -> bool:
        return await _changes(
            self._unit,
            update(totp_factors)
            .where(totp_factors.c.user_id == user_id, totp_factors.c.confirmed_at.is_(None))
            .values(confirmed_at=at, last_step=step),
        )

    async def take_step(self, user_id: UserId, step: int) -> bool:
        return await _changes(
            self._unit,
            update(totp_factors)
            .where(totp_factors.c.user_id == user_id, totp_factors.c.confirmed_at.is_not(None), totp_factors.c.last_step < step)
            .values(last_step=step),
        )

    async def remove(self, user_id: UserId) -> bool:
        result = await self._unit.connection.execute(delete(totp_factors).where(totp_factors.c.user_id == user_id))
        return result.rowcount == 1


class PostgresBackupCodes(BackupCodes):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def replace(self, user_id: UserId, codes: Sequence[BackupCode]) -> None:
        await self._unit.connection.execute(delete(backup_codes).where(backup_codes.c.user_id == user_id))
        if codes:
            await self._unit.connection.execute(insert(backup_codes), [backup_code_to_row(code) for code in codes])

    async def burn(self, user_id: UserId, code_hash: bytes, *, at: datetime) -> bool:
        return await _changes(
            self._unit,
            update(backup_codes)
            .where(backup_codes.c.user_id == user_id, backup_codes.c.code_hash == code_hash, backup_codes.c.used_at.is_(None))
            .values(used_at=at),
        )

    async def count_left(self, user_id: UserId) -> int:
        statement = (
            select(func.count())
            .select_from(backup_codes)
            .where(backup_codes.c.user_id == user_id, backup_codes.c.used_at.is_(None))
        )
        return int((await self._unit.connection.execute(statement)).scalar_one())


class PostgresChallenges(Challenges):
    """Asking a user sweeps the expired challenges of that user."""

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def add(self, challenge: Challenge) -> None:
        expired = challenges.c.user_id == challenge.user_id, challenges.c.expires_at <= challenge.created_at
        await self._unit.connection.execute(delete(challenges).where(*expired))
        await self._unit.connection.execute(insert(challenges), challenge_to_row(challenge))

    async def take_attempt(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        statement = update(challenges).where(*_is_open(at), challenges.c.id == challenge_id, challenges.c.attempts < MOST_ATTEMPTS)
        return await _changes(self._unit, statement.values(attempts=challenges.c.attempts + 1))

    async def close(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        return await _changes(
            self._unit, update(challenges).where(*_is_open(at), challenges.c.id == challenge_id).values(closed_at=at)
        )

    async def close_all(self, user_id: UserId, *, at: datetime) -> None:
        mine = challenges.c.user_id == user_id, challenges.c.closed_at.is_(None)
        await self._unit.connection.execute(update(challenges).where(*mine).values(closed_at=at))


def _is_open(at: datetime) -> tuple[Any, ...]:
    return challenges.c.closed_at.is_(None), challenges.c.expires_at > at


class PostgresTrustedDevices(TrustedDevices):
    """Trusting a device sweeps those of its user that are trusted no longer."""

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def add(self, device: TrustedDevice) -> None:
        is_over = (trusted_devices.c.expires_at <= device.created_at) | trusted_devices.c.revoked_at.is_not(None)
        await self._unit.connection.execute(delete(trusted_devices).where(trusted_devices.c.user_id == device.user_id, is_over))
        await self._unit.connection.execute(insert(trusted_devices), trusted_device_to_row(device))

    async def list_trusted(self, user_id: UserId, *, at: datetime) -> Sequence[TrustedDevice]:
        newest_first = trusted_devices.c.created_at.desc(), trusted_devices.c.id.desc()
        rows = await self._unit.connection.execute(select(trusted_devices).where(*_is_trusted(user_id, at)).order_by(*newest_first))
        return [trusted_device_from_row(row) for row in rows]

    async def revoke(self, user_id: UserId, device_id: TrustedDeviceId, *, at: datetime) -> bool:
        statement = update(trusted_devices).where(*_is_trusted(user_id, at), trusted_devices.c.id == device_id)
        return await _changes(self._unit, statement.values(revoked_at=at))

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> int:
        statement = update(trusted_devices).where(*_is_trusted(user_id, at)).values(revoked_at=at)
        return (await self._unit.connection.execute(statement)).rowcount


def _is_trusted(user_id: UserId, at: datetime) -> tuple[Any, ...]:
    devices = trusted_devices.c
    return devices.user_id == user_id, devices.revoked_at.is_(None), devices.expires_at > at


async def _changes(unit: PostgresUnit, statement: Update) -> bool:
    # The row's lock makes concurrent callers queue; each looks again at what the one before left.
    return (await unit.connection.execute(statement)).rowcount == 1


class PostgresFactorLookup(FactorLookup):
    """The role of ``engine`` is ``tc_api``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def challenge(self, token_hash: bytes) -> Challenge | None:
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            await connection.execute(_NAME_CHALLENGE, {"hash": token_hash.hex()})
            row = (await connection.execute(select(challenges).where(challenges.c.token_hash == token_hash))).one_or_none()
        return None if row is None else challenge_from_row(row)

    async def trusted_device(self, token_hash: bytes) -> TrustedDevice | None:
        statement = select(trusted_devices).where(trusted_devices.c.token_hash == token_hash)
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            await connection.execute(_NAME_DEVICE, {"hash": token_hash.hex()})
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else trusted_device_from_row(row)
