from __future__ import annotations

import json

import pytest

from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import Algorithm, SigningRing
from adapters.system.private_file import SecretsUnusable
from tests.asvs import asvs
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.session import ACCESS_LIFETIME
from tradingcore.kernel.authz import Assurance
from tradingcore.kernel.errors import InvalidInput
from tradingcore.testing.auth.tokens import SECOND, AccessTokensContract, some_claims
from tradingcore.testing.builders import MONDAY


def tokens_of(ring: SigningRing, *, issuer: str = "us", audience: str = "our api") -> JoserfcAccessTokens:
    return JoserfcAccessTokens(lambda: ring, issuer=issuer, audience=audience)


@asvs("9.1.1", "9.1.2", "9.2.1", "11.6.1")
class TestEs256(AccessTokensContract):
    algorithm: Algorithm = "ES256"

    @pytest.fixture
    def ring(self) -> SigningRing:
        return SigningRing.fresh(self.algorithm)

    @pytest.fixture
    def tokens(self, ring: SigningRing) -> JoserfcAccessTokens:
        return tokens_of(ring)

    @pytest.fixture
    def rotated(self, ring: SigningRing) -> JoserfcAccessTokens:
        return tokens_of(ring.rotated(self.algorithm, at=MONDAY))

    @pytest.fixture
    def foreign(self) -> JoserfcAccessTokens:
        return tokens_of(SigningRing.fresh(self.algorithm))


class TestEd25519(TestEs256):
    algorithm: Algorithm = "Ed25519"


@asvs("11.2.2")
class TestChangeOfAlgorithm(TestEs256):
    @pytest.fixture
    def rotated(self, ring: SigningRing) -> JoserfcAccessTokens:
        return tokens_of(ring.rotated("Ed25519", at=MONDAY))


def test_a_ring_survives_being_written_down() -> None:
    ring = SigningRing.fresh().rotated("Ed25519", at=MONDAY).rotated("ES256", at=MONDAY + ACCESS_LIFETIME)
    again = SigningRing.from_text(ring.to_text())
    assert again == ring
    claims = some_claims()
    assert tokens_of(again).verify(tokens_of(ring).issue(claims), at=MONDAY) == claims


def test_keys_whose_tokens_have_expired_are_forgotten() -> None:
    ring = SigningRing.fresh()
    first = ring.signing.id
    soon = ring.rotated("ES256", at=MONDAY).rotated("ES256", at=MONDAY + SECOND)
    assert soon.keys[0].id == first
    assert len(soon.keys) == 3
    later = soon.rotated("ES256", at=MONDAY + 2 * ACCESS_LIFETIME)
    assert [key.id for key in later.keys][:-1] == [soon.signing.id]


def test_a_ring_does_not_show_its_keys() -> None:
    ring = SigningRing.fresh()
    (stored,) = json.loads(ring.to_text())["keys"]
    assert stored["d"] not in repr(ring)


PRIVATE = json.loads(SigningRing.fresh().to_text())["keys"][0]


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [{}],
        [1],
        [{name: value for name, value in PRIVATE.items() if name != "d"}],
        [{**PRIVATE, "alg": "HS256"}],
        [{**PRIVATE, "alg": "none"}],
        [{**PRIVATE, "alg": "Ed25519"}],
        [{**PRIVATE, "crv": "P-384"}],
        [{**PRIVATE, "d": "not the key"}],
        [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}],
        [{**PRIVATE, "verifies_until": MONDAY.isoformat()}],
    ],
)
def test_other_keys_are_one_sentence_that_quotes_nothing(keys: list[object]) -> None:
    with pytest.raises(SecretsUnusable, match=r"^signing keys are a JWK Set of private ES256 or Ed25519 keys") as refused:
        SigningRing.from_text(json.dumps({"keys": keys}))
    assert PRIVATE["d"] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{"])
def test_what_is_no_key_set_is_one_sentence(text: str) -> None:
    with pytest.raises(SecretsUnusable, match=r"^signing keys are a JWK Set"):
        SigningRing.from_text(text)


@asvs("9.2.3", "10.3.1")
@pytest.mark.parametrize(("issuer", "audience"), [("us", "another api"), ("them", "our api"), ("us", "")])
def test_a_token_for_somebody_else_is_refused(issuer: str, audience: str) -> None:
    ring = SigningRing.fresh()
    token = tokens_of(ring, issuer=issuer, audience=audience).issue(some_claims())
    with pytest.raises(CredentialRefused):
        tokens_of(ring).verify(token, at=MONDAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": MONDAY},
        {"expires_at": MONDAY - SECOND},
        {"expires_at": MONDAY + ACCESS_LIFETIME + SECOND},
        {"methods": ()},
        {"assurance": Assurance.NONE},
    ],
)
def test_no_token_is_made_that_lives_too_long_or_vouches_for_nothing(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="an access token"):
        some_claims(**changes)


def test_a_key_identifier_is_the_thumbprint_of_the_key() -> None:
    ring = SigningRing.fresh()
    assert ring.signing.id == ring.signing.key.thumbprint()
