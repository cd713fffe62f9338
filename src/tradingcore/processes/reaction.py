from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol, TypeVar

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor

E = TypeVar("E", bound=DomainEvent, contravariant=True)


class Reaction(Protocol[E]):
    """What the relay calls. ``name`` identifies the handler for ever: it is stored with every event that it has handled."""

    __slots__ = ()

    name: ClassVar[str]
    reacts_to: ClassVar[type[DomainEvent]]

    @abstractmethod
    async def react(self, actor: Actor, event: E, recorded: RecordedEvent) -> None:
        """Handle ``event``, which is ``recorded.event``. Raise to have it delivered again."""
