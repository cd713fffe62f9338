from __future__ import annotations

from tradingcore.auth.model.phone import PhoneNumber
from tradingcore.auth.ports.phones import PhoneGateway, PhoneMessage
from tradingcore.kernel.ports import IdGenerator
from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import MailMessage, mail_locale
from tradingcore.notifications.ports import MailSender


class MailboxPhoneGateway(PhoneGateway):
    """For development: messages end in the mailbox instead of on a phone. The code is ours, and nobody is charged."""

    def __init__(self, mailbox: MailSender, ids: IdGenerator) -> None:
        self._mailbox = mailbox
        self._ids = ids

    @property
    def keeps_codes(self) -> bool:
        return False

    async def send(self, message: PhoneMessage) -> str:
        mail_id = MailId(self._ids.new_id())
        await self._mailbox.send(
            MailMessage(
                id=mail_id,
                to=f"{message.number.e164}@{message.channel.value}.invalid",
                subject=f"{message.channel.value.upper()}: {message.code}",
                text=f"{message.code}\n",
                html=f"<p>{message.code}</p>\n",
                locale=mail_locale(message.locale),
            )
        )
        return str(mail_id)

    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        raise TypeError("this gateway keeps no codes")
