from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.memory.database import MemoryUnit
from adapters.memory.table import Kept, Table
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.ports.erasure import PersonalRecords
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import PermissionDenied, RuleViolation


class MemoryPersonalRecords(PersonalRecords):
    """Nothing is sealed here, so there is no data key to destroy: the rows themselves go."""

    def __init__(self, unit: MemoryUnit) -> None:
        self._unit = unit

    async def erase(self, user_id: UserId) -> bool:
        unit, database = self._unit, self._unit.database
        if not unit.actor.is_platform:
            raise PermissionDenied("only the platform erases what it keeps of a person")
        account = unit.stage(database.user_accounts).find(user_id)
        if account is None or account.status is not AccountStatus.CLOSED:
            raise RuleViolation(f"account {user_id} is not closed: close it first, nothing was erased")
        erased = unit.stage(database.erased_accounts)
        if erased.find(user_id) is not None:
            return False
        erased.save(Kept(value=user_id))
        keys = unit.stage(database.api_keys)
        for key in [key for key in keys if key.user.id == user_id]:
            keys.save(replace(key, name="erased", networks=()))
        sessions, tokens = unit.stage(database.sessions), unit.stage(database.refresh_tokens)
        for session in sessions.in_group(user_id):
            tokens.delete([row.value.token.token_hash for row in tokens.in_group(session.id)])
            sessions.delete([session.id])
        grouped: tuple[Table[Any, Any], ...] = (
            *(database.one_time_tokens, database.identities, database.backup_codes, database.challenges),
            *(database.trusted_devices, database.passkeys, database.spent_passkey_tokens, database.phone_proofs),
        )
        for table in grouped:
            staged = unit.stage(table)
            staged.delete([table.key(row) for row in staged.in_group(user_id)])
        flows = unit.stage(database.oauth_flows)
        flows.delete([row.value.flow.key_hash for row in flows if row.value.flow.user_id == user_id])
        unit.stage(database.totp_factors).delete([user_id])
        unit.stage(database.phones).delete([user_id])
        return True
