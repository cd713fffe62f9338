from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.session import AuthMethod, EndReason, RefreshToken, Session
from tradingcore.kernel.authz import Assurance, UserId


def session_to_row(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "user_id": session.user_id,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "absolute_at": session.absolute_at,
        "authenticated_at": session.authenticated_at,
        "methods": list(session.methods),
        "assurance": int(session.assurance),
        "device_label": session.device_label,
        "network": session.network,
        "ended_at": session.ended_at,
        "end_reason": session.end_reason,
    }


def session_from_row(row: Row[Any]) -> Session:
    return Session(
        version=row.version,
        id=SessionId(row.id),
        user_id=UserId(row.user_id),
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        absolute_at=row.absolute_at,
        authenticated_at=row.authenticated_at,
        methods=tuple(map(AuthMethod, row.methods)),
        assurance=Assurance(row.assurance),
        device_label=row.device_label,
        network=bytes(row.network),
        ended_at=row.ended_at,
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
    )


def refresh_token_to_row(token: RefreshToken) -> dict[str, Any]:
    return {
        "token_hash": token.token_hash,
        "session_id": token.session_id,
        "user_id": token.user_id,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    }
