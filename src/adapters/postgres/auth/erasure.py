from __future__ import annotations

from typing import Final

from sqlalchemy import Table, delete, select, update

from adapters.postgres.tables.auth.accounts import (
    data_keys,
    one_time_tokens,
    refresh_tokens,
    sessions,
    user_accounts,
)
from adapters.postgres.tables.auth.factors import (
    backup_codes,
    challenges,
    passkeys,
    spent_passkey_tokens,
    totp_factors,
    trusted_devices,
)
from adapters.postgres.tables.auth.identities import identities, oauth_flows
from adapters.postgres.tables.auth.keys import api_keys
from adapters.postgres.tables.auth.phones import phone_proofs, phones
from adapters.postgres.unit import PostgresUnit
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.ports.erasure import PersonalRecords
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import PermissionDenied, RuleViolation

ERASED: Final[tuple[Table, ...]] = (
    *(refresh_tokens, sessions, one_time_tokens, identities, oauth_flows),
    *(totp_factors, backup_codes, challenges, trusted_devices, passkeys, spent_passkey_tokens),
    *(phones, phone_proofs, data_keys),
)
"""Tables whose rows of a person are deleted, in an order that their references allow."""

EMPTIED: Final[tuple[Table, ...]] = (api_keys,)
"""Tables whose rows of a person stay, because the audit trail names them, and lose what the person wrote into them."""


class PostgresPersonalRecords(PersonalRecords):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def erase(self, user_id: UserId) -> bool:
        if not self._unit.actor.is_platform:
            raise PermissionDenied("only the platform erases what it keeps of a person")
        connection = self._unit.connection
        status = select(user_accounts.c.status).where(user_accounts.c.id == user_id).with_for_update()
        if (await connection.execute(status)).scalar_one_or_none() != AccountStatus.CLOSED:
            raise RuleViolation(f"account {user_id} is not closed: close it first, nothing was erased")
        await connection.execute(update(api_keys).where(api_keys.c.user_id == user_id).values(name="erased", networks=[]))
        for table in ERASED:
            # The data key goes last and tells whether this is the first time.
            deleted = await connection.execute(delete(table).where(table.c.user_id == user_id))
        return deleted.rowcount == 1
