from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.postgres.auth.data_keys import DataKeys
from adapters.postgres.rows.auth.phones import (
    number_to_bytes,
    phone_cell,
    phone_from_row,
    proof_cell,
    proof_from_row,
    proof_to_row,
)
from adapters.postgres.tables.auth.phones import phone_proofs, phones
from adapters.postgres.unit import PostgresUnit
from tradingcore.auth.ids import PhoneProofId
from tradingcore.auth.model.phone import MOST_PROOF_ATTEMPTS, Phone, PhoneProof
from tradingcore.auth.ports.phones import PhoneRepository
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import PermissionDenied


class PostgresPhoneRepository(PhoneRepository):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit, keys: DataKeys, sealer: Sealer) -> None:
        self._unit = unit
        self._keys = keys
        self._sealer = sealer

    async def find(self, user_id: UserId) -> Phone | None:
        row = (await self._unit.connection.execute(select(phones).where(phones.c.user_id == user_id))).one_or_none()
        if row is None:
            return None
        return phone_from_row(row, await self._opened(user_id, row.number_sealed, phone_cell(user_id)))

    async def put(self, phone: Phone) -> None:
        self._refuse_foreign(phone.user_id)
        sealed = await self._sealed(phone.user_id, number_to_bytes(phone.number), phone_cell(phone.user_id))
        values = {
            "number_sealed": sealed,
            "number_index": self._sealer.blind_index(phone.number.e164, purpose="phone"),
            "channel": phone.channel.value,
            "confirmed_at": phone.confirmed_at,
        }
        statement = insert(phones).values(user_id=phone.user_id, **values)
        await self._unit.connection.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))

    async def remove(self, user_id: UserId) -> bool:
        removed = await self._unit.connection.execute(delete(phones).where(phones.c.user_id == user_id))
        if removed.rowcount != 1:
            return False
        await self._unit.connection.execute(delete(phone_proofs).where(phone_proofs.c.user_id == user_id))
        return True

    async def start(self, proof: PhoneProof) -> None:
        self._refuse_foreign(proof.user_id)
        sealed = await self._sealed(proof.user_id, number_to_bytes(proof.number), proof_cell(proof.id))
        await self._unit.connection.execute(delete(phone_proofs).where(phone_proofs.c.user_id == proof.user_id))
        await self._unit.connection.execute(insert(phone_proofs), proof_to_row(proof, sealed))

    async def refer(self, proof_id: PhoneProofId, reference: str) -> None:
        statement = update(phone_proofs).where(phone_proofs.c.id == proof_id).values(reference=reference)
        await self._unit.connection.execute(statement)

    async def take_attempt(self, proof_id: PhoneProofId, *, session_id: UUID | None, at: datetime) -> PhoneProof | None:
        statement = (
            update(phone_proofs)
            .where(
                phone_proofs.c.id == proof_id,
                phone_proofs.c.session_id.is_not_distinct_from(session_id),
                phone_proofs.c.closed_at.is_(None),
                phone_proofs.c.expires_at > at,
                phone_proofs.c.attempts < MOST_PROOF_ATTEMPTS,
            )
            .values(attempts=phone_proofs.c.attempts + 1)
            .returning(phone_proofs)
        )
        row = (await self._unit.connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return proof_from_row(row, await self._opened(UserId(row.user_id), row.number_sealed, proof_cell(row.id)))

    async def close(self, proof_id: PhoneProofId, *, at: datetime) -> bool:
        statement = (
            update(phone_proofs)
            .where(phone_proofs.c.id == proof_id, phone_proofs.c.closed_at.is_(None), phone_proofs.c.expires_at > at)
            .values(closed_at=at)
        )
        return (await self._unit.connection.execute(statement)).rowcount == 1

    def _refuse_foreign(self, user_id: UserId) -> None:
        if not (self._unit.actor.is_platform or self._unit.actor.user_id == user_id):
            raise PermissionDenied("a phone number is kept by its owner")

    async def _sealed(self, user_id: UserId, content: bytes, about: str) -> bytes:
        return self._sealer.seal(await self._keys.of(user_id), content, about=about)

    async def _opened(self, user_id: UserId, sealed: bytes, about: str) -> bytes:
        return self._sealer.open(await self._keys.of(user_id), bytes(sealed), about=about)
