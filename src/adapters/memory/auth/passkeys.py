from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.auth.accounts import is_own, refuse_foreign
from adapters.memory.database import MemoryDatabase, MemoryUnit, SpentToken
from adapters.memory.table import Kept
from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.model.passkey import Passkey, counts_up
from tradingcore.auth.ports.passkeys import PasskeyLookup, Passkeys
from tradingcore.kernel.authz import UserId


class MemoryPasskeys(Passkeys):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._staged = unit.stage(unit.database.passkeys)
        self._spent = unit.stage(unit.database.spent_passkey_tokens)

    def _rows(self, user_id: UserId) -> Sequence[Kept[Passkey]]:
        return self._staged.in_group(user_id) if is_own(self._actor, user_id) else ()

    def _row(self, user_id: UserId, passkey_id: PasskeyId) -> Kept[Passkey] | None:
        return next((row for row in self._rows(user_id) if row.value.id == passkey_id), None)

    async def list_of(self, user_id: UserId) -> Sequence[Passkey]:
        return sorted((row.value for row in self._rows(user_id)), key=lambda passkey: (passkey.created_at, passkey.id))

    async def add(self, passkey: Passkey) -> bool:
        refuse_foreign(self._actor, passkey.user_id)
        if self._staged.find_unique(passkey.credential_id) is not None:
            return False
        self._staged.save(Kept(value=passkey))
        return True

    async def record_use(self, passkey: Passkey, *, sign_count: int, at: datetime) -> bool:
        row = self._row(passkey.user_id, passkey.id)
        if row is None or not counts_up(row.value.sign_count, sign_count):
            return False
        self._staged.save(replace(row, value=replace(row.value, sign_count=sign_count, last_used_at=at)))
        return True

    async def rename(self, user_id: UserId, passkey_id: PasskeyId, label: str) -> bool:
        row = self._row(user_id, passkey_id)
        if row is None:
            return False
        self._staged.save(replace(row, value=replace(row.value, label=label)))
        return True

    async def remove(self, user_id: UserId, passkey_id: PasskeyId) -> bool:
        return self._row(user_id, passkey_id) is not None and self._staged.delete([passkey_id]) == 1

    async def spend(self, user_id: UserId, token_hash: bytes, *, expires_at: datetime, at: datetime) -> bool:
        refuse_foreign(self._actor, user_id)
        own = self._spent.in_group(user_id)
        self._spent.delete([(user_id, row.value.token_hash) for row in own if row.value.expires_at <= at])
        if self._spent.find((user_id, token_hash)) is not None:
            return False
        self._spent.save(Kept(value=SpentToken(user_id, token_hash, expires_at)))
        return True


class MemoryPasskeyLookup(PasskeyLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def by_credential(self, credential_id: bytes) -> Passkey | None:
        table = self._database.passkeys
        key = table.unique_rows.get(credential_id)
        return None if key is None else table.rows[key].value
