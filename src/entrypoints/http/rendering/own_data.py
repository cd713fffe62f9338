from __future__ import annotations

from entrypoints.http.rendering.accounts import account_body, security_event_body
from entrypoints.http.rendering.factors import devices_body
from entrypoints.http.rendering.keys import key_body
from entrypoints.http.rendering.phones import phone_body
from entrypoints.http.rendering.providers import identities_body
from entrypoints.http.rendering.sessions import sessions_body
from entrypoints.http.schemas.own_data import KnownPasskeyBody, OwnDataBody
from tradingcore.auth.use_cases.export_own_data import OwnData
from tradingcore.auth.use_cases.manage_sessions import OwnSession
from tradingcore.kernel.authz import Actor
from tradingcore.processes.wire import rfc3339


def own_data_body(data: OwnData, actor: Actor) -> OwnDataBody:
    sessions = [OwnSession(session=session, is_current=session.id == actor.session_id) for session in data.sessions]
    return OwnDataBody(
        exported_at=rfc3339(data.exported_at),
        account=account_body(data.account, restriction=actor.restriction),
        sessions=sessions_body(sessions).data,
        identities=identities_body(data.identities).data,
        phone=None if data.phone is None else phone_body(data.phone),
        authenticator_since=None if data.totp_since is None else rfc3339(data.totp_since),
        backup_codes_left=data.backup_codes_left,
        passkeys=[
            KnownPasskeyBody(
                id=str(passkey.id),
                label=passkey.label,
                is_synced=passkey.is_synced,
                created_at=rfc3339(passkey.created_at),
                last_used_at=None if passkey.last_used_at is None else rfc3339(passkey.last_used_at),
            )
            for passkey in data.passkeys
        ],
        trusted_devices=devices_body(data.trusted_devices).data,
        api_keys=[key_body(key) for key in data.api_keys],
        security_events=[security_event_body(entry, actor) for entry in data.events],
    )
