from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import Clock
from tradingcore.kernel.use_case import UseCase
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import CATALOGUE, MailOrder, MailTemplate
from tradingcore.notifications.ports import MailComposer, MailSender


class MailOutcome(StrEnum):
    SENT = "sent"
    DECOY = "decoy"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMailCommand:
    """``mail_id`` makes a repetition known to mailboxes."""

    mail_id: MailId
    order: MailOrder
    ordered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMail(UseCase[SendMailCommand, MailOutcome]):
    """Write the mail and hand it over, unless it is a decoy or too old to be of use.

    Raises `InvalidInput` for an order that lacks a value, and what `MailSender.send` raises.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    composer: MailComposer
    sender: MailSender
    clock: Clock

    async def handle(self, actor: Actor, command: SendMailCommand) -> MailOutcome:
        order = command.order
        if order.template is MailTemplate.NONE:
            return MailOutcome.DECOY
        if self.clock.now() - command.ordered_at >= CATALOGUE[order.template].useful_for:
            return MailOutcome.OUTDATED
        await self.sender.send(self.composer.compose(order, mail_id=command.mail_id))
        return MailOutcome.SENT
