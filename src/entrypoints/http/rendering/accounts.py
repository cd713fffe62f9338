from __future__ import annotations

from entrypoints.http.schemas.accounts import AccountBody, AvatarBody, SecurityEventBody
from tradingcore.auth.model.account import Avatar, UserAccount
from tradingcore.auth.queries import AuditEntry
from tradingcore.kernel.authz import Actor
from tradingcore.processes.wire import rfc3339

_TOLD_ELSEWHERE = ("user_id", "occurred_at")


def account_body(account: UserAccount, *, restriction: str | None) -> AccountBody:
    profile = account.profile
    return AccountBody(
        id=str(account.id),
        status=account.status.value,
        email=None if account.email is None else account.email.text,
        is_verified=account.is_verified,
        has_password=account.password is not None,
        roles=sorted(role.value for role in account.roles),
        plan=account.plan.value,
        display_name=profile.display_name,
        locale=profile.locale,
        time_zone=profile.time_zone,
        avatar=None if profile.avatar is None else _avatar_body(profile.avatar),
        created_at=rfc3339(account.created_at),
        password_changed_at=None if account.password_changed_at is None else rfc3339(account.password_changed_at),
        restriction=restriction,
    )


def _avatar_body(avatar: Avatar) -> AvatarBody:
    return AvatarBody(media_type=avatar.media_type, sha256=avatar.sha256, size=avatar.size)


def security_event_body(entry: AuditEntry, actor: Actor) -> SecurityEventBody:
    return SecurityEventBody(
        id=str(entry.id),
        at=rfc3339(entry.at),
        type=entry.type,
        by="you" if entry.actor_id is not None and entry.actor_id == actor.user_id else entry.actor_name,
        facts={name: value for name, value in entry.facts.items() if name not in _TOLD_ELSEWHERE},
    )
