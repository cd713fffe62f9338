from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from tradingcore.kernel.ports import Clock
from tradingcore.notifications.model.mail import KeptMail, MailMessage
from tradingcore.notifications.ports import Mailbox

MOST_KEPT: Final = 200


class MemoryMailbox(Mailbox):
    """The newest ``most_kept`` mails of this process."""

    def __init__(self, clock: Clock, *, most_kept: int = MOST_KEPT) -> None:
        self._clock = clock
        self._kept: deque[KeptMail] = deque(maxlen=most_kept)

    async def send(self, message: MailMessage) -> None:
        if all(kept.message.id != message.id for kept in self._kept):
            self._kept.append(KeptMail(at=self._clock.now(), message=message))

    async def list_kept(self) -> Sequence[KeptMail]:
        return list(reversed(self._kept))
