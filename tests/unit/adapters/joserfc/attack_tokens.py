"""Malformed and hostile access tokens, by name."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.joserfc.signing_keys import SigningRing
from tradingcore.testing.builders import MONDAY

NOW: Final = int(MONDAY.timestamp())
ID: Final = str(UUID(int=7))
LEFT_OUT: Final = object()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""


def letters(content: Any) -> str:
    """Base64url of bytes, of text, or of anything else as JSON."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).rstrip(b"=").decode()


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not LEFT_OUT}


def body(**changes: Any) -> dict[str, Any]:
    """What a token of ours says."""
    claims = {
        "iss": "us",
        "aud": "our api",
        "sub": ID,
        "sid": ID,
        "jti": ID,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
        "auth_time": NOW,
        "amr": ["pwd"],
        "acr": "aal1",
        "rv": 1,
    }
    return changed(claims, changes)


class Forge:
    """Makes tokens: signed by the installation's own key, as a fault of ours could make them, or as an attacker can.

    An attacker knows the public key, has a key of his own, and holds a token that was issued to him.
    """

    def __init__(self, ring: SigningRing) -> None:
        self._ours = ring.signing.key.private_key
        self._theirs = ec.generate_private_key(ec.SECP256R1())
        self.key_id = ring.signing.id
        self.public = ring.signing.key.as_dict(private=False)
        assert isinstance(self._ours, ec.EllipticCurvePrivateKey)
        self.public_pem = self._ours.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        numbers = self._theirs.public_key().public_numbers()
        self.their_public = {
            "kty": "EC",
            "crv": "P-256",
            **{name: letters(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")},
        }
        self.good = self.signed()

    def header(self, **changes: Any) -> dict[str, Any]:
        return changed({"alg": "ES256", "typ": "at+jwt", "kid": self.key_id}, changes)

    def signed(self, content: Any = None, *, raw_header: str | None = None, **header: Any) -> str:
        """A true signature of ours over any content and header."""
        return self._by(self._ours, content, raw_header or letters(self.header(**header)))

    def forged(self, content: Any = None, **header: Any) -> str:
        """The same by the attacker's own key."""
        return self._by(self._theirs, content, letters(self.header(**header)))

    def unsigned(self, signature: str = "", **header: Any) -> str:
        return f"{letters(self.header(**header))}.{letters(body())}.{signature}"

    def by_hmac(self, secret: bytes, algorithm: str = "HS256") -> str:
        """The confusion of a public key with a shared secret."""
        message = f"{letters(self.header(alg=algorithm))}.{letters(body())}"
        return f"{message}.{letters(hmac.digest(secret, message.encode(), 'sha' + algorithm[2:]))}"

    def with_signature(self, signature: bytes) -> str:
        return f"{self.good.rpartition('.')[0]}.{letters(signature)}"

    def in_der(self) -> str:
        message = self.good.rpartition(".")[0]
        assert isinstance(self._ours, ec.EllipticCurvePrivateKey)
        return f"{message}.{letters(self._ours.sign(message.encode(), ec.ECDSA(SHA256())))}"

    def respelt(self) -> str:
        """The last letter of the signature carries four bits that decoders drop."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return self.good[:-1] + alphabet[alphabet.index(self.good[-1]) ^ 1]

    def _by(self, key: Any, content: Any, header: str) -> str:
        message = f"{header}.{letters(body() if content is None else content)}"
        r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(SHA256())))
        return f"{message}.{letters(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def attack_tokens(ring: SigningRing) -> dict[str, str]:
    """Every one of them must be refused at ``MONDAY`` by an installation called ``us`` with the audience ``our api``."""
    forge = Forge(ring)
    head, payload, signature = forge.good.split(".")
    deep = "[" * 1_400 + "]" * 1_400
    wrong_claims: dict[str, Any] = {
        **{f"without {name}": {name: LEFT_OUT} for name in body()},
        "of another issuer": {"iss": "us "},
        "with a list of issuers": {"iss": ["us"]},
        "for another audience": {"aud": "their api"},
        "for a list of audiences": {"aud": ["our api", "their api"]},
        "expired": {"iat": NOW - 960, "nbf": NOW - 960, "exp": NOW - 60},
        "not yet valid": {"nbf": NOW + 60},
        "issued in the future": {"iat": NOW + 60, "nbf": NOW, "exp": NOW + 900},
        "that lives a year": {"exp": NOW + 31_536_000},
        "that expires before it begins": {"exp": NOW - 1},
        "with an expiry in text": {"exp": str(NOW + 900)},
        "with an expiry in fractions": {"exp": NOW + 900.5},
        "with an expiry that is true": {"exp": True},
        "with an expiry beyond all years": {"exp": 10**300},
        "with a negative expiry": {"exp": -1},
        "with an expiry of infinity": {"exp": float("inf")},
        "with a subject that is no id": {"sub": "admin"},
        "with a subject in another spelling": {"sub": ID.upper().replace("-", "")},
        "with a number for a subject": {"sub": 7},
        "with a session that is a list": {"sid": [ID]},
        "of a level that does not exist": {"acr": "aal3"},
        "with a level that is no text": {"acr": {"aal1": True}},
        "with no method": {"amr": []},
        "with an unknown method": {"amr": ["magic"]},
        "with a method that is no list": {"amr": "pwd"},
        "with a negative version of rights": {"rv": -1},
        "with a version of rights in text": {"rv": "1"},
        "with scopes that are a list": {"scope": ["account:own"]},
    }
    return {
        "empty": "",
        "one dot": ".",
        "two dots": "..",
        "three parts of nothing much": "a.b.c",
        "two parts": f"{head}.{payload}",
        "four parts": f"{forge.good}.{signature}",
        "five parts, as encrypted ones have": ".".join([head, "", letters(b"iv"), payload, signature]),
        "padding": f"{head}=.{payload}.{signature}",
        "the letters of plain base64": f"{head}.{payload}.+/" + signature[2:],
        "another spelling of the signature": forge.respelt(),
        "a space inside": f"{head}. {payload}.{signature}",
        "letters that are no ASCII": forge.good + "é",
        "a NUL at the end": forge.good + "\0",
        "a megabyte": "A" * 1_000_000,
        "a header of a megabyte": f"{letters('{' + ' ' * 1_000_000)}.{payload}.{signature}",
        "a megabyte of dots": "." * 1_000_000,
        "a byte above the cap": forge.signed(body(note="x" * 4096)),
        "a header that is no JSON": f"{letters('{')}.{payload}.{signature}",
        "a header that is a list": f"{letters([forge.header()])}.{payload}.{signature}",
        "a header of nested brackets": f"{letters(deep)}.e30.{signature}",
        "a header that is no UTF-8": f"{letters(bytes([0xFF, 0xFE]))}.{payload}.{signature}",
        "algorithm none": forge.unsigned(alg="none"),
        "algorithm None in other letters": forge.unsigned(alg="nOnE"),
        "algorithm none with a signature": forge.unsigned(signature, alg="none"),
        "no signature": forge.unsigned(),
        "no algorithm": forge.signed(alg=LEFT_OUT),
        "an algorithm that is a list": forge.signed(alg=["ES256"]),
        "the public key as a shared secret": forge.by_hmac(forge.public_pem),
        "the public key as a shared secret of 512 bits": forge.by_hmac(forge.public_pem, "HS512"),
        "the public JWK as a shared secret": forge.by_hmac(json.dumps(forge.public).encode()),
        "an empty shared secret": forge.by_hmac(b""),
        "RSA under an elliptic key": forge.signed(alg="RS256"),
        "another curve's algorithm": forge.signed(alg="ES384"),
        "an Edwards algorithm under an elliptic key": forge.signed(alg="Ed25519"),
        "no key id": forge.signed(kid=LEFT_OUT),
        "an unknown key id": forge.signed(kid="unknown"),
        "a key id that is a path": forge.signed(kid="../../dev/null"),
        "a key id that is a query": forge.signed(kid="' or '1'='1"),
        "a key id that is no text": forge.signed(kid={"kid": forge.key_id}),
        "no type": forge.signed(typ=LEFT_OUT),
        "the type of any JWT": forge.signed(typ="JWT"),
        "the type of a logout token": forge.signed(typ="logout+jwt"),
        "the type in other letters": forge.signed(typ="AT+JWT"),
        "a critical extension": forge.signed(crit=["exp"], exp=NOW),
        "an unknown critical extension": forge.signed(crit=["x"], x=True),
        "an empty list of critical extensions": forge.signed(crit=[]),
        "unencoded content": forge.signed(b64=False, crit=["b64"]),
        "compression": forge.signed(zip="DEF"),
        "a content type": forge.signed(cty="JWT"),
        "a key of the attacker in the header": forge.forged(jwk=forge.their_public),
        "a key set of the attacker by address": forge.forged(jku="https://attacker.example/keys"),
        "a certificate of the attacker by address": forge.forged(x5u="https://attacker.example/certificate"),
        "a certificate of the attacker": forge.forged(x5c=["MIIB"]),
        "an address beside a true signature": forge.signed(jku="https://attacker.example/keys"),
        "a header that says everything twice": forge.signed(
            raw_header=letters('{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"' + forge.key_id + '"}')
        ),
        "a signature by the attacker's key": forge.forged(),
        "a signature of another token": f"{head}.{letters(body(sub=str(UUID(int=8))))}.{signature}",
        "a signature of zeros": forge.with_signature(bytes(64)),
        "a signature of ones": forge.with_signature(b"\xff" * 64),
        "a signature of the curve's order": forge.with_signature(_ORDER.to_bytes(32, "big") * 2),
        "half a signature": forge.with_signature(bytes(32)),
        "a signature in DER": forge.in_der(),
        "a signature with more behind it": forge.with_signature(base64.urlsafe_b64decode(signature + "==") + b"\0"),
        "content that is no JSON": forge.signed("{"),
        "content that is a list": forge.signed([body()]),
        "content that is a number": forge.signed("1"),
        "content of nested brackets": forge.signed(deep),
        "content that says a claim twice": forge.signed(json.dumps(body())[:-1] + ', "sub": "' + ID + '"}'),
        "content with a constant that is no JSON": forge.signed(json.dumps(body())[:-1] + ', "more": NaN}'),
        "content with a byte order mark": forge.signed(b"\xef\xbb\xbf" + json.dumps(body()).encode()),
        "content in UTF-16": forge.signed(json.dumps(body()).encode("utf-16")),
        "nothing but an id": forge.signed({"sub": ID}),
        **{f"a token {name}": forge.signed(body(**changes)) for name, changes in wrong_claims.items()},
    }
