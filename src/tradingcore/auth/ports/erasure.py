from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from tradingcore.kernel.authz import UserId


class PersonalRecords(Protocol):
    """Everything that is kept of one person beside the account itself."""

    __slots__ = ()

    @abstractmethod
    async def erase(self, user_id: UserId) -> bool:
        """Delete it all and destroy the data key, without which nothing that was sealed can be read again, in copies neither.

        What stays: the closed account, an id without content, and the audit trail, which knows that id alone. ``False`` when it was
        done before. For the platform only: raises `PermissionDenied`, and `RuleViolation` for an account that is not closed.
        """
