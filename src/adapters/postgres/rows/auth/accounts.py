from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from tradingcore.auth.model.account import AccountKind, AccountStatus, Avatar, Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.model.password import PasswordHash
from tradingcore.auth.ports.sealing import Sealer, WrappedKey
from tradingcore.kernel.authz import Plan, Role, UserId
from tradingcore.kernel.codec import decode, encode


def email_index(sealer: Sealer, email: EmailAddress) -> bytes:
    """What an address is looked up by."""
    return sealer.blind_index(email.comparable, purpose="email")


def account_to_row(account: UserAccount, sealer: Sealer, key: WrappedKey | None) -> dict[str, Any]:
    """``key`` may be ``None`` for an account that holds nothing personal."""
    profile, email, password = account.profile, account.email, account.password
    return {
        "id": account.id,
        "status": account.status,
        "email_sealed": None if email is None else _seal(sealer, key, email.text, _about("email", account.id)),
        "email_index": None if email is None else email_index(sealer, email),
        "password_scheme": None if password is None else password.scheme,
        "password_hash": None if password is None else password.encoded,
        "password_changed_at": account.password_changed_at,
        "roles": sorted(account.roles),
        "plan": account.plan,
        "display_name_sealed": _seal(sealer, key, profile.display_name, _about("display_name", account.id)),
        "locale": profile.locale,
        "time_zone": profile.time_zone,
        "avatar": None if profile.avatar is None else encode(profile.avatar),
        "rights_version": account.rights_version,
        "created_at": account.created_at,
        "verified_at": account.verified_at,
        "closed_at": account.closed_at,
        "kind": account.kind,
    }


def account_from_row(row: Row[Any], sealer: Sealer, key: WrappedKey | None) -> UserAccount:
    email = _open(sealer, key, row.email_sealed, _about("email", row.id))
    return UserAccount(
        version=row.version,
        id=UserId(row.id),
        status=AccountStatus(row.status),
        email=EmailAddress(email) if email else None,
        password=None if row.password_hash is None else PasswordHash(scheme=row.password_scheme, encoded=row.password_hash),
        password_changed_at=row.password_changed_at,
        roles=frozenset(Role(role) for role in row.roles),
        plan=Plan(row.plan),
        profile=Profile(
            display_name=_open(sealer, key, row.display_name_sealed, _about("display_name", row.id)),
            locale=row.locale,
            time_zone=row.time_zone,
            avatar=None if row.avatar is None else decode(Avatar, row.avatar),
        ),
        rights_version=row.rights_version,
        created_at=row.created_at,
        verified_at=row.verified_at,
        closed_at=row.closed_at,
        kind=AccountKind(row.kind),
    )


def token_to_row(token: OneTimeToken, sealer: Sealer, key: WrappedKey | None) -> dict[str, Any]:
    return {
        "token_hash": token.token_hash,
        "purpose": token.purpose,
        "user_id": token.user_id,
        "bound_sealed": _seal(sealer, key, token.bound_to, _about_token(token.token_hash)),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    }


def token_from_row(row: Row[Any], sealer: Sealer, key: WrappedKey | None) -> OneTimeToken:
    return OneTimeToken(
        token_hash=bytes(row.token_hash),
        purpose=TokenPurpose(row.purpose),
        user_id=UserId(row.user_id),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        bound_to=_open(sealer, key, row.bound_sealed, _about_token(row.token_hash)),
    )


def _about(column: str, user_id: UserId) -> str:
    return f"user_accounts.{column}_sealed:{user_id}"


def _about_token(token_hash: bytes) -> str:
    return f"one_time_tokens.bound_sealed:{token_hash.hex()}"


def _seal(sealer: Sealer, key: WrappedKey | None, text: str, about: str) -> bytes | None:
    if not text:
        return None
    assert key is not None, "a row that holds something personal is written with its owner's key"
    return sealer.seal(key, text.encode(), about=about)


def _open(sealer: Sealer, key: WrappedKey | None, sealed: bytes | None, about: str) -> str:
    # Without its key, which was destroyed with the rest of somebody's data, a value is nothing.
    return "" if sealed is None or key is None else sealer.open(key, bytes(sealed), about=about).decode()
