"""The one way into the core: authorise, tell the observer, handle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, final

from tradingcore.kernel.authz import Actor, Permission, StepUp, authorize
from tradingcore.kernel.ports import SILENT, Observer

C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase(ABC, Generic[C, R]):
    """Call it: ``result = await place_order(actor, command)``. Write it: declare ``permission``, fields for the ports, ``handle``.

    A class that declares no permission fails at import. A use case never calls another one. ``step_up`` asks for a recent sign-in.
    """

    permission: ClassVar[Permission]
    step_up: ClassVar[StepUp | None] = None
    observer: Observer = SILENT

    def __init_subclass__(cls, **kwargs: object) -> None:
        # Not zero-argument super(): dataclass(slots=True) makes a second class, for which it raises.
        ABC.__init_subclass__(**kwargs)
        if not isinstance(getattr(cls, "permission", None), Permission):
            raise TypeError(f"{cls.__name__} declares no permission")

    @final
    async def __call__(self, actor: Actor, command: C) -> R:
        """Run the use case for ``actor``. Raises what ``handle`` raises, and what `authorize` raises."""
        with self.observer.watch(type(self).__name__, actor):
            authorize(actor, self.permission, self.step_up)
            return await self.handle(actor, command)

    @abstractmethod
    async def handle(self, actor: Actor, command: C) -> R: ...
