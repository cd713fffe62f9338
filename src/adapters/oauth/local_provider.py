"""An OpenID provider for a developer's own machine: anybody may be anybody, and everything else is as strict as a real one.

Authorization code with PKCE S256 only; exact redirect addresses; codes that work once, for a minute; ES256; ``iss`` in answers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.oauth.client import OAuthClient
from adapters.oauth.metadata import is_safe_address
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.ports import Clock

_QUESTION_LIFETIME: Final = timedelta(minutes=10)
_CODE_LIFETIME: Final = timedelta(minutes=1)
_TOKEN_LIFETIME: Final = timedelta(minutes=5)
_MOST_OPEN: Final = 1000
_ASKED: Final = ("state", "nonce", "code_challenge", "redirect_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPerson:
    subject: str
    name: str
    email: str | None
    is_verified: bool = True


PEOPLE: Final[Sequence[LocalPerson]] = (
    LocalPerson(subject="local-ana", name="Ana Local", email="ana.local@example.org"),
    LocalPerson(subject="local-bruno", name="Bruno Local", email="bruno.local@example.org", is_verified=False),
    LocalPerson(subject="local-carla", name="Carla Local", email=None),
)
"""One whose address is verified, one whose address is not, and one without."""


class RequestRefused(InvalidInput):
    """An authorization request that is answered here and not at its redirect address, which may be a stranger's."""

    code = "auth.local_request_refused"
    title = "Authorization request refused"


class LocalProvider:
    """``issuer`` is an address of this machine: nobody else can reach it, and production never makes one."""

    def __init__(self, *, issuer: str, redirect_uri: str, clock: Clock, people: Sequence[LocalPerson] = PEOPLE) -> None:
        if not is_safe_address(issuer) or urlsplit(issuer).scheme != "http":
            raise ValueError(f"a local provider is for http:// and an address of this machine, was {issuer}")
        self.issuer = issuer
        self.client = OAuthClient(client_id="tradingcore", client_secret=secrets.token_urlsafe(32), redirect_uri=redirect_uri)
        self.people = people
        self._clock = clock
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": secrets.token_hex(8)})
        self._questions: dict[str, tuple[Mapping[str, str], Any]] = {}
        self._codes: dict[str, tuple[Mapping[str, str], LocalPerson, Any]] = {}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def ask(self, given: Mapping[str, str]) -> str:
        """Take an authorization request and return the id of the question who one is. Raises `RequestRefused`."""
        if given.get("client_id") != self.client.client_id or given.get("redirect_uri") != self.client.redirect_uri:
            raise RequestRefused("there is no such client with this redirect address")
        wanted = {"response_type": "code", "code_challenge_method": "S256"}
        wrong = [name for name, value in wanted.items() if given.get(name) != value]
        missing = [name for name in _ASKED if not given.get(name)]
        if wrong or missing or "openid" not in given.get("scope", "").split() or len(given.get("code_challenge", "")) != 43:
            raise RequestRefused("this takes a code with PKCE S256, scope openid, state and nonce")
        question = secrets.token_urlsafe(32)
        self._questions = _kept(self._questions)
        self._questions[question] = ({name: given[name] for name in _ASKED}, self._clock.now() + _QUESTION_LIFETIME)
        return question

    def answer(self, question: str, subject: str) -> str:
        """Return where the browser goes once somebody has said who to be; an empty ``subject`` says no. Raises `RequestRefused`."""
        asked, expires_at = self._questions.pop(question, ({}, self._clock.now()))
        if self._clock.now() >= expires_at:
            raise RequestRefused("this question was answered before, or too long ago: begin again")
        fields = {"state": asked["state"], "iss": self.issuer}
        person = next((one for one in self.people if one.subject == subject), None)
        if person is None:
            return f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', **fields})}"
        code = secrets.token_urlsafe(32)
        self._codes = _kept(self._codes)
        self._codes[code] = (asked, person, self._clock.now() + _CODE_LIFETIME)
        return f"{asked['redirect_uri']}?{urlencode({'code': code, **fields})}"

    def redeem(self, form: Mapping[str, str], authorization: str | None) -> tuple[HTTPStatus, dict[str, Any]]:
        """The token endpoint: a status and a JSON object (RFC 6749 5)."""
        if not self._is_client(form, authorization):
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        if form.get("grant_type") != "authorization_code":
            return HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"}
        now = self._clock.now()
        asked, person, expires_at = self._codes.pop(form.get("code", ""), ({}, None, now))
        is_same = form.get("redirect_uri") == asked.get("redirect_uri")
        if person is None or now >= expires_at or not is_same or not _fits(form.get("code_verifier", ""), asked["code_challenge"]):
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        access_token = secrets.token_urlsafe(32)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": person.subject,
            "aud": self.client.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + _TOKEN_LIFETIME).timestamp()),
            "auth_time": int(now.timestamp()),
            "nonce": asked["nonce"],
            "at_hash": _unpadded(hashlib.sha256(access_token.encode()).digest()[:16]),
            "name": person.name,
        }
        if person.email is not None:
            claims |= {"email": person.email, "email_verified": person.is_verified}
        id_token = jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)
        seconds = int(_TOKEN_LIFETIME.total_seconds())
        tokens = {"access_token": access_token, "token_type": "Bearer", "expires_in": seconds, "id_token": id_token}
        return HTTPStatus.OK, tokens

    def _is_client(self, form: Mapping[str, str], authorization: str | None) -> bool:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        if authorization is not None and authorization.startswith("Basic "):
            try:
                name, _, secret = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeError):
                return False
            given = (name, secret)
        is_right = hmac.compare_digest(given[1].encode(), self.client.client_secret.encode())
        return given[0] == self.client.client_id and is_right


def _fits(verifier: str, challenge: str) -> bool:
    return hmac.compare_digest(_unpadded(hashlib.sha256(verifier.encode()).digest()).encode(), challenge.encode())


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _kept(waiting: dict[str, Any]) -> dict[str, Any]:
    """Room for one more: whoever asks endlessly loses the own oldest questions."""
    return dict(list(waiting.items())[-_MOST_OPEN + 1 :])
