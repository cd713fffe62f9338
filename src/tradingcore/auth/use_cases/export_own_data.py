from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Protocol

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.model.identity import Identity
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.model.phone import Phone
from tradingcore.auth.model.session import Session
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.ports.identities import IdentityRepository
from tradingcore.auth.ports.keys import ApiKeyRepository
from tradingcore.auth.ports.phones import PhoneRepository
from tradingcore.auth.queries import AuditEntry, AuditTrail
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.page import MAXIMUM_LIMIT, PageRequest
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

MOST_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """What is kept of a person, secrets apart: of those it says that they exist. The newest `MOST_EVENTS` of the audit trail."""

    exported_at: datetime
    account: UserAccount
    sessions: Sequence[Session]
    identities: Sequence[Identity]
    phone: Phone | None
    totp_since: datetime | None
    backup_codes_left: int
    passkeys: Sequence[Passkey]
    trusted_devices: Sequence[TrustedDevice]
    api_keys: Sequence[ApiKey]
    events: Sequence[AuditEntry]


class OwnDataUnitOfWork(AccountUnitOfWork, FactorUnitOfWork, Protocol):
    __slots__ = ()

    @property
    def api_keys(self) -> ApiKeyRepository: ...

    @property
    def identities(self) -> IdentityRepository: ...

    @property
    def phones(self) -> PhoneRepository: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOwnDataCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOwnData(UseCase[ExportOwnDataCommand, OwnData]):
    """Return everything that the platform keeps of the caller. Raises `PermissionDenied` for an operator, and `StepUpRequired`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[OwnDataUnitOfWork]
    trail: AuditTrail
    clock: Clock

    async def handle(self, actor: Actor, command: ExportOwnDataCommand) -> OwnData:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which an operator has not")
        now, user_id = self.clock.now(), actor.user_id
        events = await self._events(actor, user_id)
        async with self.uow(actor) as unit:
            totp = await unit.totp_factors.find(user_id)
            return OwnData(
                exported_at=now,
                account=await unit.accounts.get(user_id),
                sessions=await unit.sessions.list_live(user_id, at=now),
                identities=await unit.identities.list_of(user_id),
                phone=await unit.phones.find(user_id),
                totp_since=None if totp is None else totp.confirmed_at,
                backup_codes_left=await unit.backup_codes.count_left(user_id),
                passkeys=await unit.passkeys.list_of(user_id),
                trusted_devices=await unit.trusted_devices.list_trusted(user_id, at=now),
                api_keys=await unit.api_keys.list_of(user_id),
                events=events,
            )

    async def _events(self, actor: Actor, user_id: UserId) -> Sequence[AuditEntry]:
        events: list[AuditEntry] = []
        page = await self.trail.list_about(actor, user_id, PageRequest(limit=MAXIMUM_LIMIT))
        events += page.items
        while page.next is not None and len(events) < MOST_EVENTS:
            page = await self.trail.list_about(actor, user_id, PageRequest(limit=MAXIMUM_LIMIT, after=page.next))
            events += page.items
        return events
