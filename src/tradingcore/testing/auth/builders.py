"""Valid objects of the context auth with defaults; every field can be overridden by keyword."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import FIRST_ROLE, AccountStatus, Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.model.password import PasswordHash
from tradingcore.kernel.authz import Actor, Assurance, Plan, UserId
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id

PASSWORD: Final = "correct horse battery staple"
"""Passes every policy."""


def an_address(name: str | None = None) -> EmailAddress:
    """A fresh one unless it is named."""
    return EmailAddress.parse(f"{name or an_id().hex}@example.org")


def an_account(**overrides: Any) -> UserAccount:
    """An active account, its address proven on Monday. ``password`` stands for a hash; none is worked out."""
    fields: dict[str, Any] = {
        "id": UserId(an_id()),
        "status": AccountStatus.ACTIVE,
        "email": an_address(),
        "password": PasswordHash(scheme="fake", encoded=PASSWORD),
        "password_changed_at": MONDAY,
        "roles": frozenset({FIRST_ROLE}),
        "plan": Plan.FREE,
        "profile": Profile(display_name="Ana Pérez", locale="es", time_zone="America/Mexico_City"),
        "rights_version": 1,
        "created_at": MONDAY,
        "verified_at": MONDAY,
    }
    return UserAccount(**(fields | overrides))


def an_unverified_account(**overrides: Any) -> UserAccount:
    return an_account(**({"status": AccountStatus.UNVERIFIED, "verified_at": None} | overrides))


def the_owner_of(account: UserAccount, **overrides: Any) -> Actor:
    """Its owner in a session that has just been opened with one factor."""
    actor = Actor.of_user(
        trace_id=overrides.pop("trace_id", an_actor().trace_id),
        user_id=account.id,
        roles=account.roles,
        plan=account.plan,
        name=str(account.id),
    )
    session_id = SessionId(an_id())
    fields: dict[str, Any] = {
        "session_id": session_id,
        "credential_id": session_id,
        "assurance": Assurance.AAL1,
        "authentication_age": timedelta(0),
    }
    return replace(actor, **(fields | overrides))


def a_mailed_token(account: UserAccount, *, secret: bytes = b"m" * 32, **overrides: Any) -> OneTimeToken:
    """For the verification of the address, until an hour after Monday began."""
    fields: dict[str, Any] = {
        "token_hash": hashlib.sha256(secret).digest(),
        "purpose": TokenPurpose.VERIFY_ADDRESS,
        "user_id": account.id,
        "issued_at": MONDAY,
        "expires_at": MONDAY + HOUR,
    }
    return OneTimeToken(**(fields | overrides))
