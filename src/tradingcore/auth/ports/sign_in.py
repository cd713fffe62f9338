from __future__ import annotations

from typing import Protocol

from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.factors import FactorUnitOfWork


class SignInUnitOfWork(AccountUnitOfWork, FactorUnitOfWork, Protocol):
    """What a sign-in touches: the account, its sessions and its second factors."""

    __slots__ = ()
