"""A passkey authenticator in software: real ES256 keys, real CBOR, and the mistakes that a test asks for."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.webauthn.ceremonies import WebauthnPasskeyCeremonies

ORIGIN = "https://app.example"
CEREMONIES = WebauthnPasskeyCeremonies(rp_id="app.example", rp_name="Trading Core", origins=frozenset({ORIGIN}))
_PRESENT, _VERIFIED, _CAN_SYNC, _SYNCED, _HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftwareAuthenticator:
    """One key. ``counts``: whether its counter grows; ``verifies_user``: whether it asks for a PIN."""

    counts: bool = True
    verifies_user: bool = True
    is_synced: bool = False
    origin: str = ORIGIN
    rp_id: str | None = None
    """The domain that it signs for; ``None`` believes the options."""
    sign_count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes | None = None

    def create(self, options: str | dict[str, Any], **client_data: Any) -> dict[str, Any]:
        """What a browser returns from ``navigator.credentials.create``."""
        wanted = json.loads(options) if isinstance(options, str) else options
        self.user_handle = decoded(wanted["user"]["id"])
        client = self._client_data("webauthn.create", wanted["challenge"], client_data)
        data = self._authenticator_data(self.rp_id or wanted["rp"]["id"], with_key=True)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {"clientDataJSON": encoded(client), "attestationObject": encoded(attestation), "transports": ["internal", "hybrid"]}
        )

    def get(self, options: str | dict[str, Any], **client_data: Any) -> dict[str, Any]:
        """What a browser returns from ``navigator.credentials.get``."""
        wanted = json.loads(options) if isinstance(options, str) else options
        if self.counts:
            self.sign_count += 1
        client = self._client_data("webauthn.get", wanted["challenge"], client_data)
        data = self._authenticator_data(self.rp_id or wanted["rpId"], with_key=False)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(signature),
                "userHandle": None if self.user_handle is None else encoded(self.user_handle),
            }
        )

    @staticmethod
    def as_text(answer: dict[str, Any]) -> str:
        return json.dumps(answer)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        own = encoded(self.credential_id)
        kept = {name: value for name, value in response.items() if value is not None}
        return {"id": own, "rawId": own, "type": "public-key", "response": kept, "clientExtensionResults": {}}

    def _client_data(self, kind: str, challenge: str, changed: dict[str, Any]) -> bytes:
        client = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(client | changed, separators=(",", ":")).encode()

    def _authenticator_data(self, rp_id: str, *, with_key: bool) -> bytes:
        flags = _PRESENT | (_VERIFIED if self.verifies_user else 0) | (_CAN_SYNC | _SYNCED if self.is_synced else 0)
        head = hashlib.sha256(rp_id.encode()).digest()
        count = self.sign_count.to_bytes(4, "big")
        if not with_key:
            return head + bytes([flags]) + count
        identity = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        return head + bytes([flags | _HAS_KEY]) + count + identity + self._cose_key()

    def _cose_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
