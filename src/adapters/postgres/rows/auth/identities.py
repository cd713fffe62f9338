from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from tradingcore.auth.ids import IdentityId, SessionId
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, Identity, Provider
from tradingcore.auth.model.oauth_flow import FlowPurpose, FlowStage, OAuthFlow
from tradingcore.auth.ports.sealing import Sealer, WrappedKey
from tradingcore.kernel.authz import UserId


def identity_index(sealer: Sealer, provider: Provider, subject: str) -> bytes:
    """What an identity is looked up by."""
    return sealer.blind_index(f"{provider.value}:{subject}", purpose="identity")


def identity_to_row(identity: Identity, sealer: Sealer, key: WrappedKey) -> dict[str, Any]:
    def sealed(column: str, value: str | None) -> bytes | None:
        return None if value is None else sealer.seal(key, value.encode(), about=_about(column, identity.id))

    return {
        "id": identity.id,
        "user_id": identity.user_id,
        "provider": identity.provider,
        "subject_index": identity_index(sealer, identity.provider, identity.subject),
        "subject_sealed": sealed("subject", identity.subject),
        "email_sealed": sealed("email", None if identity.email is None else identity.email.text),
        "email_trust": identity.email_trust,
        "name_sealed": sealed("name", identity.name),
        "linked_at": identity.linked_at,
    }


def identity_from_row(row: Row[Any], sealer: Sealer, key: WrappedKey) -> Identity:
    def opened(column: str, value: bytes | None) -> str | None:
        return None if value is None else sealer.open(key, bytes(value), about=_about(column, row.id)).decode()

    email = opened("email", row.email_sealed)
    return Identity(
        version=row.version,
        id=IdentityId(row.id),
        user_id=UserId(row.user_id),
        provider=Provider(row.provider),
        subject=opened("subject", row.subject_sealed) or "",
        email=None if email is None else EmailAddress(email),
        email_trust=EmailTrust(row.email_trust),
        name=opened("name", row.name_sealed),
        linked_at=row.linked_at,
    )


def _about(column: str, identity_id: UUID) -> str:
    return f"identities.{column}_sealed:{identity_id}"


def flow_to_row(flow: OAuthFlow) -> dict[str, Any]:
    return {
        "key_hash": flow.key_hash,
        "browser_hash": flow.browser_hash,
        "stage": flow.stage,
        "provider": flow.provider,
        "purpose": flow.purpose,
        "next_path": flow.next,
        "user_id": flow.user_id,
        "session_id": flow.session_id,
        "sealed": flow.sealed,
        "expires_at": flow.expires_at,
    }


def flow_from_row(row: Row[Any]) -> OAuthFlow:
    return OAuthFlow(
        key_hash=bytes(row.key_hash),
        browser_hash=bytes(row.browser_hash),
        stage=FlowStage(row.stage),
        provider=Provider(row.provider),
        purpose=FlowPurpose(row.purpose),
        next=row.next_path,
        user_id=None if row.user_id is None else UserId(row.user_id),
        session_id=None if row.session_id is None else SessionId(row.session_id),
        sealed=row.sealed,
        expires_at=row.expires_at,
    )
