from __future__ import annotations

import base64
import binascii
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.oauth.calls import refused
from adapters.oauth.client import OAuthClient
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.ports.identities import DeletionRequests

_LONGEST_REQUEST: Final = 4096
_OLDEST_REQUEST: Final = timedelta(hours=1)
_LEEWAY: Final = timedelta(minutes=5)
_STAMP_BYTES: Final = 5
_CODE_BYTES: Final = 20


class FacebookDeletionRequests(DeletionRequests):
    """The data deletion callback: ``signature.payload``, HMAC-SHA-256 under the application's secret.

    A confirmation is a moment and its own proof, so that nothing has to be kept about somebody whose data is gone.
    """

    def __init__(self, client: OAuthClient) -> None:
        self._secret = client.client_secret.encode()

    def subject_of(self, signed_request: str, *, at: datetime) -> str:
        signature, _, payload = signed_request.partition(".")
        if len(signed_request) > _LONGEST_REQUEST or not signed_request.isascii():
            raise refused(Provider.FACEBOOK, "size of the request")
        expected = hmac.digest(self._secret, payload.encode(), "sha256")
        if not hmac.compare_digest(expected, _decoded(signature)):
            raise refused(Provider.FACEBOOK, "signature of the request")
        found = _json_of(_decoded(payload))
        if found.get("algorithm") != "HMAC-SHA256":
            raise refused(Provider.FACEBOOK, "algorithm of the request")
        issued_at, subject = found.get("issued_at"), found.get("user_id")
        if not isinstance(issued_at, int) or not isinstance(subject, str) or not subject:
            raise refused(Provider.FACEBOOK, "content of the request")
        age = at.timestamp() - issued_at
        if not -_LEEWAY.total_seconds() <= age <= _OLDEST_REQUEST.total_seconds():
            raise refused(Provider.FACEBOOK, "age of the request")
        return subject

    def confirmation_of(self, subject: str, *, at: datetime) -> str:
        stamp = int(at.timestamp()).to_bytes(_STAMP_BYTES)
        return (stamp + self._mac(stamp)).hex()

    def confirmed_at(self, confirmation: str) -> datetime | None:
        try:
            raw = bytes.fromhex(confirmation) if len(confirmation) == 2 * _CODE_BYTES else b""
        except ValueError:
            return None
        stamp, mac = raw[:_STAMP_BYTES], raw[_STAMP_BYTES:]
        if not hmac.compare_digest(self._mac(stamp), mac):
            return None
        return datetime.fromtimestamp(int.from_bytes(stamp), UTC)

    def _mac(self, stamp: bytes) -> bytes:
        digest = hmac.digest(self._secret, b"tradingcore deletion confirmed" + stamp, "sha256")
        return digest[: _CODE_BYTES - _STAMP_BYTES]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _json_of(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
