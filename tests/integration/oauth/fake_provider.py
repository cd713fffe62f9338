"""An identity provider in this process, with real keys: it checks what the real ones check, and misbehaves where a case says so."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import ProviderAnswer

HOST = "https://provider.example"
CLIENT_ID = "client-1"
CLIENT_SECRET = "the secret of the client"
REDIRECT_URI = "https://app.example/api/v1/auth/providers/{}/callback"


@dataclass(frozen=True)
class Person:
    subject: str = "1234567890"
    email: str | None = "maria@example.org"
    is_verified: bool = True
    name: str | None = "Maria Example"


@dataclass(frozen=True)
class Grant:
    person: Person
    challenge: str
    nonce: str | None
    redirect_uri: str


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@cache
def rsa_key(kid: str = "key-1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@cache
def ec_key(kid: str = "ec-1") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class FakeProvider:
    """An ASGI application. ``replies`` replaces answers by path; ``claims``, ``header`` and ``sign`` bend ID tokens."""

    def __init__(self, provider: Provider, *, now: Callable[[], float]) -> None:
        self.provider = provider
        self.now = now
        self.issuer = f"{HOST}/{provider.value}"
        self.is_openid = provider in (Provider.GOOGLE, Provider.APPLE, Provider.LOCAL)
        self.redirect_uri = REDIRECT_URI.format(provider.value)
        self.keys: list[dict[str, Any]] = [rsa_key().as_dict(private=False)]
        self.grants: dict[str, Grant] = {}
        self.tokens: dict[str, Person] = {}
        self.calls: list[str] = []
        self.seen: dict[str, Any] = {}
        self.replies: dict[str, Reply] = {}
        self.metadata: dict[str, Any] = {}
        self.user: Callable[[dict[str, Any]], Any] = lambda user: user
        self.emails: Callable[[list[dict[str, Any]]], Any] = lambda emails: emails
        self.token: Callable[[dict[str, Any]], dict[str, Any]] = lambda token: token
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.header: Callable[[dict[str, Any]], dict[str, Any]] = lambda header: header
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = sign_with(rsa_key())

    def approve(self, url: str, person: Person | None = None) -> tuple[str, ProviderAnswer]:
        """The person says yes; return the state and what the browser brings back with it."""
        address = urlsplit(url)
        asked = dict(parse_qsl(address.query, strict_parsing=True))
        assert f"{address.scheme}://{address.netloc}{address.path}" == f"{self.issuer}/authorize"
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) >= 43
        assert not self.is_openid or "openid" in asked["scope"].split()
        if self.provider is Provider.APPLE:
            assert asked["response_mode"] == "form_post"
        code = f"{self.provider.value}-code-{len(self.grants)}"
        person = person or Person()
        self.grants[code] = Grant(person, asked["code_challenge"], asked.get("nonce"), asked["redirect_uri"])
        user = None
        if self.provider is Provider.APPLE and person.name is not None:
            first, _, last = person.name.partition(" ")
            user = json.dumps({"name": {"firstName": first, "lastName": last}, "email": person.email})
        return asked["state"], ProviderAnswer(code=code, user=user)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"].removeprefix(f"/{self.provider.value}")
        query = dict(parse_qsl(scope["query_string"].decode()))
        self.calls.append(path)
        reply = self.replies.get(path) or self.answer(path, query, headers, body)
        if reply.error is not None:
            raise reply.error
        raw = [(name.encode(), value.encode()) for name, value in {"content-type": "application/json", **reply.headers}.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.content})

    def answer(self, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        match path:
            case "/.well-known/openid-configuration":
                described = {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                }
                return Reply(body=described | self.metadata)
            case "/keys":
                return Reply(body={"keys": self.keys})
            case "/token":
                return self.redeem(headers, parse_qs(body.decode(), strict_parsing=True))
            case "/user" | "/emails":
                person = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
                if person is None:
                    return Reply(401, {"message": "Bad credentials"})
                self.seen[path] = query
                return Reply(body=self.user(self.user_of(person)) if path == "/user" else self.emails(emails_of(person)))
        return Reply(404, {"message": "Not Found"})

    def redeem(self, headers: dict[str, str], form: dict[str, list[str]]) -> Reply:
        assert all(len(values) == 1 for values in form.values())
        given = {name: values[0] for name, values in form.items()}
        self.seen["token"] = given
        client = (given.get("client_id"), given.get("client_secret"))
        if (basic := headers.get("authorization", "")).startswith("Basic "):
            client = tuple(base64.b64decode(basic.removeprefix("Basic ")).decode().split(":", 1))  # type: ignore[assignment]  # two
        if client[0] != CLIENT_ID or not self.is_secret(client[1] or ""):
            return Reply(401, {"error": "invalid_client"})
        grant = self.grants.pop(given["code"], None)
        challenge = unpadded(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if grant is None or challenge != grant.challenge or given["redirect_uri"] != grant.redirect_uri:
            # GitHub says so with status 200.
            return Reply(200 if self.provider is Provider.GITHUB else 400, {"error": "invalid_grant"})
        access_token = f"token-{len(self.tokens)}"
        self.tokens[access_token] = grant.person
        answer = {"access_token": access_token, "token_type": "Bearer", "expires_in": 3600}
        if self.is_openid:
            answer["id_token"] = self.id_token(grant, access_token)
        return Reply(body=self.token(answer))

    def is_secret(self, secret: str) -> bool:
        if self.provider is not Provider.APPLE:
            return secret == CLIENT_SECRET
        claims = jwt.decode(secret, ec_key("team-key"), algorithms=["ES256"]).claims
        self.seen["secret"] = claims
        return (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM", CLIENT_ID, self.issuer)

    def id_token(self, grant: Grant, access_token: str) -> str:
        now = int(self.now())
        digest = hashlib.sha256(access_token.encode()).digest()
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": grant.person.subject,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 600,
            "nonce": grant.nonce,
            "at_hash": unpadded(digest[:16]),
            "auth_time": now,
        }
        if grant.person.email is not None:
            # Apple has sent both spellings.
            verified = "true" if grant.person.is_verified else "false"
            claims |= {
                "email": grant.person.email,
                "email_verified": verified if self.provider is Provider.APPLE else grant.person.is_verified,
            }
        if self.provider is not Provider.APPLE:
            claims["name"] = grant.person.name
        return self.sign(self.header({"alg": "RS256", "kid": "key-1"}), self.claims(claims))

    def user_of(self, person: Person) -> dict[str, Any]:
        match self.provider:
            case Provider.GITHUB:
                return {"id": int(person.subject), "login": "maria", "name": person.name, "email": "profile@example.net"}
            case Provider.X:
                data = {"id": person.subject, "name": person.name, "username": "maria"}
                return {"data": data | ({"confirmed_email": person.email} if person.email and person.is_verified else {})}
        return {"id": person.subject, "name": person.name} | ({"email": person.email} if person.email else {})


def emails_of(person: Person) -> list[dict[str, Any]]:
    second = {"email": "second@example.org", "primary": False, "verified": True, "visibility": None}
    first = {"email": person.email, "primary": True, "verified": person.is_verified, "visibility": "public"}
    return [second, first] if person.email and person.is_verified else [first] if person.email else []


def sign_with(key: RSAKey | ECKey) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """Sign by hand, so that a head may say what no library would write."""
    algorithm = JWSRegistry.algorithms["ES256" if isinstance(key, ECKey) else "RS256"]

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}"
        return f"{signed}.{unpadded(algorithm.sign(signed.encode(), key))}"

    return sign
