from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.events import MailRequested
from tradingcore.auth.model.mail_payload import MAIL_PURPOSE, MailPayload
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.notifications.errors import MailRefused
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import MailOrder, MailTemplate, mail_locale
from tradingcore.notifications.use_cases.send_mail import SendMail, SendMailCommand
from tradingcore.processes.reaction import Reaction


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenMailRequestedSend(Reaction[MailRequested]):
    """A mail server that is away is tried again, with the same Message-ID; one that refuses a mail for good is not asked twice."""

    name: ClassVar[str] = "notifications.send_mail"
    reacts_to: ClassVar[type[DomainEvent]] = MailRequested
    sealer: PurposeSealer
    send_mail: SendMail

    async def react(self, actor: Actor, event: MailRequested, recorded: RecordedEvent) -> None:
        content = self.sealer.open(event.sealed, purpose=MAIL_PURPOSE, about=str(event.mail_id))
        payload = MailPayload.from_bytes(content)
        order = MailOrder(
            template=MailTemplate(event.template),
            to=payload.to,
            locale=mail_locale(payload.locale),
            values=payload.values,
        )
        # The observer has been told of the refusal.
        with suppress(MailRefused):
            await self.send_mail(actor, SendMailCommand(mail_id=MailId(event.mail_id), order=order, ordered_at=event.occurred_at))
