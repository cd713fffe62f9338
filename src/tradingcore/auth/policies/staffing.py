"""Who may manage whom: staff manages customers, superadmins manage staff too, and nobody manages the own account that way."""

from __future__ import annotations

from tradingcore.auth.model.account import UserAccount
from tradingcore.kernel.authz import Actor, Permission, Role
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.permissions import STAFF


def refuse_unmanageable(actor: Actor, account: UserAccount) -> None:
    """Raise `PermissionDenied` unless ``actor`` may suspend, reset or change ``account``."""
    if actor.is_platform:
        return
    if account.id == actor.acting_user_id:
        raise PermissionDenied("nobody manages the own account this way: ask another administrator")
    if account.roles & STAFF and Permission.ROLES_MANAGE not in actor.permissions:
        raise PermissionDenied("accounts of staff are managed by superadmins")


def needs_second_person(actor: Actor, role: Role) -> bool:
    """Whether granting ``role`` takes two: a role of staff does, save for an operator, whom the database itself let in."""
    return role in STAFF and not actor.is_platform
