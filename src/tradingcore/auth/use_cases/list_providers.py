from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.model.identity import Provider
from tradingcore.auth.ports.identities import IdentityProvider
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProvidersCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProviders(UseCase[ListProvidersCommand, Sequence[IdentityProvider]]):
    """Those that are switched on here, in a fixed order."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    providers: Mapping[Provider, IdentityProvider]

    async def handle(self, actor: Actor, command: ListProvidersCommand) -> Sequence[IdentityProvider]:
        return [self.providers[name] for name in Provider if name in self.providers]
