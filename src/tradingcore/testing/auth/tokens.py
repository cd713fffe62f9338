"""Contract of access tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.access_token import LEEWAY, LONGEST_TOKEN, AccessClaims
from tradingcore.auth.model.session import ACCESS_LIFETIME, AuthMethod
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.kernel.authz import Assurance, Permission, UserId
from tradingcore.testing.builders import MONDAY, an_id

SECOND: Final = timedelta(seconds=1)


def some_claims(**changes: Any) -> AccessClaims:
    """Claims of somebody who signed in an hour before ``MONDAY`` and refreshed then."""
    claims = AccessClaims(
        session_id=SessionId(an_id()),
        user_id=UserId(an_id()),
        token_id=UUID(int=7),
        issued_at=MONDAY,
        expires_at=MONDAY + ACCESS_LIFETIME,
        authenticated_at=MONDAY - timedelta(hours=1),
        methods=(AuthMethod.PASSWORD, AuthMethod.TOTP),
        assurance=Assurance.AAL2,
        rights_version=3,
    )
    return replace(claims, **changes)


class AccessTokensContract:
    """Fixtures: ``tokens``; ``rotated``: of the same installation after its signing key was replaced at ``MONDAY``; ``foreign``."""

    @pytest.fixture
    def tokens(self) -> AccessTokens:
        raise NotImplementedError("supply the tokens under test")

    @pytest.fixture
    def rotated(self, tokens: AccessTokens) -> AccessTokens:
        raise NotImplementedError("supply the same after a rotation at MONDAY")

    @pytest.fixture
    def foreign(self) -> AccessTokens:
        raise NotImplementedError("supply tokens of another installation")

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"scopes": frozenset()},
            {"scopes": frozenset({Permission.SIGNALS_READ, Permission.ACCOUNT_OWN})},
            {"scopes": frozenset(Permission)},
            {"methods": (AuthMethod.PASSKEY,), "assurance": Assurance.AAL1, "rights_version": 0},
            {"methods": tuple(AuthMethod)},
        ],
    )
    def test_a_token_says_what_was_put_in(self, tokens: AccessTokens, changes: dict[str, Any]) -> None:
        claims = some_claims(**changes)
        token = tokens.issue(claims)
        assert tokens.verify(token, at=MONDAY) == claims
        assert len(token) < LONGEST_TOKEN

    def test_fractions_of_seconds_are_dropped(self, tokens: AccessTokens) -> None:
        part = timedelta(microseconds=999_999)
        exact = some_claims()
        loose = replace(
            exact,
            issued_at=exact.issued_at + part,
            expires_at=exact.expires_at + part,
            authenticated_at=exact.authenticated_at + part,
        )
        assert tokens.verify(tokens.issue(loose), at=MONDAY) == exact

    def test_a_token_lives_for_its_time_and_the_leeway(self, tokens: AccessTokens) -> None:
        claims = some_claims()
        token = tokens.issue(claims)
        for at in (MONDAY - LEEWAY, claims.expires_at + LEEWAY - SECOND):
            assert tokens.verify(token, at=at) == claims
        for at in (MONDAY - LEEWAY - SECOND, claims.expires_at + LEEWAY, claims.expires_at + timedelta(days=365)):
            with pytest.raises(CredentialRefused):
                tokens.verify(token, at=at)

    def test_a_token_of_another_installation_is_refused(self, tokens: AccessTokens, foreign: AccessTokens) -> None:
        with pytest.raises(CredentialRefused):
            tokens.verify(foreign.issue(some_claims()), at=MONDAY)

    def test_an_altered_token_is_refused(self, tokens: AccessTokens) -> None:
        token = tokens.issue(some_claims())
        for place in range(len(token)):
            other = "A" if token[place] != "A" else "B"
            with pytest.raises(CredentialRefused):
                tokens.verify(token[:place] + other + token[place + 1 :], at=MONDAY)

    def test_a_cut_or_lengthened_token_is_refused(self, tokens: AccessTokens) -> None:
        token = tokens.issue(some_claims())
        cut = [token[:length] for length in range(len(token))]
        for wrong in [*cut, f"{token}A", f"{token}=", f"{token}.", f" {token}", f"{token}\n", f"Bearer {token}", token * 2]:
            with pytest.raises(CredentialRefused):
                tokens.verify(wrong, at=MONDAY)

    def test_every_refusal_reads_the_same(self, tokens: AccessTokens, foreign: AccessTokens) -> None:
        expired = tokens.issue(some_claims()), MONDAY + timedelta(days=1)
        sentences = set()
        for token, at in (expired, (foreign.issue(some_claims()), MONDAY), ("", MONDAY), ("no token", MONDAY)):
            with pytest.raises(CredentialRefused) as refused:
                tokens.verify(token, at=at)
            sentences.add(str(refused.value))
        assert len(sentences) == 1

    def test_a_token_outlives_the_rotation_of_its_key(self, tokens: AccessTokens, rotated: AccessTokens) -> None:
        claims = some_claims()
        token = tokens.issue(claims)
        assert rotated.verify(token, at=MONDAY) == claims
        assert rotated.verify(token, at=claims.expires_at + LEEWAY - SECOND) == claims

    def test_the_key_of_before_verifies_no_longer_than_its_tokens_live(self, tokens: AccessTokens, rotated: AccessTokens) -> None:
        later = MONDAY + ACCESS_LIFETIME + 3 * LEEWAY
        claims = some_claims(issued_at=later, expires_at=later + ACCESS_LIFETIME)
        forged_later = tokens.issue(claims)
        assert tokens.verify(forged_later, at=later) == claims
        with pytest.raises(CredentialRefused):
            rotated.verify(forged_later, at=later)

    def test_the_new_key_signs(self, tokens: AccessTokens, rotated: AccessTokens) -> None:
        claims = some_claims()
        assert rotated.verify(rotated.issue(claims), at=MONDAY) == claims
        with pytest.raises(CredentialRefused):
            tokens.verify(rotated.issue(claims), at=MONDAY)
