"""The keys that sign access tokens: one signs, those before it verify until the last token that they signed has expired."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from adapters.system.private_file import PrivateFile, SecretsUnusable
from tradingcore.auth.model.access_token import LEEWAY
from tradingcore.auth.model.session import ACCESS_LIFETIME

Algorithm = Literal["ES256", "Ed25519"]

_KINDS: Final[dict[str, tuple[type[ECKey] | type[OKPKey], str]]] = {"ES256": (ECKey, "P-256"), "Ed25519": (OKPKey, "Ed25519")}


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """``id`` is the thumbprint (RFC 7638); a key serves the one algorithm that it was made for."""

    id: str
    algorithm: str
    key: ECKey | OKPKey = field(repr=False, compare=False)
    verifies_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SigningRing:
    """The last key signs."""

    keys: Sequence[SigningKey]

    @property
    def signing(self) -> SigningKey:
        return self.keys[-1]

    def find(self, key_id: object, *, at: datetime) -> SigningKey | None:
        """Return the key of that id that may still verify."""
        for key in self.keys:
            if key.id == key_id and (key.verifies_until is None or at < key.verifies_until):
                return key
        return None

    @classmethod
    def fresh(cls, algorithm: Algorithm = "ES256") -> SigningRing:
        return cls((_new_key(algorithm),))

    def rotated(self, algorithm: Algorithm, *, at: datetime) -> SigningRing:
        """A new key signs; the present one verifies as long as its tokens live; what expired is forgotten."""
        until = at + ACCESS_LIFETIME + 2 * LEEWAY
        kept = [key for key in self.keys[:-1] if key.verifies_until is not None and at < key.verifies_until]
        return SigningRing((*kept, replace(self.signing, verifies_until=until), _new_key(algorithm)))

    def to_text(self) -> str:
        """A JWK Set (RFC 7517) with the private parts and, of keys that only verify, ``verifies_until``."""
        return json.dumps({"keys": [_to_json(key) for key in self.keys]}, indent=1)

    @classmethod
    def from_text(cls, text: str) -> SigningRing:
        """Raises `SecretsUnusable`; the message quotes nothing of the keys."""
        try:
            keys = tuple(_from_json(key) for key in json.loads(text)["keys"])
        except (ValueError, KeyError, TypeError, JoseError):
            keys = ()
        if not keys or keys[-1].verifies_until is not None:
            raise SecretsUnusable("signing keys are a JWK Set of private ES256 or Ed25519 keys with their alg; the last one signs")
        return cls(keys)


SigningRings = Callable[[], SigningRing]
"""Gives the ring as it is now."""


def fixed_signing_ring(text: str | None = None, *, algorithm: Algorithm = "ES256") -> SigningRings:
    """A ring that a setting holds; a fresh one that ends with the process for ``None``."""
    ring = SigningRing.fresh(algorithm) if text is None else SigningRing.from_text(text)
    return lambda: ring


class SigningKeyFile:
    """The ring in a private file of this installation, made at first use; call it for the ring as it is now."""

    def __init__(self, path: Path, algorithm: Algorithm = "ES256") -> None:
        self._file = PrivateFile(path)
        self._algorithm: Algorithm = algorithm
        self._parsed: tuple[str, SigningRing] | None = None

    def __call__(self) -> SigningRing:
        text = self._file.read(self._fresh_text)
        if self._parsed is None or self._parsed[0] != text:
            self._parsed = (text, SigningRing.from_text(text))
        return self._parsed[1]

    def rotate(self) -> SigningRing:
        """Have a new key sign from now on, in every process that shares the file."""

        def rotated(text: str) -> str:
            return SigningRing.from_text(text).rotated(self._algorithm, at=datetime.now(UTC)).to_text()

        return SigningRing.from_text(self._file.change(rotated, self._fresh_text))

    def _fresh_text(self) -> str:
        return SigningRing.fresh(self._algorithm).to_text()


def _new_key(algorithm: Algorithm) -> SigningKey:
    key = ECKey.generate_key("P-256") if algorithm == "ES256" else OKPKey.generate_key("Ed25519")
    return SigningKey(id=key.thumbprint(), algorithm=algorithm, key=key)


def _to_json(key: SigningKey) -> dict[str, Any]:
    more = {} if key.verifies_until is None else {"verifies_until": key.verifies_until.isoformat()}
    return {**key.key.as_dict(private=True), "alg": key.algorithm, "kid": key.id, **more}


def _from_json(stored: dict[str, Any]) -> SigningKey:
    algorithm = stored["alg"]
    kind, curve = _KINDS[algorithm]
    if stored["crv"] != curve or "d" not in stored:
        raise ValueError("another curve, or a public key")
    key = kind.import_key({name: stored[name] for name in ("kty", "crv", "x", "y", "d") if name in stored})
    until = stored.get("verifies_until")
    return SigningKey(
        id=key.thumbprint(),
        algorithm=algorithm,
        key=key,
        verifies_until=None if until is None else datetime.fromisoformat(until),
    )
