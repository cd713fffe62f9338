from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError

from adapters.joserfc.signing_keys import SigningKey, SigningRing, SigningRings
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.access_token import LEEWAY, LONGEST_TOKEN, AccessClaims
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.kernel.authz import Assurance, Permission, UserId
from tradingcore.kernel.errors import InvalidInput

TYPE: Final = "at+jwt"

_HEADER: Final = frozenset({"alg", "kid", "typ"})
_ASSURANCES: Final = {"aal1": Assurance.AAL1, "aal2": Assurance.AAL2}
_BEYOND_ANY_YEAR: Final = 2**36
_KNOWN_SCOPES: Final = {permission.value: permission for permission in Permission}


class JoserfcAccessTokens(AccessTokens):
    """Access tokens as signed JWTs (RFC 9068 with the advice of RFC 8725): ES256 or Ed25519, by the key that ``kid`` names.

    Only headers of our own form are looked at: ``alg``, ``kid`` and ``typ``, nothing else. So there is no ``crit`` to miss and no
    key or address in a header to follow. Each token has one spelling.
    """

    def __init__(self, rings: SigningRings, *, issuer: str, audience: str) -> None:
        self._rings = rings
        self._issuer = issuer
        self._audience = audience

    def issue(self, claims: AccessClaims) -> str:
        key = self._rings().signing
        issued_at = _seconds(claims.issued_at)
        body: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "jti": str(claims.token_id),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": _seconds(claims.expires_at),
            "auth_time": _seconds(claims.authenticated_at),
            "amr": [method.value for method in claims.methods],
            "acr": claims.assurance.name.lower(),
            "rv": claims.rights_version,
        }
        if claims.scopes is not None:
            body["scope"] = " ".join(sorted(scope.value for scope in claims.scopes))
        header = {"alg": key.algorithm, "kid": key.id, "typ": TYPE}
        content = json.dumps(body, separators=(",", ":"))
        return jws.serialize_compact(header, content, key.key, algorithms=[key.algorithm])

    def verify(self, token: str, *, at: datetime) -> AccessClaims:
        ring = self._rings()
        try:
            claims = self._claims(token, ring, at)
        # A deep nest of brackets is a RecursionError of the parser.
        except (JoseError, InvalidInput, ValueError, KeyError, TypeError, RecursionError):
            claims = None
        if claims is None or not claims.is_valid_at(at):
            raise CredentialRefused("the access token is not valid: sign in or refresh it")
        return claims

    def _claims(self, token: str, ring: SigningRing, at: datetime) -> AccessClaims | None:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        parts = token.split(".")
        if len(parts) != 3:
            return None
        key = _key_for(_object(parts[0]), ring, at)
        if key is None:
            return None
        # The key's algorithm, whatever the header says: the library refuses any other.
        jws.deserialize_compact(token, key.key, algorithms=[key.algorithm])
        body = _object(parts[1])
        if body["iss"] != self._issuer or body["aud"] != self._audience or _instant(body["nbf"]) > at + LEEWAY:
            return None
        return AccessClaims(
            session_id=SessionId(_uuid(body["sid"])),
            user_id=UserId(_uuid(body["sub"])),
            token_id=_uuid(body["jti"]),
            issued_at=_instant(body["iat"]),
            expires_at=_instant(body["exp"]),
            authenticated_at=_instant(body["auth_time"]),
            methods=tuple(AuthMethod(method) for method in _list(body["amr"])),
            assurance=_ASSURANCES[body["acr"]],
            rights_version=_integer(body["rv"]),
            scopes=_scopes(body["scope"]) if "scope" in body else None,
        )


def _key_for(header: dict[str, Any], ring: SigningRing, at: datetime) -> SigningKey | None:
    if header.keys() != _HEADER or header["typ"] != TYPE:
        return None
    return ring.find(header["kid"], at=at)


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _object(part: str) -> dict[str, Any]:
    found = json.loads(_decoded(part).decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_refused)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member occurs twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _uuid(value: Any) -> UUID:
    found = UUID(_text(value))
    if str(found) != value:
        raise ValueError("another spelling")
    return found


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _BEYOND_ANY_YEAR:
        raise TypeError("no whole number that makes sense")
    return value


def _instant(value: Any) -> datetime:
    return datetime.fromtimestamp(_integer(value), UTC)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _scopes(value: Any) -> frozenset[Permission]:
    # A scope that only a newer version knows gives nothing here.
    return frozenset(_KNOWN_SCOPES[scope] for scope in _text(value).split(" ") if scope in _KNOWN_SCOPES)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
