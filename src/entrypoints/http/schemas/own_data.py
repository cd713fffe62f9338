from __future__ import annotations

from typing import Any, Final

import msgspec

from entrypoints.http.schemas.account_examples import ACCOUNT_EXAMPLES
from entrypoints.http.schemas.accounts import AccountBody, SecurityEventBody, SecurityEventPage
from entrypoints.http.schemas.factors import TrustedDeviceBody
from entrypoints.http.schemas.keys import ApiKeyBody
from entrypoints.http.schemas.phones import PHONE_EXAMPLES, PhoneBody
from entrypoints.http.schemas.providers import IdentityBody
from entrypoints.http.schemas.sessions import SessionBody
from entrypoints.http.schemas.values import IdText, Response, TimeText


class KnownPasskeyBody(Response):
    """``is_synced``: its maker keeps copies on several of your devices."""

    id: IdText
    label: str
    is_synced: bool
    created_at: TimeText
    last_used_at: TimeText | None


class OwnDataBody(Response):
    """What is kept of you. Secrets are not in it: of those it says that they exist. At most the newest 10,000 security events."""

    exported_at: TimeText
    account: AccountBody
    sessions: list[SessionBody]
    identities: list[IdentityBody]
    phone: PhoneBody | None
    authenticator_since: TimeText | None
    backup_codes_left: int
    passkeys: list[KnownPasskeyBody]
    trusted_devices: list[TrustedDeviceBody]
    api_keys: list[ApiKeyBody]
    security_events: list[SecurityEventBody]


OWN_DATA_EXAMPLES: Final[dict[type[msgspec.Struct], Any]] = {
    OwnDataBody: {
        "exported_at": "2026-03-02T12:00:00Z",
        "account": ACCOUNT_EXAMPLES[AccountBody],
        "sessions": [],
        "identities": [],
        "phone": PHONE_EXAMPLES[PhoneBody],
        "authenticator_since": "2026-03-02T12:00:00Z",
        "backup_codes_left": 9,
        "passkeys": [],
        "trusted_devices": [],
        "api_keys": [],
        "security_events": ACCOUNT_EXAMPLES[SecurityEventPage]["data"],
    }
}
