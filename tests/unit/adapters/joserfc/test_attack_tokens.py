"""G25: every malformed or hostile token is refused, and quickly."""

from __future__ import annotations

import json
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import SigningRing
from tests.asvs import asvs
from tests.unit.adapters.joserfc.attack_tokens import Forge, attack_tokens, body
from tradingcore.auth.errors import CredentialRefused
from tradingcore.testing.builders import MONDAY

RING = SigningRing.fresh()
FORGE = Forge(RING)
FEWEST_ATTACKS = 60
MOST_SECONDS = 0.005
INSTALLATIONS = 100
ATTACKS = attack_tokens(RING)


def tokens() -> JoserfcAccessTokens:
    return JoserfcAccessTokens(lambda: RING, issuer="us", audience="our api")


def is_refused(token: str) -> bool:
    try:
        tokens().verify(token, at=MONDAY)
    except CredentialRefused:
        return True
    return False


def test_the_token_that_every_attack_departs_from_is_good() -> None:
    assert tokens().verify(FORGE.good, at=MONDAY).rights_version == 1


def test_there_are_enough_attacks_and_no_two_are_the_same() -> None:
    assert len(ATTACKS) >= FEWEST_ATTACKS
    assert len(set(ATTACKS.values())) == len(ATTACKS)


@asvs("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.2.2", "9.2.3", "9.2.4")
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(name: str) -> None:
    assert is_refused(ATTACKS[name])


def test_an_attack_costs_little_time() -> None:
    slow = []
    for name, token in ATTACKS.items():
        # The best of a few: this machine has other things to do.
        seconds = []
        for _ in range(5):
            begun = perf_counter()
            is_refused(token)
            seconds.append(perf_counter() - begun)
        if min(seconds) > MOST_SECONDS:
            slow.append((name, min(seconds)))
    assert slow == []


@pytest.mark.campaign
def test_every_installation_refuses_every_attack() -> None:
    """The same against a hundred installations, each with keys of its own."""
    begun, refused, best = perf_counter(), 0, dict.fromkeys(ATTACKS, 1.0)
    for _ in range(INSTALLATIONS):
        ring = SigningRing.fresh()
        verifier = JoserfcAccessTokens(lambda ring=ring: ring, issuer="us", audience="our api")  # type: ignore[misc]  # bound early
        for name, token in attack_tokens(ring).items():
            at = perf_counter()
            try:
                verifier.verify(token, at=MONDAY)
            except CredentialRefused:
                refused += 1
            best[name] = min(best[name], perf_counter() - at)
    count, slowest = INSTALLATIONS * len(ATTACKS), max(best.values())
    line = {"id": "G25", "n": count, "failures": count - refused, "seed": None, "seconds": round(perf_counter() - begun, 1)}
    print(json.dumps({**line, "attacks": len(ATTACKS), "slowest_seconds": round(slowest, 5)}))
    assert slowest < MOST_SECONDS
    assert refused == count


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.text(st.sampled_from("abcABC019-_.=+/ {}"), max_size=300)))
def test_no_text_is_a_token_and_none_is_a_fault(text: str) -> None:
    assert is_refused(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr", "acr", "rv")


@settings(max_examples=150, deadline=None)
@given(claim=st.sampled_from(CLAIMS), value=JSON)
def test_a_claim_of_any_other_form_is_refused_and_is_no_fault(claim: str, value: object) -> None:
    token = FORGE.signed(body(**{claim: value}))
    try:
        tokens().verify(token, at=MONDAY)
    except CredentialRefused:
        return
    # Any small number is a version of rights or a time of signing in.
    assert claim in ("rv", "auth_time")
    assert type(value) is int
