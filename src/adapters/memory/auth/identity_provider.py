from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.ports.identities import DeletionRequests, IdentityProvider
from tradingcore.kernel.ports import Clock

_OLDEST_REQUEST: Final = timedelta(hours=1)


class MemoryIdentityProvider(IdentityProvider):
    """A provider without a network: `approve` is what a person does at a real one."""

    def __init__(self, name: Provider, clock: Clock, *, proves_presence: bool = False) -> None:
        self._name = name
        self._clock = clock
        self._proves_presence = proves_presence
        self._granted: dict[str, tuple[ProvenIdentity, str]] = {}

    @property
    def name(self) -> Provider:
        return self._name

    @property
    def title(self) -> str:
        return self._name.value.capitalize()

    @property
    def proves_presence(self) -> bool:
        return self._proves_presence

    @property
    def issuer(self) -> str:
        return f"https://{self._name.value}.example"

    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        asked = {"state": proofs.state, "challenge": _challenge(proofs), **({"prompt": "login"} if is_fresh else {})}
        return f"{self.issuer}/authorize?{urlencode(asked)}"

    def approve(self, url: str, person: ProvenIdentity) -> tuple[str, ProviderAnswer]:
        """Say yes at ``url``; return the state and what the browser brings back with it."""
        asked = parse_qs(urlsplit(url).query, strict_parsing=True)
        code = f"code-{len(self._granted)}"
        if self._proves_presence and person.authenticated_at is None:
            person = replace(person, authenticated_at=self._clock.now())
        self._granted[code] = (replace(person, provider=self._name), asked["challenge"][0])
        return asked["state"][0], ProviderAnswer(code=code)

    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        if answer.issuer not in (None, self.issuer):
            raise self._refused("issuer of the answer")
        person, challenge = self._granted.pop(answer.code or "", (None, ""))
        if person is None or answer.error is not None or challenge != _challenge(proofs):
            raise self._refused("code not accepted")
        return person

    def _refused(self, reason: str) -> IdentityRefused:
        return IdentityRefused(f"{self._name.value} did not prove who you are: begin again", reason=reason)


def _challenge(proofs: FlowProofs) -> str:
    return hashlib.sha256(proofs.code_verifier.encode()).hexdigest()


class MemoryDeletionRequests(DeletionRequests):
    """Requests are ``subject|issued_at|signature``, and confirmations ``time|signature``."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, subject: str, *, at: datetime) -> str:
        """What the provider sends."""
        text = f"{subject}|{at.isoformat()}"
        return f"{text}|{self._mac(text)}"

    def subject_of(self, signed_request: str, *, at: datetime) -> str:
        text, _, mac = signed_request.rpartition("|")
        subject, _, issued_at = text.rpartition("|")
        if not hmac.compare_digest(self._mac(text).encode(), mac.encode()) or not subject:
            raise IdentityRefused("the request is not the provider's own", reason="signature of the request")
        if not timedelta(0) <= at - datetime.fromisoformat(issued_at) <= _OLDEST_REQUEST:
            raise IdentityRefused("the request is too old", reason="age of the request")
        return subject

    def confirmation_of(self, subject: str, *, at: datetime) -> str:
        stamp = at.replace(microsecond=0).isoformat()
        return f"{stamp}|{self._mac(stamp)}"

    def confirmed_at(self, confirmation: str) -> datetime | None:
        stamp, _, mac = confirmation.rpartition("|")
        is_ours = hmac.compare_digest(self._mac(stamp).encode(), mac.encode())
        return datetime.fromisoformat(stamp) if is_ours and stamp else None

    def _mac(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
