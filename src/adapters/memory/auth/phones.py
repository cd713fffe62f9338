from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from adapters.memory.auth.accounts import is_own, refuse_foreign
from adapters.memory.database import MemoryUnit
from adapters.memory.table import Kept
from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.auth.model.phone import (
    RANKS,
    DeliveryState,
    Phone,
    PhoneProof,
    PlannedSend,
    SpendLimits,
    SpendStatus,
    has_proven_itself,
    is_attack,
    nothing_is_sent,
    refusal_of,
)
from tradingcore.auth.ports.phones import PhoneRepository, SendLedger
from tradingcore.kernel.authz import UserId


class MemoryPhoneRepository(PhoneRepository):
    def __init__(self, unit: MemoryUnit) -> None:
        self._actor = unit.actor
        self._phones = unit.stage(unit.database.phones)
        self._proofs = unit.stage(unit.database.phone_proofs)

    async def find(self, user_id: UserId) -> Phone | None:
        row = self._phones.find(user_id) if is_own(self._actor, user_id) else None
        return None if row is None else row.value

    async def put(self, phone: Phone) -> None:
        refuse_foreign(self._actor, phone.user_id)
        row = self._phones.find(phone.user_id)
        self._phones.save(Kept(version=0 if row is None else row.version, value=phone))

    async def remove(self, user_id: UserId) -> bool:
        if await self.find(user_id) is None:
            return False
        self._proofs.delete([row.value.id for row in self._proofs.in_group(user_id)])
        return self._phones.delete([user_id]) == 1

    async def start(self, proof: PhoneProof) -> None:
        refuse_foreign(self._actor, proof.user_id)
        self._proofs.delete([row.value.id for row in self._proofs.in_group(proof.user_id)])
        self._proofs.save(Kept(value=proof))

    async def refer(self, proof_id: PhoneProofId, reference: str) -> None:
        row = self._own(proof_id)
        if row is not None:
            self._proofs.save(replace(row, value=replace(row.value, reference=reference)))

    async def take_attempt(self, proof_id: PhoneProofId, *, session_id: UUID | None, at: datetime) -> PhoneProof | None:
        row = self._own(proof_id)
        if row is None or not row.value.is_open(session_id=session_id, at=at):
            return None
        taken = replace(row.value, attempts=row.value.attempts + 1)
        self._proofs.save(replace(row, value=taken))
        return taken

    async def close(self, proof_id: PhoneProofId, *, at: datetime) -> bool:
        row = self._own(proof_id)
        if row is None or row.value.closed_at is not None or at >= row.value.expires_at:
            return False
        self._proofs.save(replace(row, value=replace(row.value, closed_at=at)))
        return True

    def _own(self, proof_id: PhoneProofId) -> Kept[PhoneProof] | None:
        row = self._proofs.find(proof_id)
        return row if row is not None and is_own(self._actor, row.value.user_id) else None


@dataclass(slots=True)
class _Block:
    """``sends`` in the order in which they were reserved."""

    sends: list[_Send] = field(default_factory=list)
    counted_from: datetime | None = None
    closed_until: datetime | None = None

    def last(self, limits: SpendLimits) -> tuple[int, int]:
        """How many of the last sends there are to look at, and how many of them converted."""
        since = self.counted_from
        window = [send for send in self.sends[-limits.window :] if since is None or send.planned.at >= since]
        return len(window), sum(send.converted_at is not None for send in window)


@dataclass(slots=True, kw_only=True)
class _Send:
    planned: PlannedSend
    is_proven: bool
    reference: str | None = None
    state: DeliveryState = DeliveryState.RESERVED
    converted_at: datetime | None = None


class MemorySendLedger(SendLedger):
    """Plain code between two awaits: nothing interleaves."""

    def __init__(self) -> None:
        self.sends: dict[PhoneSendId, _Send] = {}
        self._references: dict[str, _Send] = {}
        self._blocks: dict[str, _Block] = {}
        self._spent: dict[tuple[date, str | bool | None], Decimal] = {}
        self._is_stopped = False

    async def reserve(self, planned: PlannedSend, limits: SpendLimits) -> None:
        block, day = self._blocks.setdefault(planned.block, _Block()), planned.at.date()
        is_open = block.closed_until is None or planned.at >= block.closed_until
        sends, converted = block.last(limits)
        if is_open and is_attack(limits, sends=sends, converted=converted):
            block.closed_until = block.counted_from = planned.at + limits.closed_for
            is_open = False
        is_proven = has_proven_itself(limits, sends=sends, converted=converted)
        refusal = refusal_of(
            planned,
            limits,
            is_stopped=self._is_stopped,
            is_block_closed=not is_open,
            spent=self._spent.get((day, None), Decimal(0)),
            spent_unproven=self._spent.get((day, False), Decimal(0)),
            spent_in_block=self._spent.get((day, planned.block), Decimal(0)),
            is_proven=is_proven,
        )
        if refusal is not None:
            raise nothing_is_sent(refusal)
        send = self.sends[planned.id] = _Send(planned=planned, is_proven=is_proven)
        block.sends.append(send)
        self._charge(send, planned.price)

    def _charge(self, send: _Send, price: Decimal) -> None:
        for scope in (None, send.is_proven, send.planned.block):
            key = (send.planned.at.date(), scope)
            self._spent[key] = self._spent.get(key, Decimal(0)) + price

    async def cancel(self, send_id: PhoneSendId) -> None:
        send = self.sends.pop(send_id, None)
        if send is not None:
            self._blocks[send.planned.block].sends.remove(send)
            self._charge(send, -send.planned.price)

    async def accepted(self, send_id: PhoneSendId, reference: str) -> None:
        send = self.sends.get(send_id)
        if send is not None:
            send.reference = reference
            self._references[reference] = send
            self._move(send, DeliveryState.SENT)

    async def converted(self, send_id: PhoneSendId, *, at: datetime) -> None:
        send = self.sends.get(send_id)
        if send is not None and send.converted_at is None:
            send.converted_at = at

    async def record(self, reference: str, state: DeliveryState) -> bool:
        send = self._references.get(reference)
        if send is None:
            return False
        self._move(send, state)
        return True

    def _move(self, send: _Send, state: DeliveryState) -> None:
        if RANKS[state] > RANKS[send.state]:
            send.state = state

    async def set_stopped(self, *, is_stopped: bool) -> None:
        self._is_stopped = is_stopped

    async def status(self, *, at: datetime) -> SpendStatus:
        today = [send for send in self.sends.values() if send.planned.at.date() == at.date()]
        return SpendStatus(
            is_stopped=self._is_stopped,
            spent=sum((send.planned.price for send in today), Decimal(0)),
            sends=len(today),
            converted=sum(send.converted_at is not None for send in today),
            closed_blocks=tuple(
                sorted(name for name, block in self._blocks.items() if block.closed_until is not None and at < block.closed_until)
            ),
        )
