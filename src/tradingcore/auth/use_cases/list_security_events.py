from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.queries import AuditEntry, AuditTrail
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSecurityEventsCommand:
    page: PageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSecurityEvents(UseCase[ListSecurityEventsCommand, Page[AuditEntry]]):
    """What happened to the own account, newest first."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    trail: AuditTrail

    async def handle(self, actor: Actor, command: ListSecurityEventsCommand) -> Page[AuditEntry]:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which an operator has not")
        return await self.trail.list_about(actor, actor.user_id, command.page)
