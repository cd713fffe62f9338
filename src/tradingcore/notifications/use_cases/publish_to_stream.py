from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase
from tradingcore.notifications.model.stream import StreamMessage, StreamPosition
from tradingcore.notifications.ports import StreamLog


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishToStreamCommand:
    messages: Sequence[StreamMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishToStream(UseCase[PublishToStreamCommand, Sequence[StreamPosition]]):
    """Publish once per (topic, event id), however often it is called."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    log: StreamLog

    async def handle(self, actor: Actor, command: PublishToStreamCommand) -> Sequence[StreamPosition]:
        return await self.log.publish(command.messages)
