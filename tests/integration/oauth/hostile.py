"""What a hostile or broken provider, or somebody between it and us, may try; each case says which check must stop it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2

from tests.integration.oauth.fake_provider import CLIENT_ID, HOST, Reply, rsa_key, sign_with, unpadded
from tests.integration.oauth.kits import OPENID, PLAIN, PROVIDERS, Kit
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.model.opaque_token import opaque_token

UNAVAILABLE: Final = "unavailable"
ATTACKER: Final = "https://attacker.example/token"


@dataclass(frozen=True)
class Case:
    """``prepare`` bends the kit and returns the answer that is redeemed; ``expected`` is the reason of the refusal."""

    name: str
    providers: tuple[Provider, ...]
    expected: str
    prepare: Callable[[Kit], Awaitable[ProviderAnswer]]


CASES: list[Case] = []
Bend = Callable[[Kit], None]


def case(expected: str, providers: tuple[Provider, ...] = PROVIDERS) -> Callable[[Bend], Bend]:
    """Bends the kit after the person has approved."""

    def add(bend: Bend) -> Bend:
        async def prepare(kit: Kit) -> ProviderAnswer:
            answer = await kit.approved()
            bend(kit)
            return answer

        CASES.append(Case(bend.__name__, providers, expected, prepare))
        return bend

    return add


def answer_case(name: str, expected: str, **changes: str | None) -> None:
    async def prepare(kit: Kit) -> ProviderAnswer:
        return replace(await kit.approved(), **changes)

    CASES.append(Case(name, PROVIDERS, expected, prepare))


# What comes to the callback.
answer_case("answer of another issuer", "issuer of the answer", issuer=f"{HOST}/attacker")
answer_case("answer of an issuer without a name", "issuer of the answer", issuer="")
answer_case("person said no", "error from the provider", error="access_denied")
answer_case("error without a code", "error from the provider", code=None, error="server_error")
answer_case("no code", "no code", code=None)
answer_case("empty code", "no code", code="")
answer_case("code of 3000 letters", "no code", code="c" * 3000)
answer_case("code with a line break", "no code", code="code\r\nX-Evil: 1")
answer_case("code that is not ASCII", "no code", code="cödé")
answer_case("code that nobody issued", "code not accepted", code="code-99")


@case("code not accepted")
def code_of_another_flow(kit: Kit) -> None:
    # Somebody's code, injected into the flow of somebody else: its challenge does not fit our verifier.
    for code, grant in kit.fake.grants.items():
        kit.fake.grants[code] = replace(grant, challenge=FlowProofs.of(browser=opaque_token(b"v" * 32), state="s").code_verifier)


# What the token endpoint says.
def token_reply(name: str, reply: Reply, expected: str = UNAVAILABLE) -> None:
    async def prepare(kit: Kit) -> ProviderAnswer:
        answer = await kit.approved()
        kit.fake.replies["/token"] = reply
        return answer

    CASES.append(Case(name, PROVIDERS, expected, prepare))


token_reply("token endpoint: too many requests", Reply(429, {"error": "slow_down"}, {"retry-after": "60"}))
token_reply("token endpoint: down", Reply(503, {}))
token_reply("token endpoint: redirect to an attacker", Reply(302, {}, {"location": ATTACKER}))
token_reply("token endpoint: redirect that keeps the body", Reply(307, {}, {"location": ATTACKER}))
token_reply("token endpoint: no answer in time", Reply(error=httpx2.ReadTimeout("too slow")))
token_reply("token endpoint: connection reset", Reply(error=httpx2.ReadError("reset")))
token_reply("token endpoint: more than 256 KiB", Reply(body={"access_token": "t", "token_type": "Bearer", "x": "x" * 300_000}))
token_reply("token endpoint: no JSON", Reply(body=b"<html>sign in</html>"))
token_reply("token endpoint: JSON of 100000 levels", Reply(body=b"[" * 100_000))
token_reply("token endpoint: not our client", Reply(401, {"error": "invalid_client"}))
token_reply("token endpoint: error with status 200", Reply(200, {"error": "bad_verification_code"}), "code not accepted")
token_reply("token endpoint: a list", Reply(200, ["token"]), "no access token")
token_reply("token endpoint: no access token", Reply(200, {"token_type": "Bearer"}), "no access token")
token_reply("token endpoint: token as a number", Reply(200, {"access_token": 7, "token_type": "Bearer"}), "no access token")
token_reply("token endpoint: not a bearer token", Reply(200, {"access_token": "t", "token_type": "mac"}), "token type")
token_reply("token endpoint: no token type", Reply(200, {"access_token": "t"}), "token type")


# Whom the provider names.
def subject_case(name: str, value: Any) -> None:
    async def prepare(kit: Kit) -> ProviderAnswer:
        answer = await kit.approved()
        kit.fake.claims = lambda claims: claims | {"sub": value}
        kit.fake.user = lambda user: {"data": user["data"] | {"id": value}} if "data" in user else user | {"id": value}
        return answer

    CASES.append(Case(name, tuple(one for one in PROVIDERS if one is not Provider.GITHUB), "sub", prepare))


subject_case("subject is a number", 1234567890)
subject_case("subject is empty", "")
subject_case("subject of 300 letters", "1" * 300)
subject_case("subject with a zero byte", "123\x00456")
subject_case("subject is a list", ["1234567890"])


# ID tokens.
def claim_case(name: str, reason: str, **changes: Any) -> None:
    """A change is a value, ``None`` to leave the claim out, or a function of all claims."""

    def bent(claims: dict[str, Any]) -> dict[str, Any]:
        new = {claim: value(claims) if callable(value) else value for claim, value in changes.items()}
        return {claim: value for claim, value in (claims | new).items() if value is not None}

    async def prepare(kit: Kit) -> ProviderAnswer:
        answer = await kit.approved()
        kit.fake.claims = bent
        return answer

    CASES.append(Case(name, OPENID, reason, prepare))


claim_case("issued by somebody else", "Invalid claim: 'iss'", iss=f"{HOST}/attacker")
claim_case("issuer with a slash more", "Invalid claim: 'iss'", iss=lambda claims: claims["iss"] + "/")
claim_case("issuer missing", "Missing claim: 'iss'", iss=None)
claim_case("issuers as a list", "Claim 'iss'", iss=lambda claims: [claims["iss"]])
claim_case("for another client", "Invalid claim: 'aud'", aud="client-2")
claim_case("for nobody", "Missing claim: 'aud'", aud=None)
claim_case("for others too", "Missing claim: 'azp'", aud=[CLIENT_ID, "client-2"])
claim_case("for others too, on our behalf", "audience of the token", aud=[CLIENT_ID, "client-2"], azp=CLIENT_ID)
claim_case("on behalf of another client", "Invalid claim: 'azp'", azp="client-2")
claim_case("expired", "is expired", exp=lambda claims: claims["iat"] - 31)
claim_case("never expires", "Missing claim: 'exp'", exp=None)
claim_case("expiry as a word", "Claim 'exp'", exp="tomorrow")
claim_case("not valid yet", "not yet valid", nbf=lambda claims: claims["iat"] + 60)
claim_case("issued in the future", "issued in the future", iat=lambda claims: claims["iat"] + 3600)
claim_case("nonce of another flow", "nonce of the token", nonce=opaque_token(b"n" * 32))
claim_case("nonce missing", "nonce of the token", nonce=None)
claim_case("nonce as a list", "nonce of the token", nonce=lambda claims: [claims["nonce"]])
claim_case("hash of another access token", "Invalid claim: 'at_hash'", at_hash=unpadded(b"0" * 16))
claim_case("subject missing", "Missing claim: 'sub'", sub=None)


@case("algorithm of the token", OPENID)
def algorithm_none(kit: Kit) -> None:
    kit.fake.sign = lambda header, claims: unsigned(header | {"alg": "none"}, claims)


@case("algorithm of the token", OPENID)
def algorithm_none_in_capitals(kit: Kit) -> None:
    kit.fake.sign = lambda header, claims: unsigned(header | {"alg": "NONE"}, claims)


@case("signature of the token", OPENID)
def signature_cut_off(kit: Kit) -> None:
    kit.fake.sign = unsigned


@case("algorithm of the token", OPENID)
def public_key_as_shared_secret(kit: Kit) -> None:
    # RFC 8725 2.1: the RSA key that everybody knows, used as the key of an HMAC.
    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = unsigned(header | {"alg": "HS256"}, claims).removesuffix(".")
        mac = hmac.digest(rsa_key().as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{unpadded(mac)}"

    kit.fake.sign = sign


@case("algorithm of the token", OPENID)
def algorithm_of_another_kind(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"alg": "ES256"}


@case("head of the token", OPENID)
def critical_extension(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"crit": ["exp"], "exp": 1}


@case("head of the token", OPENID)
def critical_and_known(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"crit": ["b64"], "b64": True}


@case("head of the token", OPENID)
def access_token_as_id_token(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"typ": "at+jwt"}


@case("unknown key", OPENID)
def no_key_id_where_there_is_a_choice(kit: Kit) -> None:
    kit.fake.keys.append(rsa_key("key-2").as_dict(private=False))
    kit.fake.header = lambda header: {"alg": header["alg"]}


@case("signature of the token", OPENID)
def no_key_id_and_a_key_of_the_attacker(kit: Kit) -> None:
    kit.fake.sign = sign_with(rsa_key("attacker"))
    kit.fake.header = lambda header: {"alg": header["alg"]}


@case("head of the token", OPENID)
def key_id_is_a_number(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"kid": 1}


@case("unknown key", OPENID)
def unknown_key_id(kit: Kit) -> None:
    kit.fake.header = lambda header: header | {"kid": "../../etc/passwd"}


@case("unknown key", OPENID)
def key_of_the_attacker_in_the_token(kit: Kit) -> None:
    own = rsa_key("attacker")
    kit.fake.sign = sign_with(own)
    kit.fake.header = lambda header: header | {"kid": "attacker", "jwk": own.as_dict(private=False)}


@case("signature of the token", OPENID)
def keys_of_the_attacker_by_address(kit: Kit) -> None:
    kit.fake.sign = sign_with(rsa_key("attacker"))
    kit.fake.header = lambda header: header | {"jku": f"{HOST}/attacker/keys", "x5u": f"{HOST}/attacker/cert"}


@case("signature of the token", OPENID)
def signed_by_somebody_else(kit: Kit) -> None:
    kit.fake.sign = sign_with(rsa_key("attacker"))


@case("size of the token", OPENID)
def token_of_64_kib(kit: Kit) -> None:
    kit.fake.claims = lambda claims: claims | {"x": "x" * 65_536}


@case("no id token", OPENID)
def no_token(kit: Kit) -> None:
    kit.fake.token = lambda token: {key: value for key, value in token.items() if key != "id_token"}


@case("head of the token", OPENID)
def token_that_is_no_token(kit: Kit) -> None:
    kit.fake.token = lambda token: token | {"id_token": "a.b.c"}


@case("unknown key", OPENID)
def key_that_encrypts(kit: Kit) -> None:
    kit.fake.keys = [rsa_key().as_dict(private=False) | {"use": "enc"}]


@case("unknown key", OPENID)
def weak_key(kit: Kit) -> None:
    # 1024 bits can be broken; the key is refused before its signature is looked at.
    number = unpadded((2**1023 + 1).to_bytes(128))
    kit.fake.keys = [{"kty": "RSA", "kid": "key-1", "n": number, "e": "AQAB"}]


@case("unknown key", OPENID)
def shared_secret_among_the_keys(kit: Kit) -> None:
    kit.fake.keys = [{"kty": "oct", "kid": "key-1", "k": unpadded(b"k" * 32), "alg": "HS256"}]


@case(UNAVAILABLE, OPENID)
def keys_down(kit: Kit) -> None:
    kit.fake.replies["/keys"] = Reply(500, {})


@case(UNAVAILABLE, OPENID)
def keys_moved(kit: Kit) -> None:
    kit.fake.replies["/keys"] = Reply(302, {}, {"location": f"{HOST}/attacker/keys"})


@case(UNAVAILABLE, OPENID)
def keys_of_another_shape(kit: Kit) -> None:
    kit.fake.replies["/keys"] = Reply(200, {"keys": "none today"})


# The user of providers without ID tokens.
def user_reply(name: str, reply: Reply, expected: str) -> None:
    async def prepare(kit: Kit) -> ProviderAnswer:
        answer = await kit.approved()
        kit.fake.replies["/user"] = reply
        return answer

    CASES.append(Case(name, PLAIN, expected, prepare))


user_reply("user: token not accepted", Reply(401, {"message": "Bad credentials"}), "no user")
user_reply("user: not found", Reply(404, {}), "no user")
user_reply("user: redirect to an attacker", Reply(302, {}, {"location": ATTACKER}), UNAVAILABLE)
user_reply("user: too many requests", Reply(429, {}), UNAVAILABLE)
user_reply("user: down", Reply(500, {}), UNAVAILABLE)
user_reply("user: no answer in time", Reply(error=httpx2.ReadTimeout("too slow")), UNAVAILABLE)
user_reply("user: more than 256 KiB", Reply(body={"id": "1", "x": "x" * 300_000}), UNAVAILABLE)


def github_id_case(name: str, value: Any) -> None:
    async def prepare(kit: Kit) -> ProviderAnswer:
        answer = await kit.approved()
        kit.fake.user = lambda user: user | {"id": value}
        return answer

    CASES.append(Case(name, (Provider.GITHUB,), "no user", prepare))


github_id_case("id is a login name", "maria")
github_id_case("id is a boolean", True)
github_id_case("id is negative", -1)
github_id_case("id is missing", None)


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}."
